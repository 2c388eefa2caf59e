"""The job `test`: the C suite and the real programs in every variant of the matrix, then the Python tests."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from layermatrix.build.targets import shipped
from layermatrix.jobs.base import Build, Job, Outcome, Plan, Work

if TYPE_CHECKING:
    from layermatrix.build.request import Selection
    from layermatrix.core.records import Record


def prepare(plan: Plan) -> Work:
    build = Build(plan.select(JOB), ("checks",))
    return Work((build,), "run the Python tests and count what passed", lambda: _run(plan, build))


def _run(plan: Plan, build: Build) -> int:
    outcome = Outcome()
    with outcome.step():
        outcome.failed(plan.build(build))
        if (plan.root / "tests").is_dir():
            outcome.failed(_pytest(plan))
    for line in _counts(plan, build.chosen):
        print(line)
    failed = "interrupted" if outcome.interrupted else "FAILED"
    print(f"tests: {failed if outcome.status else 'passed'}")
    return outcome.status


def _pytest(plan: Plan) -> int:
    """The Python tests; where pytest can, in as many processes as there are cores, each file in one."""
    spread = ["-n", "auto", "--dist", "loadfile"] if importlib.util.find_spec("xdist") else []
    command = [sys.executable, "-m", "pytest", "-q", *spread, "tests"]
    return subprocess.run(command, cwd=plan.root).returncode


def _counts(plan: Plan, chosen: Selection) -> Iterator[str]:
    """A line a cell: how many of its tests and programs passed, and the first that did not."""
    from layermatrix.analysis import results

    record = results.collect(chosen.cells, plan.root, plan.project.matrix.baseline)
    for cell in record["cells"]:
        parts = [_passed(kind, cell[kind]) for kind in ("tests", "programs")]
        yield f"{cell['id']:<28}{', '.join(parts)}" + (
            f"  FAILED: {cell['failed']}" if cell["failed"] else ""
        )


def _passed(kind: str, evidence: Record) -> str:
    programs = evidence.get("programs")
    if not programs:
        return f"{kind} not run: {evidence.get('reason')}"
    passed = sum(program["status"] == "passed" for program in programs)
    idle = sum(program["status"] == "not run" for program in programs)
    return f"{passed} of {len(programs)} {kind} passed" + (f" ({idle} not run)" if idle else "")


JOB = Job(
    name="test",
    doc="C suite and real programs in every variant of the matrix; then the Python tests",
    axes=shipped,
    prepare=prepare,
)
