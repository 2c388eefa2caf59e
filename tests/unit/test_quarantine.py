"""Known failures: quarantined until a day, repeated if flaky, and reported when they pass again."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_specs import marked

from layermatrix.analysis import quarantine
from layermatrix.core.errors import SpecErrors
from layermatrix.evidence import tests, tolerance
from layermatrix.evidence.kind import Check, Status
from layermatrix.evidence.taking.tests import Limits
from layermatrix.model.cells import Cell, select
from layermatrix.model.project import Project
from layermatrix.spec.loader import load_project

Write = Callable[..., Path]
TEXT = """
doc: Known failures.
quarantine:
  - tests: [test_old, 'test_x*']
    cells: {mode: debug, compiler: {not: clang}}
    reason: the cause is not known yet
    owner: Ada
    expires: 2027-01-31
flaky:
  - {tests: test_net, cells: {variant: all}, reason: a busy machine, attempts: 3}
"""
LAST, AFTER = datetime.date(2027, 1, 31), datetime.date(2027, 2, 1)
SUCH = "such as 2027-03-31"
FAILED = Check("test_old", Status.FAILED, "exit status 1")


@pytest.fixture
def toy(project: Write) -> Project:
    return load_project(project(quarantine=TEXT))


def cell(toy: Project, mode: str = "debug", compiler: str = "gcc") -> Cell:
    (found,) = select(toy, {"mode": mode, "compiler": compiler}).cells
    return found


def test_a_quarantined_failure_does_not_count_until_its_last_day(toy: Project) -> None:
    found = tolerance.tolerated(FAILED, "test_old", cell(toy), toy.quarantine, LAST)
    assert found.status is Status.QUARANTINED
    assert found.reason == "quarantined until 2027-01-31, Ada: the cause is not known yet; exit status 1"
    found = tolerance.tolerated(FAILED, "test_old", cell(toy), toy.quarantine, AFTER)
    assert found.status is Status.FAILED
    assert found.reason == "exit status 1; its quarantine expired on 2027-01-31; Ada looks after it"


def test_other_tests_and_cells_count(toy: Project) -> None:
    for one, test in ((cell(toy, "release"), "test_old"), (cell(toy, "debug", "clang"), "test_old")):
        assert tolerance.tolerated(FAILED, test, one, toy.quarantine, LAST) == FAILED
    assert tolerance.tolerated(FAILED, "test_new", cell(toy), toy.quarantine, LAST) == FAILED


def test_the_evidence_is_taken_again_when_an_entry_expires(toy: Project) -> None:
    texts = {toy.quarantine.text(cell(toy), ["test_old", "test_a"], day) for day in (LAST, AFTER)}
    assert len(texts) == 2
    assert toy.quarantine.text(cell(toy), ["test_a"], LAST) == ""


def test_a_flaky_test_is_repeated_and_says_so() -> None:
    outcomes = [Status.FAILED, Status.FAILED, Status.PASSED, Status.PASSED]
    left = iter(outcomes)

    def run() -> Check:
        status = next(left)
        return Check("test_net", status, "timeout" if status is Status.FAILED else None)

    found = tolerance.repeated(run, 3)
    assert (found.status, found.reason) == (Status.PASSED, "flaky: passed in attempt 3 of 3; before: timeout")
    assert tolerance.repeated(run, 3).reason is None
    left = iter(outcomes)
    assert tolerance.repeated(run, 1).status is Status.FAILED


def test_only_tests_that_are_marked_flaky_are_repeated(toy: Project) -> None:
    assert toy.quarantine.attempts(cell(toy), "test_net") == 3
    assert toy.quarantine.attempts(cell(toy), "test_old") == 1


def test_a_test_and_all_tests_of_a_cell_have_limits() -> None:
    limits = Limits(each=10, own={"slow": 60}, whole=100)
    assert (limits.of("fast", 0), limits.of("slow", 0), limits.of("slow", 70)) == (10, 60, 30)
    assert limits.of("fast", 100) <= 0
    assert Limits(each=10, more=5).of("fast", 1e6) == 15


@pytest.mark.parametrize(
    ("status", "today", "words", "work"),
    [
        (Status.PASSED, LAST, "passes again in 1 of 1 cells: remove the entry", True),
        (Status.QUARANTINED, LAST, "still fails in 1 of 1 cells; Ada, until 2027-01-31", False),
        (Status.FAILED, AFTER, "expired on 2027-01-31; Ada has to fix it or to renew the entry", True),
        (None, LAST, "was not run in these cells", False),
    ],
)
def test_the_review_says_what_to_do(
    status: Status | None, today: datetime.date, words: str, work: bool, toy: Project, tmp_path: Path
) -> None:
    one = cell(toy)
    if status:
        record = tests.Tests((Check("test_old", status), Check("test_other", Status.PASSED)))
        tests.KIND.format.write(tmp_path / one.build_dir / tests.KIND.file, record)
    found = quarantine.review(toy, tmp_path, [one], today)
    assert (found.lines, found.needs_work) == ((f"quarantine: test_old, test_x*: {words}",), work)


def mistakes_in_entries(root: Path) -> list[str]:
    with pytest.raises(SpecErrors) as caught:  # the files that the catalogue names do not exist
        load_project(root, "src")
    return [str(one) for one in caught.value.errors if one.path == "variants/quarantine.yaml"]


def test_an_entry_is_about_a_test_that_exists(project: Write) -> None:
    """A misspelled name would quarantine nothing, and no message would say so."""
    root = project(quarantine=TEXT)
    assert mistakes_in_entries(root) == [], "there are no tests to compare with"
    (root / "tests").mkdir()
    for name in ("test_old", "test_nte"):
        (root / f"tests/{name}.c").touch()
    place = "variants/quarantine.yaml"
    assert mistakes_in_entries(root) == [
        f"{place}:3:23: error: unknown test 'test_x*'; did you mean 'test_old'?",
        f"{place}:9:13: error: unknown test 'test_net'; did you mean 'test_nte'?",
    ]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("expires: 2027-01", "expires: «2027-13", f"'expires' must be a date, not '2027-13-31'; {SUCH}"),
        ("mode: debug", "mode: «debgu", "unknown mode 'debgu'; did you mean 'debug'?"),
        ("    owner: Ada\n", "", "an item of 'quarantine' has no 'owner'"),
    ],
)  # fmt: skip
def test_a_mistake_has_its_place(old: str, new: str, what: str, project: Write) -> None:
    text = TEXT.replace(old, new)
    line, column = marked(text)[1:] if "«" in text else (3, 5)
    with pytest.raises(SpecErrors) as caught:
        load_project(project(quarantine=text.replace("«", "")))
    assert str(caught.value) == f"variants/quarantine.yaml:{line}:{column}: error: {what}"
