"""The job `counters`: compare the cost of an operation with variants/counters.lock; fail if it grew.

With --accept, the job writes the current cost to the lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from layermatrix.build import paths, request
from layermatrix.build.targets import STORE
from layermatrix.jobs import collecting, recording
from layermatrix.jobs.base import Build, Job, Outcome, Plan, Work
from layermatrix.model.cells import ONLY_SHIPPED

if TYPE_CHECKING:
    from layermatrix.analysis.counter_lock import Reference
    from layermatrix.analysis.results import CellResult


def prepare(plan: Plan) -> Work:
    from layermatrix.spec import lockspec

    if plan.request.without:
        raise request.RequestError("'counters' compares variants that have a file: leave without= out")
    lockspec.read(plan.root)  # report a mistake in the lock before anything is built
    chosen = plan.select(JOB)
    cells = tuple(cell for cell in chosen.cells if cell.is_counted)
    if not cells:
        raise request.RequestError(f"no cell is left: {ONLY_SHIPPED.format('counted')}")
    files = tuple(f"{cell.build_dir}/{paths.record('counters')}" for cell in cells)
    build = Build(replace(chosen, cells=cells), files)
    then = f"{'write' if plan.request.accept else 'compare the figures with'} {lockspec.FILE}"
    return Work((build,), then, lambda: _run(plan, build))


def _run(plan: Plan, build: Build) -> int:
    outcome, begun = Outcome(), recording.begin(plan)
    with outcome.step():
        outcome.failed(plan.build(build))
    if outcome.interrupted:  # do not compare or accept incomplete results
        return outcome.status
    built = ("counters",) if outcome.status == 0 else ()
    recording.save(begun, recording.of_cells(begun, build.chosen.cells, built=built))
    outcome.failed(_judge(plan, build.chosen))
    return outcome.status


def _judge(plan: Plan, chosen: request.Selection) -> int:
    """Print the comparison, and accept the figures if requested. Returns 1 if a figure is worse or
    missing."""
    from layermatrix.analysis import results
    from layermatrix.analysis.counter_lock import BAD, Verdict
    from layermatrix.core.records import NotMeasured
    from layermatrix.report import counter_lock, terminal

    against, console = collecting.reference(plan), terminal.make_console()
    cells = [results.cell_result(plan.project, cell, plan.root, against) for cell in chosen.cells]
    counter_lock.print_table(cells, plan.project.catalogue.unit.work, console)
    hint = "" if plan.request.accept else "; --accept writes the current cost"
    counter_lock.print_findings(cells, console, hint)
    if plan.request.accept:
        _accept(plan, chosen, against, cells)
    bad = (Verdict.MISSED,) if plan.request.accept else BAD
    compared = [cell.reference for cell in cells]
    return int(any(isinstance(one, NotMeasured) or one.verdict in bad for one in compared))


def _accept(plan: Plan, chosen: request.Selection, against: Reference, cells: Sequence[CellResult]) -> None:
    """Write the current costs of the cells to the lock, and print the changes."""
    from layermatrix.analysis import counter_lock
    from layermatrix.evidence import counters
    from layermatrix.spec import lockspec

    wanted = plan.project.matrix.counters
    shapes = {name: getattr(wanted, name) for name in ("I1", "D1", "LL")}
    known = counter_lock.Known(plan.project.variants, wanted.loads, counter_lock.caches(shapes))
    counted = [(cell, found.of(counters.KIND)) for cell, found in zip(chosen.cells, cells, strict=True)]
    lock = counter_lock.accepted(against, counted, known)
    print(counter_lock.write(plan.root, lock) or f"{lockspec.FILE} is unchanged\n", end="")


JOB = Job(
    name="counters",
    doc="compare an operation's cost with variants/counters.lock; fails if it grew",
    accept="the current cost of an operation, to variants/counters.lock",
    variables=(STORE,),
    prepare=prepare,
)
