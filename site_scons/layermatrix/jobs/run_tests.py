"""The job `test`: the C suite and the real programs in every variant of the matrix, then the Python tests."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import targets
from layermatrix.build.request import NothingToDoError
from layermatrix.build.targets import Variable, shipped
from layermatrix.jobs.base import FAILED, Build, Job, Outcome, Plan, Work

if TYPE_CHECKING:
    from layermatrix.build.request import Selection
    from layermatrix.core.records import NotMeasured
    from layermatrix.evidence.programs import Programs
    from layermatrix.evidence.tests import Tests


PYTHON_FILES = ("test_*.py", "*_test.py")  # where pytest looks for tests
PYTHON = Variable(
    name="python", doc="which Python tests to run: `quick` leaves out those that are marked as slow",
    values=("quick", "all"), default="quick",
)  # fmt: skip


def prepare(plan: Plan) -> Work:
    chosen = shortened(plan, plan.select(JOB))
    if targets.TESTS.name not in plan.request.given:
        given = {**plan.request.given, targets.TESTS.name: "short"}
        plan = replace(plan, request=replace(plan.request, given=given))
    build = Build(chosen, ("checks",))
    return Work((build,), "run the Python tests and count the passed ones", lambda: _run(plan, build))


def shortened(plan: Plan, chosen: Selection) -> Selection:
    """If the command line names no values of axes and no cells: in debug mode, only the variants of
    `thorough`. So the shards together have the same cells as a run without shards."""
    request, suite = plan.request, plan.project.matrix.tests
    if request.axes or request.cell_patterns:
        return chosen
    cells = [cell for cell in chosen.cells if cell.mode != "debug" or suite.is_thorough(cell.variant.name)]
    if not cells:
        raise NothingToDoError("no cell is left: this part has only cells that `test` leaves out")
    return replace(chosen, cells=tuple(cells))


def _run(plan: Plan, build: Build) -> int:
    outcome = Outcome()
    with outcome.step():
        outcome.failed(plan.build(build))
        outcome.failed(python_tests(plan.root, quick=plan.request.text(PYTHON) == "quick"))
    for line in _counts(plan, build.chosen, outcome.interrupted):
        print(line)
    failed = "interrupted" if outcome.interrupted else "FAILED"
    print(f"tests: {failed if outcome.status else 'passed'}")
    return outcome.status


def python_tests(root: Path, *, quick: bool) -> int:
    """Run the project's Python tests, if it has any; the exit status. quick: without those that are marked as
    slow. pytest-xdist runs them in one process per core, with each file in one process."""
    if not any(path for name in PYTHON_FILES for path in (root / "tests").rglob(name)):
        return 0
    if importlib.util.find_spec("pytest") is None:
        print("tests/ has Python tests, and pytest is not installed: pip install pytest", file=sys.stderr)
        return FAILED
    spread = ["-n", "auto", "--dist", "loadfile"] if importlib.util.find_spec("xdist") else []
    chosen = ["-m", "not slow"] if quick else []
    command = [sys.executable, "-m", "pytest", "-q", *spread, *chosen, "tests"]
    return subprocess.run(command, cwd=root).returncode


def _counts(plan: Plan, chosen: Selection, interrupted: bool) -> Iterator[str]:
    """One line per cell: the number of passed tests and programs, and the first failed check."""
    from layermatrix.analysis import results
    from layermatrix.evidence import programs, tests

    for cell in chosen.cells:
        found = results.cell_result(plan.project, cell, plan.root, interrupted=interrupted)
        parts = [_passed("tests", found.of(tests.KIND)), _passed("programs", found.of(programs.KIND))]
        failed = f"  FAILED: {found.failed}" if found.failed else ""
        yield f"{cell.id:<28}{', '.join(parts)}{failed}"


def _passed(kind: str, record: Tests | Programs | NotMeasured) -> str:
    from layermatrix.core.records import NotMeasured
    from layermatrix.evidence.kind import Status

    if isinstance(record, NotMeasured):
        return f"{kind} not run: {record.reason}"
    statuses = [check.status for check in record.programs]
    idle = statuses.count(Status.NOT_RUN)
    passed = f"{statuses.count(Status.PASSED)} of {len(statuses)} {kind} passed"
    return passed + (f" ({idle} not run)" if idle else "")


JOB = Job(
    name="test",
    doc="run the C tests and real programs of every variant, then the quick Python tests",
    variables=(PYTHON,),
    axes=shipped,
    prepare=prepare,
)
