"""`core.host`: what is known about a host, also of one without /proc, and that it needs no package."""

from __future__ import annotations

import ast
import os
import platform
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from layermatrix.core import c_library, host
from layermatrix.core.host import Host, HostKind

HOST = Host("x86_64", "A CPU", "f1", 2, "Linux 6.1", "glibc 2.36", "3.11.7", "m1")


def root_with(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


def named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Give this machine a host name."""
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(nodename=name))


def test_this_machine_is_known_and_survives_json() -> None:
    here = Host.of_this_machine()
    assert here.architecture == platform.machine()
    assert here.cores >= 1
    assert here.os == "Linux"
    assert here.libc != host.UNKNOWN
    assert Host.from_json(here.to_json()) == here


def test_hosts_of_one_kind_may_differ_in_everything_that_no_count_depends_on() -> None:
    other = Host("x86_64", "B", "f1", 64, "Linux 5.4", "glibc 2.36", "3.10.0", "m2")
    assert other.kind == HOST.kind == HostKind("x86_64", "f1", "glibc 2.36")
    assert other.id != HOST.id
    for part in ({"cpu_flags": "f2"}, {"libc": "musl 1.2.4"}, {"architecture": "aarch64"}):
        assert replace(HOST, **part).kind != HOST.kind  # type: ignore[arg-type]


def test_a_kind_with_an_unknown_part_is_not_known() -> None:
    assert HOST.kind.is_known
    assert not replace(HOST, cpu_flags=host.UNKNOWN).kind.is_known
    assert not replace(HOST, libc="").kind.is_known
    assert not replace(HOST, libc="musl").kind.is_known


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "a host is an object"),
        ({}, "host: architecture is None, not a text"),
        ({**HOST.to_json(), "cores": "2"}, "host: cores is '2', not a number"),
        ({**HOST.to_json(), "cores": True}, "host: cores is True, not a number"),
    ],
)
def test_what_is_no_host_is_refused_with_the_wrong_part(values: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Host.from_json(values)


def test_features_decide_the_digest_in_any_order(tmp_path: Path) -> None:
    one = root_with(tmp_path / "one", proc__cpuinfo="flags\t: avx2 sse2\n")
    other = root_with(tmp_path / "other", proc__cpuinfo="flags\t: sse2 avx2\n")
    older = root_with(tmp_path / "older", proc__cpuinfo="flags\t: sse2\n")
    digests = [host.cpu_flags(root / "proc/cpuinfo") for root in (one, other, older)]
    assert digests[0] == digests[1] != digests[2]
    assert host.cpu_flags(tmp_path / "missing") == host.UNKNOWN


def test_machines_with_one_image_are_told_apart_by_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = root_with(tmp_path, **{"etc__machine-id": "abc\n"})
    monkeypatch.delenv(host.MACHINE_VARIABLE, raising=False)
    named(monkeypatch, "one")
    first = host.identity(root)
    assert first == host.identity(root)
    assert "abc" not in first  # the id of a machine stays on it
    named(monkeypatch, "two")
    assert host.identity(root) != first
    named(monkeypatch, "")
    assert host.identity(tmp_path / "empty") == ""


def test_the_variable_names_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(host.MACHINE_VARIABLE, "desk")
    named(monkeypatch, "one")
    first = host.identity(tmp_path)
    named(monkeypatch, "two")
    assert host.identity(tmp_path) == first


def test_musl_is_asked_for_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "confstr", lambda name: None)
    assert c_library.version(tmp_path) == host.UNKNOWN
    script = "#!/bin/sh\necho 'musl libc (x86_64)' >&2\necho 'Version 1.2.4' >&2\nexit 1\n"
    root = root_with(tmp_path, **{"lib__ld-musl-x86_64.so.1": script})
    assert c_library.version(root) == "musl"  # it cannot be started
    (root / "lib/ld-musl-x86_64.so.1").chmod(0o755)
    assert c_library.version(root) == "musl 1.2.4"


def test_it_runs_where_only_python_is() -> None:
    """Its modules import the standard library and each other."""
    folder = Path(host.__file__).parent
    for name in ("host.py", "processor.py", "c_library.py"):
        tree = ast.parse((folder / name).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            modules = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            for module in modules:
                assert module.split(".")[0] in sys.stdlib_module_names or module == "layermatrix.core"
