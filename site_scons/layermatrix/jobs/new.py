"""The job `new`: write a commented starting point: a layer, a variant, a project, a workflow of CI."""

from __future__ import annotations

from pathlib import Path

from layermatrix.build.request import RequestError
from layermatrix.build.targets import Variable
from layermatrix.core import command
from layermatrix.jobs import starting_points
from layermatrix.jobs.base import Job, Plan, Work
from layermatrix.jobs.starting_points import StartError

LAYER = Variable(name="layer", doc="the name of a new layer", values="a C identifier")
LIKE = Variable(
    name="like", doc="the layer or variant that a new one starts from", values="a name",
    choices=lambda project: (*project.catalogue.layers, *project.variants),
)  # fmt: skip
PROJECT = Variable(name="project", doc="the folder of a new project", values="a folder")
CI = Variable(
    name="ci", doc="a workflow that runs the matrix in shards", values=tuple(starting_points.CI),
)  # fmt: skip
KINDS = ("layer", "variant", "project", "ci")


def prepare(plan: Plan) -> Work:
    given = {**plan.request.axes, **plan.request.given}
    wanted = [kind for kind in KINDS if kind in given]
    if len(wanted) != 1:
        raise RequestError("new needs one of layer=NAME, variant=NAME, project=FOLDER and ci=SERVICE")
    if others := [f"{axis}=" for axis in plan.request.axes if axis not in wanted]:
        raise RequestError(f"new does not take {', '.join(others)}")
    (kind,) = wanted
    if kind in ("project", "ci") and LIKE.name in given:
        raise RequestError(f"new {kind}= does not take like=: each starts the same")
    return Work((), f"write a new {kind}, {given[kind]}", lambda: _run(plan, kind, given[kind]))


def _run(plan: Plan, kind: str, name: str) -> int:
    like = plan.request.text(LIKE)
    try:
        if kind == "project":
            lines = new_project(plan.root / name)
        elif kind == "ci":
            texts = starting_points.of_ci(name)
            starting_points.write(plan.root, texts)
            lines = [*texts]
        elif kind == "variant":
            texts = starting_points.of_variant(plan.root, plan.project, name, like)
            starting_points.write(plan.root, texts)
            lines = [*texts, f"Next: {command.scons(f'variant={name}', 'checks')}"]
        else:
            paths = starting_points.write_layer(plan.root, plan.project, name, like)
            use = f"Next: a variant uses it with `add: [{{layer: {name}}}]`; "
            lines = [*paths, f"{use}{command.scons('new', 'variant=mine', 'like=...')} writes a variant"]
    except StartError as error:
        raise RequestError(str(error)) from None
    print("\n".join(lines))
    return 0


def new_project(folder: Path) -> list[str]:
    """Write a project; the lines to print."""
    name = starting_points.project_name(folder)
    texts = starting_points.of_project(name)
    starting_points.write(folder, texts)
    return [*(str(folder / path) for path in texts), f"Next: cd {folder} && scons"]


JOB = Job(
    name="new",
    doc="write a commented starting point: layer= or variant= with like=; project=; ci=",
    variables=(LAYER, LIKE, PROJECT, CI),
    prepare=prepare,
)
