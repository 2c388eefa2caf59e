"""A bundle: equal inputs give equal bytes, and it runs on a host that has Python and a C library alone."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import small_bundles

from layermatrix.build.dependencies import Library
from layermatrix.core import process, records
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import determinism, registry
from layermatrix.evidence.check import Check, Status
from layermatrix.evidence.taking import programs, tests
from layermatrix.hosts import bundle, host, host_main, results
from layermatrix.hosts.manifest import HostNeeds
from layermatrix.measure import hosted_timing

HERE = host.this()
PYTHON = [sys.executable, "-I", "-S"]


@pytest.fixture(scope="session")
def library() -> Library:
    """Read once: the modules of every bundle come from it."""
    return Library()


@pytest.fixture
def made(tmp_path: Path, library: Library) -> Callable[..., Path]:
    def make(scripts: dict[str, str], **how: object) -> Path:
        file = tmp_path / "bundles" / "small.pyz"
        small_bundles.write(file, scripts, library=library, **how)  # type: ignore[arg-type]
        return file

    return make


def start(
    file: Path, *words: str, prepare: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a bundle as a host does: in an empty environment and another folder."""
    command = [*PYTHON, str(file), *words]
    return subprocess.run(
        command, cwd="/", env={}, capture_output=True, text=True, timeout=60, preexec_fn=prepare
    )


def checks(out: Path) -> list[dict[str, object]]:
    (step,) = results.parse(out.read_bytes()).steps
    found: list[dict[str, object]] = step["record"]["programs"]
    return found


def only_line(done: subprocess.CompletedProcess[str]) -> str:
    (line,) = done.stderr.splitlines()
    return line


def test_equal_inputs_give_equal_bytes(tmp_path: Path, library: Library) -> None:
    first = small_bundles.write(tmp_path / "a/x.pyz", {"test_a": "true"}, library=library)
    second = small_bundles.write(tmp_path / "b/x.pyz", {"test_a": "true"}, library=library)
    other = small_bundles.write(tmp_path / "c/x.pyz", {"test_a": "false"}, library=library)
    assert (tmp_path / "a/x.pyz").read_bytes() == (tmp_path / "b/x.pyz").read_bytes()
    assert first == second == bundle.digest(tmp_path / "a/x.pyz")
    assert first != other


def test_a_host_takes_the_record_that_is_taken_here(made: Callable[..., Path], tmp_path: Path) -> None:
    scripts = {
        "test_good": 'echo "$0 of $LAYERED_CELL in $PWD"',
        "test_bad": 'echo "$0: broken" >&2; exit 3',
        "test_idle": "echo no such tool; exit 77",
    }
    file = made(scripts)
    done = start(file, str(tmp_path / "out.json"))
    assert (done.returncode, done.stderr) == (0, "")
    folder = tmp_path / "here/build/small-release-gcc/bin"
    folder.mkdir(parents=True)
    for name in scripts:
        shutil.copy(file.parent / f"small-{name}", folder / name)
    names = tuple(f"build/small-release-gcc/bin/{name}" for name in scripts)
    request = tests.Request("build/small-release-gcc", names, tests.Limits(60))
    here = records.plain(tests.take(request, tmp_path / "here"))
    (step,) = results.parse((tmp_path / "out.json").read_bytes(), bundle.digest(file)).steps
    form = {"kind": "tests", "version": 1}
    assert determinism.canonical(step["record"]) == determinism.canonical({**form, **here})
    good, bad, idle = checks(tmp_path / "out.json")
    assert good["log"] == "build/small-release-gcc/bin/test_good of build/small-release-gcc in $TMPDIR"
    assert bad["reason"] == "exit status 3: build/small-release-gcc/bin/test_bad: broken"
    assert (idle["status"], idle["reason"]) == ("not run", "no such tool")


def test_two_runs_agree_in_what_is_deterministic(made: Callable[..., Path], tmp_path: Path) -> None:
    file = made({"test_a": "echo $$; sleep 0.0$(($$ % 9))"})
    found = []
    for name in ("one", "two"):
        assert start(file, str(tmp_path / name)).returncode == 0
        found.append(results.parse((tmp_path / name).read_bytes()))
    assert found[0].steps != found[1].steps
    assert results.deterministic(found[0]) == results.deterministic(found[1])


def test_the_manifest_shows_what_a_step_runs(made: Callable[..., Path]) -> None:
    file = made({"test_a": "true"}, timeout=7, resources={"bench": 1})
    shown = json.loads(start(file, "--manifest").stdout)
    (step,) = shown["steps"]
    assert step["commands"] == [["build/small-release-gcc/bin/test_a"]]
    assert step["environment"] == {"LAYERED_CELL": "build/small-release-gcc"}
    assert step["timeouts"] == {"test_a": 7}
    assert (shown["cells"], shown["resources"]) == (["small-release-gcc"], {"bench": 1})
    assert bundle.read(file) == bundle.check(file)


@pytest.mark.parametrize(
    ("needs", "reason"),
    [
        (HostNeeds("sparc64"), "its architecture is .*, and the bundle was built for sparc64"),
        (HostNeeds(HERE.architecture, "Plan9"), "its operating system is Linux, .* for Plan9"),
        (HostNeeds(HERE.architecture, libc="bionic"), "its C library is .*, .* for bionic"),
        (HostNeeds(HERE.architecture, libc="glibc", libc_least="9.1"), "needs glibc 9.1 or newer"),
        (HostNeeds(HERE.architecture, python_least="4.0"), "and the bundle needs 4.0 or newer"),
    ],
)
def test_a_host_of_another_kind_refuses_in_one_line(needs: HostNeeds, reason: str) -> None:
    here = HERE if needs.libc != "glibc" else host.Host(**{**vars(HERE), "libc": "glibc 2.36"})
    why = host.why_not(here, needs)
    assert why is not None
    assert re.search(reason, why)


def test_such_a_host_writes_no_result(made: Callable[..., Path], tmp_path: Path) -> None:
    done = start(made({"test_a": "true"}, needs=HostNeeds("sparc64")), str(tmp_path / "out.json"))
    assert done.returncode == host_main.UNSUITABLE
    assert "small.pyz: cannot be run on this host: its architecture is" in only_line(done)
    assert not (tmp_path / "out.json").exists()


def test_versions_are_compared_as_numbers() -> None:
    old = host.Host(**{**vars(HERE), "libc": "glibc 2.4"})
    assert host.why_not(old, HostNeeds(HERE.architecture, libc="glibc", libc_least="2.34"))
    assert not host.why_not(old, HostNeeds(HERE.architecture, libc="glibc", libc_least="2.3.4"))


def test_a_damaged_bundle_is_not_run(made: Callable[..., Path], tmp_path: Path) -> None:
    file = made({"test_a": "true"})
    good = file.read_bytes()
    for place in (len(good) // 3, len(good) // 2):
        file.write_bytes(good[:place] + bytes([good[place] ^ 255]) + good[place + 1 :])
        done = start(file, str(tmp_path / "out.json"))
        assert done.returncode == host_main.FAILED
        assert "damaged" in only_line(done)
        with pytest.raises(bundle.BundleError, match="damaged"):
            bundle.check(file)
    assert not (tmp_path / "out.json").exists()
    file.write_bytes(good[:-2000])
    with pytest.raises(bundle.BundleError, match="no bundle, or a damaged one"):
        bundle.check(file)


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (["--help"], 0, ""),
        ([], 2, "usage: python3 small.pyz OUT.json"),
        (["/nowhere/out.json"], 2, "small.pyz: /nowhere/out.json: its folder does not exist"),
    ],
)
def test_a_wrong_command_line_shows_the_usage(
    words: list[str], status: int, line: str, made: Callable[..., Path]
) -> None:
    done = start(made({"test_a": "true"}), *words)
    assert (done.returncode, done.stderr[: len(line)]) == (status, line)


def test_a_full_disk_is_named_in_one_line(made: Callable[..., Path], tmp_path: Path) -> None:
    def fill() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))

    done = start(made({"test_a": "true"}), str(tmp_path / "out.json"), prepare=fill)
    assert done.returncode == host_main.FAILED
    assert "File too large" in only_line(done)
    assert not (tmp_path / "out.json").exists()


def test_a_bundle_that_is_told_to_end_leaves_no_program(made: Callable[..., Path], tmp_path: Path) -> None:
    mark = tmp_path / "started"
    file = made({"test_a": f"echo $$ >{mark}.new; mv {mark}.new {mark}; sleep 60"})
    child = subprocess.Popen([*PYTHON, str(file), str(tmp_path / "out.json")], env={})
    wait_until(mark.exists)
    child.terminate()
    assert child.wait(30) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text(encoding="ascii")), 0)
    assert not (tmp_path / "out.json").exists()


def test_a_killed_bundle_leaves_neither_a_program_nor_a_folder(
    made: Callable[..., Path], tmp_path: Path
) -> None:
    mark, temporary = tmp_path / "started", tmp_path / "temporary"
    temporary.mkdir()
    file = made({"test_a": f"echo $$ >{mark}.new; mv {mark}.new {mark}; sleep 60"})
    environment = {"TMPDIR": str(temporary)}
    child = subprocess.Popen([*PYTHON, str(file), str(tmp_path / "out.json")], env=environment)
    wait_until(mark.exists)
    child.kill()
    child.wait(30)
    number = int(mark.read_text(encoding="ascii"))
    wait_until(lambda: not Path(f"/proc/{number}/cwd").exists())
    wait_until(lambda: not any(temporary.iterdir()))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# --- hosts without a tool


def failing(message: str, status: int = 1) -> process.Run:
    def run(command: Iterable[str], **_how: object) -> process.Finished:
        return process.Finished((*command,), status, b"", message.encode(), 0.1)

    return run


def one_test(name: str, run: process.Run, linked: dict[str, Path] | None = None) -> Check:
    record = tests.run([Path("/c") / name], tests.Limits(5), linked=linked, run=run)
    assert isinstance(record, tests.Tests)
    return record.programs[0]


LACKING = "test_a: error while loading shared libraries: {}: cannot open shared object file: No such file"


def test_without_pytest_a_script_is_not_run() -> None:
    check = one_test("test_a.py", failing("/usr/bin/python3: No module named pytest"))
    assert (check.status, check.reason) == (Status.NOT_RUN, tests.PYTEST)


def test_without_a_shared_library_a_program_is_not_run() -> None:
    check = one_test("test_a", failing(LACKING.format("libasan.so.8"), 127))
    assert check.status is Status.NOT_RUN
    assert check.reason == "the shared library libasan.so.8 is not installed"


def test_without_the_tested_library_it_has_failed() -> None:
    linked = {"test_a": Path("/c/liba.so")}
    assert one_test("test_a", failing(LACKING.format("liba.so.1"), 127), linked).status is Status.FAILED


def test_a_command_of_a_run_axis_that_is_missing_is_a_reason(tmp_path: Path) -> None:
    request = tests.Request("c", ("c/a",), tests.Limits(5), needs={"no-such-command": "moreutils"})
    record = tests.take(request, tmp_path)
    assert record == NotMeasured("no-such-command is not installed (package moreutils)")


# --- what a host imports


HOSTED = [kind.hosted.hosted for kind in registry.KINDS if kind.hosted]
MODULES = sorted({one.module for one in (*HOSTED, programs.HOSTED, hosted_timing.HOSTED)})


@pytest.mark.parametrize("name", [host_main.__name__, *MODULES])
def test_what_a_host_imports_is_in_the_bundle_or_the_standard_library(
    name: str, library: Library, tmp_path: Path
) -> None:
    for path in library.closure(name):
        target = tmp_path / path.relative_to(library.folder.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import {name}"
    done = subprocess.run([*PYTHON, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
