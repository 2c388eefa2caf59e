"""The job `ab`: time the sides of each experiment in interleaved rounds, and print a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layermatrix.build.targets import ROUNDS, STORE, Variable
from layermatrix.jobs import comparing, measuring
from layermatrix.jobs.base import Job, Plan, Work

if TYPE_CHECKING:
    from layermatrix.model.project import Project

EXPERIMENT = Variable(
    name="experiment",
    doc="the experiments to run",
    values="names in variants/experiments.yaml",
    default="all",
    choices=lambda project: project.experiments,
)


def why_missing(project: Project) -> str | None:
    return None if project.experiments else "this project has no variants/experiments.yaml"


def prepare(plan: Plan) -> Work:
    from layermatrix.analysis import experiments

    wanted = plan.request.text(EXPERIMENT)
    trials, chosen = experiments.of_request(plan.project, plan.request, plan.compilers, wanted)
    return comparing.work(plan, chosen, trials, measuring.rounds_of(plan))


JOB = Job(
    name="ab",
    doc="run the experiments of variants/experiments.yaml in interleaved rounds; print a verdict",
    variables=(EXPERIMENT, ROUNDS, STORE),
    why_missing=why_missing,
    prepare=prepare,
)
