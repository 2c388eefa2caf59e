"""The job `matrix`: build, check and time every cell; print one line per cell."""

from __future__ import annotations

from layermatrix.build.targets import ROUNDS, every_cell
from layermatrix.jobs import measuring
from layermatrix.jobs.base import Job, Plan, Work


def prepare(plan: Plan) -> Work:
    return measuring.work(plan, plan.select(JOB), ("checks", "benches"), "matrix_table")


JOB = Job(
    name="matrix",
    doc="build, check and time every cell of the matrix; print one line each, write the report",
    variables=(ROUNDS,),
    axes=every_cell,
    prepare=prepare,
)
