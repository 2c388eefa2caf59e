"""Real programs with the library preloaded: one result file per script; only a pass is final."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.scons.conftest import COMPILER

if TYPE_CHECKING:
    from tests.scons.conftest import Project, Run

SCRIPTS = "tests/programs"
ALL = "programs.json"
PLAIN = ".plain.json"
RECORD = f"build/small-release-{COMPILER.name}/evidence/{ALL}"  # built alone: it needs no other evidence
DEBUG = RECORD.replace("release", "debug")
ECHO = 'env LD_PRELOAD="$PRELOAD" echo'  # a program that is run with the library


@pytest.fixture
def scripted(foreign: Project) -> Project:
    """The foreign project with two scripts in a folder of their own. One of them reads a file."""
    foreign.edit("variants/matrix.yaml", "scripts: tests/*.sh", f"scripts: {SCRIPTS}/*.sh")
    foreign.write(f"{SCRIPTS}/first.sh", f'. "$(dirname "$0")/data/words.sh"\n{ECHO} "$words"\n')
    foreign.write(f"{SCRIPTS}/second.sh", f"{ECHO} second\n")
    foreign.write(f"{SCRIPTS}/data/words.sh", "words=first\n")
    return foreign


def results(project: Project, cc: str) -> dict[str, str]:
    """The result of each script."""
    record = project.record(f"small-release-{cc}", "programs")
    return {program["name"]: program["status"] for program in record["programs"]}


def ran(run: Run) -> list[str]:
    """The steps about programs that ran: the results of scripts, and the record that combines them."""
    files = [file.split("/evidence/")[1] for file in run.made("EVIDENCE")]
    results = [file.removeprefix("programs/") for file in files if file.startswith("programs")]
    return [file for file in results if not file.endswith(PLAIN)]


def ran_plain(run: Run) -> list[str]:
    """The scripts that ran without a library. Their results serve all cells."""
    files = [file for file in run.made("EVIDENCE") if file.endswith(PLAIN)]
    return [file.removeprefix("baseline/evidence/programs/").removesuffix(PLAIN) for file in files]


def test_a_changed_script_is_run_again_alone(scripted: Project, cc: str) -> None:
    assert ran(scripted.build("variant=small", RECORD)) == [ALL, "first.json", "second.json"]
    assert results(scripted, cc) == {"first": "passed", "second": "passed"}
    assert scripted.build("variant=small", RECORD).actions == []
    scripted.append(f"{SCRIPTS}/second.sh", "echo more\n")
    assert ran(scripted.build("variant=small", RECORD)) == [ALL, "second.json"]


def test_a_changed_file_that_a_script_reads_runs_that_script_again(scripted: Project) -> None:
    scripted.build("variant=small", RECORD)
    scripted.append(f"{SCRIPTS}/data/words.sh", "words=more\n")
    assert ran(scripted.build("variant=small", RECORD)) == [ALL, "first.json"]


def test_a_failed_script_fails_the_build_and_is_run_again_alone(scripted: Project, cc: str) -> None:
    good = scripted.read(f"{SCRIPTS}/second.sh")
    scripted.build("variant=small", "evidence")
    scripted.append(f"{SCRIPTS}/second.sh", 'test -z "$PRELOAD"\n')
    for _ in range(2):
        run = scripted.scons("variant=small", "evidence")
        assert run.status == 1
        assert ran(run) == [ALL, "second.json"]
        assert "1 of 2 failed: second" in run.stderr
        assert results(scripted, cc) == {"first": "passed", "second": "failed"}
    scripted.write(f"{SCRIPTS}/second.sh", good)
    scripted.build("variant=small", "evidence")
    assert results(scripted, cc) == {"first": "passed", "second": "passed"}


def test_a_script_that_cannot_run_fails_nothing_and_is_run_again(scripted: Project, cc: str) -> None:
    tool = scripted.path("tool")
    scripted.write(f"{SCRIPTS}/second.sh", f"test -e {tool} || {{ echo no tool; exit 77; }}\n{ECHO}\n")
    for _ in range(2):
        assert "second.json" in ran(scripted.build("variant=small", RECORD))
        assert results(scripted, cc) == {"first": "passed", "second": "not run"}
    scripted.write("tool", "")
    scripted.build("variant=small", RECORD)
    assert results(scripted, cc) == {"first": "passed", "second": "passed"}
    assert scripted.build("variant=small", RECORD).actions == []


def test_scripts_get_the_soak_duration_and_run_again_for_it(scripted: Project, cc: str) -> None:
    scripted.write(f"{SCRIPTS}/second.sh", f'{ECHO} "soak: ${{LAYERED_SOAK:-none}}"\n')
    for words, message in (((), "soak: none"), (("soak=7",), "soak: 7")):
        assert ran(scripted.build("variant=small", *words, RECORD)) == [ALL, "first.json", "second.json"]
        (_, second) = scripted.record(f"small-release-{cc}", "programs")["programs"]
        assert second["log"] == message


def test_a_long_script_runs_only_with_soak(scripted: Project, cc: str) -> None:
    scripted.edit(
        "variants/matrix.yaml", f"scripts: {SCRIPTS}/*.sh", f"soak: [second], scripts: {SCRIPTS}/*.sh"
    )
    assert ran(scripted.build("variant=small", RECORD)) == [ALL, "first.json"]
    assert results(scripted, cc) == {"first": "passed"}
    assert scripted.build("variant=small", RECORD).actions == []
    scripted.build("variant=small", "soak=1", RECORD)
    assert results(scripted, cc) == {"first": "passed", "second": "passed"}
    scripted.edit("variants/matrix.yaml", "soak: [second]", "soak: [secnd]")
    assert "unknown script 'secnd'; did you mean 'second'?" in scripted.scons("list").stderr


def test_a_script_finds_the_cell_whose_library_is_preloaded(scripted: Project, cc: str) -> None:
    text = 'library=$LAYERED_CELL/libpool.so\ncmp "${PRELOAD:-$library}" "$library"\n'
    scripted.write(f"{SCRIPTS}/second.sh", f"{text}{ECHO}\n")
    scripted.build("variant=small", RECORD)
    assert results(scripted, cc)["second"] == "passed"


def test_a_script_runs_once_without_a_library_for_all_cells(scripted: Project, cc: str) -> None:
    scripted.append(f"{SCRIPTS}/second.sh", f'echo "$PRELOAD" >>{scripted.path("runs")}\n')
    run = scripted.build("variant=small", "mode=release,debug", RECORD, DEBUG)
    assert ran_plain(run) == ["first", "second"]
    used = [Path(line).name for line in scripted.read("runs").splitlines()]
    assert sorted(used) == ["", "libpool.so", "libpool.so"]
    scripted.append(f"{SCRIPTS}/data/words.sh", "words=more\n")
    assert ran_plain(scripted.build("variant=small", "mode=release,debug", RECORD, DEBUG)) == ["first"]


def test_a_script_that_asks_for_the_cell_runs_without_a_library_in_each(scripted: Project, cc: str) -> None:
    scripted.write(f"{SCRIPTS}/second.sh", f'{ECHO} "$(basename "$LAYERED_CELL")"\n')
    run = scripted.build("variant=small", "mode=release,debug", RECORD, DEBUG)
    assert ran_plain(run) == ["first"]
    for mode in ("release", "debug"):
        (_, second) = scripted.record(f"small-{mode}-{cc}", "programs")["programs"]
        assert (second["status"], second["log"]) == ("passed", f"small-{mode}-{cc}")
