"""The answer `list`: the variants, the cells that are selected or left out, and the compilers of those."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from layermatrix.build import toolchain
from layermatrix.jobs.base import Answer, Plan

if TYPE_CHECKING:
    from layermatrix.build.request import Selection


def text(plan: Plan, chosen: Selection) -> str:
    from layermatrix.report import explain

    listed = explain.list_variants(plan.project, chosen.cells, chosen.left_out)
    return "\n".join([listed.rstrip("\n"), "", *_compilers(plan, chosen)])


def _compilers(plan: Plan, chosen: Selection) -> list[str]:
    """The command and identity of each compiler of these cells, with the user's flags."""
    lines = []
    for cell in {cell.compiler: cell for cell in chosen.cells}.values():
        found = toolchain.of_cell(cell.compiler, plan.compilers)
        lines.append(f"{found.name} is {shlex.join(found.command)}: {found.identity}")
    return lines


JOB = Answer(name="list", doc="list the variants, and the selected and omitted cells", text=text)
