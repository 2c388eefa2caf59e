"""The job `matrix`: build, check and time every cell; print one line per cell.

With --accept, it writes variants/costs.json: the seconds of each cell, by which shards are divided.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from layermatrix.build import costs
from layermatrix.build.targets import EXECUTOR, STORE, TIMING, Variable, every_cell
from layermatrix.evidence.columns import several
from layermatrix.jobs import measuring
from layermatrix.jobs.base import INTERRUPTED, Job, Plan, Work

if TYPE_CHECKING:
    from layermatrix.build.request import Selection

QUARANTINE = Variable(
    name="quarantine", doc="report the entries of variants/quarantine.yaml that pass again or have expired",
    values=("check",),
)  # fmt: skip


def prepare(plan: Plan) -> Work:
    chosen = plan.select(JOB)
    work = measuring.work(plan, chosen, ("checks", "benches"), "matrix_table")
    if plan.request.accept:
        costs.accepted(plan.root)  # report damage before anything is built
        work = replace(work, run=partial(accepted, plan, chosen, work.run))
    if QUARANTINE.name in plan.request.given:
        work = replace(work, run=partial(_reviewed, plan, chosen, work.run))
    return work


def _reviewed(plan: Plan, chosen: Selection, run: Callable[[], int]) -> int:
    """Run, and report which entries of the quarantine file are no longer needed or have expired."""
    from layermatrix.analysis import quarantine

    status = run()
    found = quarantine.review(plan.project, plan.root, chosen.cells)
    for line in found.lines:
        print(line)
    return status or int(found.needs_work)


def accepted(plan: Plan, chosen: Selection, run: Callable[[], int]) -> int:
    """Run, and write the seconds of the cells. Those of an interrupted run are too few."""
    status = run()
    if status == INTERRUPTED:
        print(f"{costs.ACCEPTED} is unchanged, because the run was interrupted")
        return status
    for cell in chosen.cells:
        if wrong := costs.damage(plan.root / cell.build_dir):
            print(f"not accepted: {wrong}", file=sys.stderr)
    count = costs.accept(plan.root, chosen.cells)
    print(f"{costs.ACCEPTED}: the seconds of {several(count, 'cell')} are accepted")
    return status


JOB = Job(
    name="matrix",
    doc="build, check and time every cell of the matrix; print one line each, write the report",
    variables=(*TIMING, QUARANTINE, EXECUTOR, STORE),
    accept=f"the seconds of each cell, in {costs.ACCEPTED}",
    axes=every_cell,
    prepare=prepare,
)
