"""The job `phases`, the default: build, check and time the selected cells; the phase table."""

from __future__ import annotations

from layermatrix.build.targets import EXECUTOR, STORE, TIMING
from layermatrix.jobs import measuring
from layermatrix.jobs.base import Job, Plan, Work


def prepare(plan: Plan) -> Work:
    return measuring.work(plan, plan.select(JOB), ("checks", "benches"), "phase_table")


JOB = Job(
    name="phases",
    doc="build, check and time the default variants; print the phase table, write the report",
    variables=(*TIMING, EXECUTOR, STORE),
    prepare=prepare,
)
