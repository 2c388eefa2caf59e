"""The answer `explain`: describe each selected variant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layermatrix.jobs.base import Answer, Plan

if TYPE_CHECKING:
    from layermatrix.build.request import Selection


def text(plan: Plan, chosen: Selection) -> str:
    from layermatrix.analysis import layercost
    from layermatrix.report import explain

    first = {cell.variant.name: cell for cell in reversed(chosen.cells)}  # the first cell of each variant
    return "\n".join(
        explain.explain(plan.describe(cell.variant), layercost.of_cell(cell, plan.root))
        for cell in reversed(first.values())
    )


JOB = Answer(name="explain", doc="describe each selected variant: its layers, keys and settings", text=text)
