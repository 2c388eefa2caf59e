"""Own axes, targets and run axes, from the spec to the built files."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scons.conftest import Project

AXES = """
  depth:
    doc: how deep
    values:
      flat: {}
      deep: {needs: {no-such-tool: no-such-package}}
      mid: {defines: {POOL_DEPTH: 1}}
"""
RUN = "run: {size: {doc: how much, values: {small: {}, big: {environment: {POOL_SIZE: big}}}}}\n"


@pytest.fixture
def pool(foreign: Project, cc: str) -> Project:
    foreign.edit("variants/matrix.yaml", f"  compiler: [{cc}]\n", f"  compiler: [{cc}]{AXES}")
    foreign.append("variants/matrix.yaml", RUN)
    return foreign


def test_a_value_of_an_own_axis_has_its_own_folder_and_flags(pool: Project, cc: str) -> None:
    run = pool.build("libs", "variant=small", "depth=all")
    assert run.cells == {f"small-release-{cc}", f"small-release-{cc}-depth-mid"}
    (line,) = [line for line in run.stdout.splitlines() if "-DPOOL_DEPTH=1" in line and "unit_gen.o" in line]
    assert f"build/small-release-{cc}-depth-mid/obj/unit_gen.o" in line
    text = pool.build("list", "variant=small", "depth=all", "why=selected").stdout
    assert (
        f"small-release-{cc}-depth-deep  depth=deep: no-such-tool is not installed (package no-such-pa"
        in text
    )


def test_a_run_axis_rebuilds_nothing_and_keeps_both_results(pool: Project, cc: str) -> None:
    pool.build("evidence", "variant=small")
    run = pool.build("evidence", "variant=small", "size=all")
    assert run.actions == [
        f"EVIDENCE small-release-{cc}/evidence/runs.json",
        f"EVIDENCE small-release-{cc}/evidence/runs/size-big.json",
    ]
    (check,) = pool.record(f"small-release-{cc}", "runs")["programs"]
    assert (check["name"], check["status"]) == ("size-big: test_pool", "passed")


def test_without_an_emulator_a_cell_is_built_and_its_tests_are_not_run(
    pool: Project, cc: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compiler of the target is this machine's, which is enough: nothing is run."""
    pool.edit(
        "variants/matrix.yaml",
        f"  compiler: [{cc}]",
        f"  compiler: [{cc}]\n  target: [native, pdp11-linux-gnu]",
    )
    if cc != "gcc":
        pytest.skip("the command of a target's compiler is found by its name only for gcc")
    other = pool.scons("libs", "variant=small", "target=pdp11")
    assert (
        "no cell is left: pdp11-linux-gnu-gcc is not installed (package gcc-pdp11-linux-gnu)" in other.stderr
    )
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "pdp11-linux-gnu-gcc").symlink_to(str(shutil.which("gcc")))
    pool.edit("SConstruct", "LIBS=", "ENV=__import__('os').environ, LIBS=")
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    pool.build("evidence", "variant=small", "target=pdp11-linux-gnu")
    assert pool.path(f"build/small-release-{cc}-pdp11/libpool.so").is_file()
    record = pool.record(f"small-release-{cc}-pdp11", "tests")
    assert record["reason"] == "not run: qemu-pdp11 is not installed (package qemu-user)"
