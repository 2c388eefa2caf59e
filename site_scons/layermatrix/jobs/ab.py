"""The job `ab`: compare two sides, or the sides of each experiment, and print a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layermatrix.build.request import RequestError
from layermatrix.build.targets import LOAD, STORE, TIMING, Variable
from layermatrix.jobs import comparing, duel, measuring
from layermatrix.jobs.base import Job, Plan, Work

if TYPE_CHECKING:
    from collections.abc import Iterable

    from layermatrix.model.project import Project

EXPERIMENT = Variable(
    name="experiment",
    doc="the experiments to run",
    values="names in variants/experiments.yaml",
    default="all",
    choices=lambda project: project.experiments,
)


def _sides(project: Project) -> Iterable[str]:
    peers = project.matrix.peers
    return (*project.variants, *(peers.libraries if peers else ()))


A, B = (
    Variable(
        name=name,
        doc=doc,
        values="a variant, a cell, a library, name:path, or one of the first two at a commit: phase1@HEAD~5",
        choices=_sides,
    )
    for name, doc in (
        ("a", "the side that the other one is compared with"),
        ("b", "the side that is compared with a="),
    )
)


def prepare(plan: Plan) -> Work:
    from layermatrix.analysis import experiments

    a, b, given = plan.request.text(A), plan.request.text(B), plan.request.given
    if A.name in given or B.name in given:
        if EXPERIMENT.name in given:
            raise RequestError("ab compares a= with b=, or runs experiments: leave experiment= out")
        if "variant" in plan.request.axes or plan.request.without:
            raise RequestError("ab takes its sides from a= and b=: leave variant= and without= out")
        return duel.work(plan, a, b, given.get(LOAD.name, ""), measuring.rounds_of(plan))
    if LOAD.name in given:
        raise RequestError("load= selects the loads of a= and b=; an experiment names its own loads")
    if not plan.project.experiments:
        hint = "a=<variant> b=<variant> compares two sides"
        raise RequestError(f"this project has no variants/experiments.yaml; {hint}")
    wanted = plan.request.text(EXPERIMENT)
    trials, chosen = experiments.of_request(plan.project, plan.request, plan.compilers, wanted)
    return comparing.work(plan, chosen, trials, measuring.rounds_of(plan))


JOB = Job(
    name="ab",
    doc="compare a= with b=, or the sides of each experiment: counted, timed in turn; print a verdict",
    variables=(EXPERIMENT, A, B, LOAD, *TIMING, STORE),
    prepare=prepare,
)
