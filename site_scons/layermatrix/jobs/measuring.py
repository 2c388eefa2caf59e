"""The common part of `phases`, `bench` and `matrix`: build, time and report cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layermatrix.build import paths, targets
from layermatrix.jobs import collecting, recording
from layermatrix.jobs.base import Build, Outcome, Plan, Work

if TYPE_CHECKING:
    from layermatrix.build.request import Selection


def work(plan: Plan, chosen: Selection, built: tuple[str, ...], table: str, *, again: bool = False) -> Work:
    """The work on these cells. table: the function of `report.terminal` that prints the result. again: also
    time cells whose figures are up to date."""
    build = Build(chosen, built)
    loads, rounds = plan.project.matrix.timed, rounds_of(plan)
    then = f"time {len(loads)} loads in {rounds} rounds, and write {paths.REPORT}/"
    return Work((build,), then, lambda: _run(plan, build, table, again))


def rounds_of(plan: Plan) -> int:
    """The number of timed runs of each load."""
    return plan.request.number(targets.ROUNDS) or plan.project.matrix.timing.rounds


def _run(plan: Plan, build: Build, table: str, again: bool) -> int:
    """Build, time, report. After a failure or an interrupt, the report shows the finished results."""
    from layermatrix.measure import timing
    from layermatrix.report import terminal

    outcome, chosen, begun = Outcome(), build.chosen, recording.begin(plan)
    with outcome.step():
        outcome.failed(plan.build(build))
        timing.take(plan.root, plan.project, chosen.cells, rounds=rounds_of(plan), again=again)
    built = recording.COUNTED if "checks" in build.targets and outcome.status == 0 else ()
    measured = recording.of_cells(begun, chosen.cells, built=built)
    recording.save(begun, measured, rounds=rounds_of(plan), interrupted=outcome.interrupted)
    show = getattr(terminal, table)
    results = collecting.write_report(plan, chosen, show, interrupted=outcome.interrupted)
    outcome.failed(int(any(cell.failed for cell in results.cells)))
    return outcome.end()
