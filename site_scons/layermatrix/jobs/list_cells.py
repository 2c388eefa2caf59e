"""The answer `list`: the variants, and the cells that are selected or left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layermatrix.jobs.base import Answer, Plan

if TYPE_CHECKING:
    from layermatrix.build.request import Selection


def text(plan: Plan, chosen: Selection) -> str:
    from layermatrix.report import explain

    return explain.list_variants(plan.project, chosen.cells, chosen.left_out)


JOB = Answer(name="list", doc="the variants, and the cells that are selected or left out", text=text)
