"""Build the sides of comparisons, time them in turn, keep and show the result: what `ab` and `ablate` do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from layermatrix.jobs.base import Build, Outcome, Plan, Work, shown_cells

if TYPE_CHECKING:
    from layermatrix.analysis.experiments import Trial
    from layermatrix.build.request import Selection
    from layermatrix.core.records import Record


def work(plan: Plan, chosen: Selection, trials: Sequence[Trial], rounds: int | None) -> Work:
    """The work on these trials; without rounds nothing is timed."""
    build = Build(chosen, ("libs", "benches", "figures"))
    timed = f"time each in {rounds} rounds" if rounds else "compare what is counted"
    questions = "; ".join(f"{trial.question.title} {shown_cells(trial.cells)}" for trial in trials)
    return Work((build,), f"{timed}: {questions}", lambda: _run(plan, build, trials, rounds))


def _run(plan: Plan, build: Build, trials: Sequence[Trial], rounds: int | None) -> int:
    """Build all sides, take the trials one after the other, keep and print what each shows."""
    from layermatrix.analysis import comparison
    from layermatrix.report import terminal

    outcome, made = Outcome(), []
    with outcome.step():
        outcome.failed(plan.build(build))
        for trial in trials:
            made.append(_trial(plan, trial, rounds, outcome))
            if outcome.interrupted:
                break
    terminal.comparisons(made, build.chosen.left_out, terminal.make_console(), comparison.FILE)
    return outcome.end()


def _trial(plan: Plan, trial: Trial, rounds: int | None, outcome: Outcome) -> Record:
    """One comparison, timed where there are rounds; an interrupt keeps the rounds that are done."""
    from layermatrix.analysis import comparison, results
    from layermatrix.core import records
    from layermatrix.measure import timing

    timed: dict[str, Record] = {}
    if rounds:
        with outcome.step():
            timing.side_by_side(plan.root, plan.project, trial.cells, trial.question.loads, rounds, timed)
    idle = records.not_measured("bench", "it was not timed: rounds=7 does" if not rounds else "interrupted")
    sides = results.collect(trial.cells, plan.root, plan.project.matrix.baseline)["cells"]
    sides = [{**side, "bench": timed.get(side["id"], idle)} for side in sides]
    libraries = {cell.id: plan.root / cell.library for cell in trial.cells}
    found = comparison.build(trial.question, sides, libraries)
    comparison.store(plan.root, found)
    return found
