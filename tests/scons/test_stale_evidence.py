"""Evidence is out of date when a module that produces it changes, and only then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.scons.conftest import Project, copy_tree, foreign_project

LIBRARY = "tools/layermatrix"


@pytest.fixture(scope="module")
def up_to_date(plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small project with all its evidence. Tests must not change it."""
    project = foreign_project(tmp_path_factory.mktemp("checked") / "pool", plugin)
    project.build("variant=small", "checks")
    return project.root


@pytest.fixture
def checked(up_to_date: Path, tmp_path: Path) -> Project:
    copy_tree(up_to_date, tmp_path / "pool")
    return Project(tmp_path / "pool")


def made_anew(project: Project) -> set[str]:
    """The kinds of evidence, of the cell and of the baseline, that the next build would produce again."""
    run = project.would("variant=small", "checks")
    assert not run.made("CC"), "the code is what it was"
    names = {name.rpartition("/")[2].removesuffix(".json") for name in run.made("EVIDENCE")}
    return names - {"echo", "echo.plain"}


@pytest.mark.parametrize(
    ("module", "old", "new", "kinds"),
    [
        ("core/process.py", "KEPT_BYTES = 16", "KEPT_BYTES = 17", {"counters", "tests", "programs"}),
        ("evidence/tools/cachegrind.py", "LIMIT = 600.0", "LIMIT = 601.0", {"counters"}),
        ("evidence/source/path_counts.py", '("if", "ifdef"', '("ifdef", "if"', {"code"}),
        ("evidence/binary/machine.py", "_LOCK_PREFIX = 0xF0", "_LOCK_PREFIX = 0xF1", {"asm", "guards"}),
        ("report/junit.py", "FORBIDDEN = ", "UNWANTED = FORBIDDEN = ", set()),
        ("measure/stats.py", "CONFIDENCE = 0.95", "CONFIDENCE = 0.96", set()),
    ],
    ids=lambda value: value if isinstance(value, str) and value.endswith(".py") else "",
)
def test_a_changed_constant_makes_that_evidence_anew_which_it_has_a_part_in(
    checked: Project, module: str, old: str, new: str, kinds: set[str]
) -> None:
    checked.edit(f"{LIBRARY}/{module}", old, new)
    found = made_anew(checked)
    assert kinds <= found
    assert found - kinds <= LEFT_OUT | ({"budget"} if "asm" in kinds else set())


def test_evidence_that_is_up_to_date_is_not_taken_again(checked: Project) -> None:
    assert made_anew(checked) == set()


# evidence that this cell does not have: its file gives the reason
LEFT_OUT = {"budget", "layers", "runs"}


def test_evidence_of_an_earlier_build_of_the_library_is_not_reported(checked: Project) -> None:
    def reported() -> dict[str, tuple[str, str | None]]:
        checked.build("variant=small", "report")
        (cell,) = json.loads(checked.read("build/report/results.json"))["cells"]
        return {kind: (cell[kind]["status"], cell[kind]["reason"]) for kind in ("asm", "tests")}

    measured = {"asm": ("measured", None), "tests": ("measured", None)}
    assert reported() == measured
    checked.append("src/pool.c", "\nint another_function(void) { return 1; }\n")
    checked.build("variant=small", "libs")
    for status, reason in reported().values():
        assert status == "not measured"
        assert reason
        assert reason.startswith("it is of an earlier build of the library; ")
        assert reason.endswith(" checks takes it again")
    checked.build("variant=small", "checks")
    assert reported() == measured
