"""The answer `export`: the selected cells as JSON, in the form that CI systems take for a matrix of jobs.

With `shards=5`, there is one entry for each shard, otherwise one for each cell.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from layermatrix.build import costs
from layermatrix.build.targets import Variable, every_cell
from layermatrix.jobs.base import Answer, Plan
from layermatrix.model import sampling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from layermatrix.build.request import Selection
    from layermatrix.model.cells import Cell

SHARDS = Variable(
    name="shards", doc="one entry for each of so many shards, instead of one for each cell", values="a count",
    number=range(1, 1001),
)  # fmt: skip


def text(plan: Plan, chosen: Selection) -> str:
    known, count = costs.accepted(plan.root), plan.request.number(SHARDS)
    axes = plan.project.matrix.axes.names
    if count is None:
        entries = [_of_cell(cell, axes, known) for cell in chosen.cells]
    else:
        parts = sampling.shards(chosen.cells, count, known)
        entries = [_of_shard(f"{index}/{count}", part, known) for index, part in enumerate(parts, 1) if part]
    return json.dumps({"include": entries}, indent=2)


def _of_cell(cell: Cell, axes: Sequence[str], known: Mapping[str, float]) -> dict[str, Any]:
    values = {axis: cell.value(axis) for axis in axes}
    return {"cell": cell.id, **values, "arguments": f"cells={cell.id}", "seconds": known.get(cell.id)}


def _of_shard(name: str, cells: Sequence[Cell], known: Mapping[str, float]) -> dict[str, Any]:
    ids = ",".join(cell.id for cell in cells)
    seconds = [known[cell.id] for cell in cells if cell.id in known]
    return {
        "shard": name,
        "arguments": f"cells={ids}",
        "count": len(cells),
        "seconds": round(sum(seconds), 1) if len(seconds) == len(cells) else None,
    }


JOB = Answer(
    name="export",
    doc="print the selected cells as JSON, for the matrix of a CI system",
    variables=(SHARDS,),
    axes=every_cell,
    text=text,
)
