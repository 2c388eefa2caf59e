"""The answer `export`: the results in the store as CSV, JSON or Parquet; or the cells, for a CI system.

Without format=, it prints the selected cells as JSON, in the form that CI systems take for a matrix of jobs:
one entry for each cell, or with `shards=5`, one for each shard.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layermatrix.build import costs, paths
from layermatrix.build.request import RequestError
from layermatrix.build.targets import FIGURE, LOAD, STORE, Variable, every_cell
from layermatrix.jobs.base import Answer, Plan
from layermatrix.model import sampling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from layermatrix.build.request import Selection
    from layermatrix.model.cells import Cell
    from layermatrix.store.database import Row

PARQUET = "parquet"
SHARDS = Variable(
    name="shards", doc="one entry for each of so many shards, instead of one for each cell", values="a count",
    number=range(1, 1001),
)  # fmt: skip
FORMAT = Variable(
    name="format", doc="export the recorded results instead of the cells", values=("csv", "json", PARQUET)
)
SINCE = Variable(
    name="since", doc="only results of runs that started then or later, UTC",
    values="a date, such as 2026-01-31 or 2026-01-31T12:00:00Z",
)  # fmt: skip
TO = Variable(
    name="to", doc="write the results to this file", values="a path",
    default="the terminal; Parquet: build/report/results.parquet",
)  # fmt: skip
OF_RESULTS = (LOAD, FIGURE, SINCE, TO, STORE)
DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\dZ?)?)?")


def text(plan: Plan, chosen: Selection) -> str:
    given = plan.request.given
    if FORMAT.name in given:
        if SHARDS.name in given:
            raise RequestError("shards= is about cells: leave format= out")
        return _results(plan)
    for variable in OF_RESULTS:
        if variable.name in given:
            raise RequestError(f"{variable.name}= is about results: export needs format=csv, json or parquet")
    return _cells(plan, chosen)


# --- results


def _results(plan: Plan) -> str:
    """The results in a format; or, where they go to a file, a line with its path."""
    from layermatrix.core import records
    from layermatrix.store import export

    name, to = plan.request.text(FORMAT), plan.request.given.get(TO.name)
    rows = _rows(plan)
    if name == PARQUET:
        path = plan.root / (to or paths.REPORT / "results.parquet")
        try:
            export.write_parquet(rows, path)
        except export.ExportError as error:
            raise RequestError(str(error)) from None
        return _written(path, len(rows))
    content = export.TEXTS[name](rows)
    if not to:
        return content.removesuffix("\n")
    records.write_text(plan.root / to, content)
    return _written(plan.root / to, len(rows))


def _rows(plan: Plan) -> list[Row]:
    """The selected rows. Raises RequestError if the store cannot be read."""
    from layermatrix.jobs import recording
    from layermatrix.store import database, query

    since = plan.request.text(SINCE)
    if since and not DATE.fullmatch(since):
        raise RequestError(f"since={since}: expected {SINCE.values}")
    wanted = query.Filter(
        load=plan.request.text(LOAD),
        variant=plan.request.axes.get("variant", ""),
        figure=plan.request.text(FIGURE),
        since=since,
    )
    try:
        with database.readable(recording.location(plan)) as store:
            return query.rows(store, wanted)
    except database.StoreError as error:
        raise RequestError(str(error)) from None


def _written(path: Path, count: int) -> str:
    return f"{path}: {count:,} results"


# --- cells


def _cells(plan: Plan, chosen: Selection) -> str:
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
    doc="print the recorded results (format=), or the selected cells as JSON for the matrix of a CI system",
    variables=(SHARDS, FORMAT, *OF_RESULTS),
    axes=every_cell,
    text=text,
)
