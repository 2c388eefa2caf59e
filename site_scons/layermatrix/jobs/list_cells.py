"""The answer `list`: the variants, the cells that are selected or left out, and the compilers of those."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from layermatrix.build import toolchain
from layermatrix.build.request import select
from layermatrix.build.targets import Variable
from layermatrix.evidence.columns import several
from layermatrix.jobs.base import Answer, Plan
from layermatrix.model.layers import ALL

if TYPE_CHECKING:
    from layermatrix.build.request import Selection


WHY = Variable(
    name="why", doc="list each cell that is left out, with its reason: `all` for the whole matrix",
    values=("selected", ALL), default="a summary of the selected ones",
)  # fmt: skip


def text(plan: Plan, chosen: Selection) -> str:
    from layermatrix.report import explain

    why = plan.request.given.get(WHY.name)
    if why is not None:
        return "\n".join(_reasons(plan, chosen, why))
    listed = explain.list_variants(plan.project, chosen.cells, chosen.left_out)
    return "\n".join([listed.rstrip("\n"), "", *_compilers(plan, chosen)])


def _reasons(plan: Plan, chosen: Selection, why: str) -> list[str]:
    """A line for each cell that is left out."""
    if why == ALL:
        every = dict.fromkeys(plan.project.matrix.axes.names, ALL)
        chosen = select(plan.project, replace(plan.request, axes=every), plan.compilers)
    width = max((len(name) for name, _ in chosen.left_out), default=0)
    lines = [f"{name:<{width}}  {reason}" for name, reason in chosen.left_out]
    built, idle = several(len(chosen.cells), "cell"), len(lines)
    return [*lines, f"{built} can be built, {idle} left out."]


def _compilers(plan: Plan, chosen: Selection) -> list[str]:
    """The command and identity of each compiler of these cells, with the user's flags."""
    lines = []
    for cell in {cell.compiler: cell for cell in chosen.cells}.values():
        found = toolchain.of_cell(cell.compiler, plan.compilers)
        lines.append(f"{found.name} is {shlex.join(found.command)}: {found.identity}")
    return lines


JOB = Answer(
    name="list",
    doc="list the variants, and the selected and omitted cells",
    variables=(WHY,),
    text=text,
)
