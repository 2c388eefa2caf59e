"""The job `matrix`: build, check and time every cell; print one line per cell.

With --accept, it writes variants/costs.json: the seconds of each cell, by which shards are divided.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from layermatrix.build import costs
from layermatrix.build.targets import ROUNDS, every_cell
from layermatrix.evidence.columns import several
from layermatrix.jobs import measuring
from layermatrix.jobs.base import Job, Plan, Work

if TYPE_CHECKING:
    from layermatrix.build.request import Selection


def prepare(plan: Plan) -> Work:
    chosen = plan.select(JOB)
    work = measuring.work(plan, chosen, ("checks", "benches"), "matrix_table")
    return replace(work, run=lambda: _accepted(plan, chosen, work.run())) if plan.request.accept else work


def _accepted(plan: Plan, chosen: Selection, status: int) -> int:
    count = costs.accept(plan.root, chosen.cells)
    print(f"{costs.ACCEPTED}: the seconds of {several(count, 'cell')} are accepted")
    return status


JOB = Job(
    name="matrix",
    doc="build, check and time every cell of the matrix; print one line each, write the report",
    variables=(ROUNDS,),
    accept=f"the seconds of each cell, in {costs.ACCEPTED}",
    axes=every_cell,
    prepare=prepare,
)
