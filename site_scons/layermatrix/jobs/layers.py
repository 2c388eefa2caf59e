"""The job `layers`: count what each layer of the selected variants does in each load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from layermatrix.build import paths, request
from layermatrix.jobs.base import Build, Job, Outcome, Plan, Work

if TYPE_CHECKING:
    from layermatrix.model.cells import Cell
    from layermatrix.model.project import Project


def why_missing(project: Project) -> str | None:
    if project.catalogue.system.stats:
        return None
    return "this project has no mode in which layers count: its 'system' has no 'stats'"


def axes(project: Project) -> Mapping[str, str]:
    stats = project.catalogue.system.stats
    return {"mode": stats.mode} if stats else {}


def prepare(plan: Plan) -> Work:
    mode = axes(plan.project)["mode"]
    wanted = plan.request.axes.get("mode", mode)
    if wanted != mode:
        raise request.RequestError(f"layers are counted in mode={mode}, not in mode={wanted}")
    chosen = plan.select(JOB)
    # a variant without one of its layers is a column of its parent's table
    own = [cell for cell in chosen.cells if cell.variant.name in plan.project.variants]
    counted = [f"{cell.build_dir}/{paths.record('layers')}" for cell in chosen.cells]
    code = [f"{cell.shipped.build_dir}/{paths.record('asm')}" for cell in own]
    both = replace(chosen, cells=(*chosen.cells, *(cell.shipped for cell in own)))
    build = Build(both, (*counted, *code))
    return Work((build,), "show what each layer does", lambda: _run(plan, build, own))


def _run(plan: Plan, build: Build, own: Sequence[Cell]) -> int:
    from layermatrix.analysis import layercost
    from layermatrix.report import explain

    outcome = Outcome()
    with outcome.step():
        outcome.failed(plan.build(build))
    for cell in own:
        print(explain.layer_figures(plan.describe(cell.variant), layercost.of_cell(cell, plan.root)))
    return outcome.status


JOB = Job(
    name="layers",
    doc="count each layer's hits, misses and cost in each load (in the mode whose layers count)",
    axes=axes,
    why_missing=why_missing,
    prepare=prepare,
)
