"""The job `ablate`: compare each selected variant with itself without each of its layers."""

from __future__ import annotations

from dataclasses import replace

from layermatrix.build.targets import ROUNDS, STORE
from layermatrix.jobs import comparing
from layermatrix.jobs.base import Job, Plan, Work
from layermatrix.model.layers import ALL


def prepare(plan: Plan) -> Work:
    from layermatrix.analysis import experiments

    plan = replace(plan, request=replace(plan.request, without=plan.request.without or (ALL,)))
    chosen = plan.select(JOB)
    trials = experiments.ablations(plan.project, chosen)
    return comparing.work(plan, chosen, trials, plan.request.number(ROUNDS))


JOB = Job(
    name="ablate",
    doc="compare each selected variant with itself without each layer; timed with rounds=",
    variables=(ROUNDS, STORE),
    prepare=prepare,
)
