"""The job `bench`: time the selected cells again, even if their timings are current; the phase table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from layermatrix.build.targets import EXECUTOR, STORE, TIMING
from layermatrix.jobs import measuring
from layermatrix.jobs.base import Job, Plan, Work
from layermatrix.model.cells import ONLY_SHIPPED

if TYPE_CHECKING:
    from layermatrix.build.request import Selection


def prepare(plan: Plan) -> Work:
    chosen = _timed(plan.select(JOB))
    return measuring.work(plan, chosen, ("libs", "benches"), "phase_table", again=True)


def _timed(chosen: Selection) -> Selection:
    """The cells that are timed: there is no reason to build others, which a preset may select. If there are
    none, the report says so for each."""
    cells = tuple(cell for cell in chosen.cells if cell.is_counted)
    others = [(cell.id, ONLY_SHIPPED.format("timed")) for cell in chosen.cells if not cell.is_counted]
    return replace(chosen, cells=cells, left_out=(*chosen.left_out, *others)) if cells else chosen


JOB = Job(
    name="bench",
    doc="time the selected cells again; print the phase table, write the report",
    variables=(*TIMING, EXECUTOR, STORE),
    prepare=prepare,
)
