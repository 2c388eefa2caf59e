"""`link_options`: each option that a linker refuses is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from layermatrix.build import link_options, toolchain
from layermatrix.build.toolchain import Toolchain

ZIG = Toolchain("zig", ("zig", "cc"), "zig 1", "x86_64-linux-gnu")


def split(
    monkeypatch: pytest.MonkeyPatch, refused: set[str], *flags: object
) -> tuple[list[object], list[str]]:
    def links(compiler: Toolchain, option: str, folder: Path, cache: Path) -> bool:
        return option not in refused

    monkeypatch.setattr(toolchain, "links", links)
    return link_options.split(ZIG, flags, Path(), Path("cache"))


def test_an_option_that_is_refused_is_taken_out_of_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = ("-pthread", "-Wl,-z,nodelete", "-Wl,-Bsymbolic-functions,--dynamic-list=a.list,-z,now")
    accepted, refused = split(monkeypatch, {"-Wl,-Bsymbolic-functions", "-Wl,--dynamic-list=a.list"}, *flags)
    assert accepted == ["-pthread", "-Wl,-z,nodelete", "-Wl,-z,now"]
    assert refused == ["-Wl,-Bsymbolic-functions", "-Wl,--dynamic-list=a.list"]


def test_what_is_not_an_option_of_the_linker_is_not_queried(monkeypatch: pytest.MonkeyPatch) -> None:
    assert split(monkeypatch, {"-fuse-ld=x"}, "-fuse-ld=x", "$RPATH") == (["-fuse-ld=x", "$RPATH"], [])


def test_an_option_that_was_left_out_is_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    link_options.warn.cache_clear()
    for _ in range(2):
        link_options.warn("zig", "-Wl,-z,once")
    assert capsys.readouterr().err == "zig has no linker option -z,once: it is left out\n"
