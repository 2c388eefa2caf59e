"""The common part of `ab` and `ablate`: build the sides, time them in interleaved rounds, record it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from layermatrix.jobs import recording
from layermatrix.jobs.base import Build, Outcome, Plan, Work, shown_cells

if TYPE_CHECKING:
    from layermatrix.analysis.comparison import Comparison, Side
    from layermatrix.analysis.experiments import Trial
    from layermatrix.build.request import Selection
    from layermatrix.core.records import NotMeasured
    from layermatrix.evidence.bench import Bench
    from layermatrix.model.cells import Cell


def work(plan: Plan, chosen: Selection, trials: Sequence[Trial], rounds: int | None) -> Work:
    """The work on these trials. Without rounds, nothing is timed."""
    build = Build(chosen, ("libs", "benches", "figures"))
    timed = f"time each in {rounds} rounds" if rounds else "compare what is counted"
    questions = "; ".join(f"{trial.question.title} {shown_cells(trial.cells)}" for trial in trials)
    return Work((build,), f"{timed}: {questions}", lambda: _run(plan, build, trials, rounds))


def _run(plan: Plan, build: Build, trials: Sequence[Trial], rounds: int | None) -> int:
    """Build all sides, compare the trials one after another, and record and print the results."""
    from layermatrix.report import terminal

    outcome, made, begun = Outcome(), [], recording.begin(plan)
    with outcome.step():
        outcome.failed(plan.build(build))
        for trial in trials:
            made.append(_trial(plan, trial, rounds, outcome))
            if outcome.interrupted:
                break
    measured = recording.of_comparisons(begun, build.chosen.cells, made, current=outcome.status == 0)
    recording.save(begun, measured, rounds=rounds, interrupted=outcome.interrupted)
    terminal.comparisons(
        made, build.chosen.left_out, plan.project.catalogue.unit.work, terminal.make_console()
    )
    return outcome.end()


def _trial(plan: Plan, trial: Trial, rounds: int | None, outcome: Outcome) -> Comparison:
    """One comparison, timed if there are rounds. An interrupt keeps the finished rounds."""
    from layermatrix.analysis import comparison
    from layermatrix.core.records import NotMeasured
    from layermatrix.measure import timing

    timed: dict[str, Bench | NotMeasured] = {}
    if rounds:
        with outcome.step():
            timing.side_by_side(plan.root, plan.project, trial.cells, trial.question.loads, rounds, timed)
    idle = NotMeasured("it was not timed; rounds=7 times it" if not rounds else "interrupted")
    sides = [_side(plan, cell, timed.get(cell.id, idle)) for cell in trial.cells]
    found = comparison.build(trial.question, sides, plan.project.catalogue.unit.work)
    comparison.store(plan.root, found)
    return found


def _side(plan: Plan, cell: Cell, bench: Bench | NotMeasured) -> Side:
    """Everything that is known about a compared cell, with its timing in this run."""
    from layermatrix.analysis import comparison, results
    from layermatrix.evidence import asm, code, counters

    known = results.cell_result(plan.project, cell, plan.root)
    return comparison.Side(
        id=cell.id,
        variant=cell.variant.name,
        layers=known.layers,
        failure=known.failure,
        asm=known.of(asm.KIND),
        code=known.of(code.KIND),
        counters=known.of(counters.KIND),
        bench=bench,
        library=comparison.digest(plan.root / cell.library),
    )
