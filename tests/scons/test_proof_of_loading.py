"""Without proof that the run used the library under test, there is no figure and no pass."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.scons.conftest import Project

CELL = "small-release-{}"


def bench(project: Project, cell: str) -> Any:
    return project.record(cell, "bench")["loads"]["churn"]


def names_what_it_used(project: Project) -> None:
    """The benchmark names the object that contains the function it calls."""
    project.edit(
        "src/bench/bench_churn.c",
        '    printf("{',
        "    Dl_info used = {0};\n"
        "    if (take != NULL) dladdr((void *)take, &used);\n"
        '    printf("{\\"library\\":\\"%s\\",',
    )
    project.edit(
        "src/bench/bench_churn.c", '\\n", ops);', '\\n", used.dli_fname ? used.dli_fname : "", ops);'
    )


@pytest.mark.parametrize(
    ("folder", "named"), [("a folder", False), ("a:folder", False), ("odd: folder", True)]
)
def test_a_project_may_lie_where_ld_preload_splits_paths(
    foreign: Project, cc: str, tmp_path: Path, folder: str, named: bool
) -> None:
    project = Project(foreign.root.rename(tmp_path / folder))
    if named:
        names_what_it_used(project)
    project.build("variant=small", "rounds=2")
    assert len(bench(project, CELL.format(cc))["samples"]) == 2
    for kind in ("tests", "programs"):
        (program,) = project.record(CELL.format(cc), kind)["programs"]
        assert (program["status"], program["reason"]) == ("passed", None)
    if shutil.which("valgrind"):
        project.build("variant=small", f"build/{CELL.format(cc)}/evidence/counters.json")
        counted = project.record(CELL.format(cc), "counters")
        assert counted["loads"]["churn"]["status"] == "measured"


def of_another_machine(library: Path) -> None:
    content = bytearray(library.read_bytes())
    content[18:20] = (0xB7, 0) if content[18] != 0xB7 else (0x3E, 0)
    library.write_bytes(content)


@pytest.mark.parametrize("named", [False, True], ids=["listed", "named"])
def test_a_library_that_the_loader_refuses_has_no_speed(foreign: Project, cc: str, named: bool) -> None:
    if named:
        names_what_it_used(foreign)
    cell = CELL.format(cc)
    foreign.build("variant=small", "libs", "benches")
    of_another_machine(foreign.path(f"build/{cell}/libpool.so"))
    run = foreign.scons("variant=small", "rounds=2", "bench")
    timed = foreign.record(cell, "bench")
    assert timed["status"] == "not measured"
    assert f"{foreign.path(f'build/{cell}/libpool.so')}: the loader reports: " in timed["reason"]
    assert "the loader reports" in " ".join(run.stdout.split())
    assert bench(foreign, "baseline")["status"] == "measured"


def test_a_static_benchmark_has_no_speed(foreign: Project, cc: str) -> None:
    foreign.edit(
        "SConstruct",
        '    benches = cell.LayeredBenches("',
        '    benches = cell.Clone(LINKFLAGS=["-static"]).LayeredBenches("',
    )
    foreign.scons("variant=small", "rounds=2", "bench")
    reason = "bench_churn is statically linked, and does not name the object it used as 'library'"
    assert foreign.record(CELL.format(cc), "bench")["reason"] == reason


def test_a_test_that_finds_another_library_of_the_name_fails(
    foreign: Project, cc: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = CELL.format(cc)
    foreign.build("variant=small", "libs")
    other = shutil.copy(foreign.path(f"build/{cell}/libpool.so"), tmp_path)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    run = foreign.scons("variant=small", "checks")
    assert run.status == 2
    (program,) = foreign.record(cell, "tests")["programs"]
    assert program["status"] == "failed"
    assert program["reason"].endswith(f"; it loaded {other}")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('LD_PRELOAD="$PRELOAD" echo hello', "no program that the script started loaded libpool.so"),
        ('env LD_PRELOAD="" sh -c "echo hello"', "no program that the script started loaded libpool.so"),
    ],
    ids=["a command of the shell", "another library"],
)
def test_a_script_that_starts_nothing_with_the_library_fails(
    foreign: Project, cc: str, text: str, reason: str
) -> None:
    foreign.write("tests/echo.sh", f"#!/bin/sh\n{text}\n")
    assert foreign.scons("variant=small", "checks").status == 2
    (program,) = foreign.record(CELL.format(cc), "programs")["programs"]
    assert (program["status"], program["reason"]) == ("failed", reason)


def test_what_the_user_preloads_does_not_reach_the_baseline(
    foreign: Project, cc: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign.build("variant=small", "libs", "benches")
    names_what_it_used(foreign)
    monkeypatch.setenv("LD_PRELOAD", str(foreign.path(f"build/{CELL.format(cc)}/libpool.so")))
    foreign.scons("variant=small", "rounds=2", "bench")
    assert bench(foreign, "baseline")["status"] == "measured"


def test_tests_that_preload_the_library_themselves_run_at_an_odd_path(
    project: Project, cc: str, tmp_path: Path
) -> None:
    moved = Project(project.root.rename(tmp_path / "odd: folder"))
    cell = f"phase2-release-{cc}"
    names = [f"build/{cell}/bin/test_{name}" for name in ("memcheck", "preload_new", "dlopen")]
    moved.build("variant=phase2", "libs", *names)
    for name in names:
        status = os.spawnv(os.P_WAIT, str(moved.path(name)), [str(moved.path(name))])
        assert status in (0, 77), name
