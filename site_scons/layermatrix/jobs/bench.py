"""The job `bench`: time the selected cells again, even if their timings are current; the phase table."""

from __future__ import annotations

from layermatrix.build.targets import ROUNDS, STORE
from layermatrix.jobs import measuring
from layermatrix.jobs.base import Job, Plan, Work


def prepare(plan: Plan) -> Work:
    return measuring.work(plan, plan.select(JOB), ("libs", "benches"), "phase_table", again=True)


JOB = Job(
    name="bench",
    doc="time the selected cells again; print the phase table, write the report",
    variables=(ROUNDS, STORE),
    prepare=prepare,
)
