"""The job `bench`: time the selected cells, whatever was timed before; the phase table."""

from __future__ import annotations

from layermatrix.build.targets import ROUNDS
from layermatrix.jobs import measuring
from layermatrix.jobs.base import Job, Plan, Work


def prepare(plan: Plan) -> Work:
    return measuring.work(plan, plan.select(JOB), ("libs", "benches"), "phase_table", anew=True)


JOB = Job(
    name="bench",
    doc="time the selected cells anew; the phase table and the report",
    variables=(ROUNDS,),
    prepare=prepare,
)
