"""Write rows of figures as CSV, JSON or Parquet.

CSV and JSON hold what `store.query` returns; JSON and Parquet hold the samples as a list, and JSON also the
axes and the conditions as objects.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from layermatrix.store.database import Row, Value
from layermatrix.store.query import COLUMNS

NESTED = ("conditions", "axes", "samples")  # columns that hold JSON
INTEGERS = ("commit_time", "dirty", "seed", "cores")
NUMBERS = ("median", "low", "high")


class ExportError(Exception):
    """The rows cannot be written; str() is one line."""


def csv_text(rows: Sequence[Row]) -> str:
    """A line with the names of the columns, then a line for each row; an empty field for no value."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return out.getvalue()


def json_text(rows: Sequence[Row]) -> str:
    """A list with an object for each row."""
    lines = ",\n".join(json.dumps(_object(row), ensure_ascii=False) for row in rows)
    return f"[\n{lines}\n]\n" if lines else "[]\n"


def _object(row: Row) -> dict[str, object]:
    return {name: _value(name, value) for name, value in zip(COLUMNS, row, strict=True)}


def _value(name: str, value: Value) -> object:
    nested: object = json.loads(value) if name in NESTED and isinstance(value, str) else value
    return nested


TEXTS: Mapping[str, Callable[[Sequence[Row]], str]] = {"csv": csv_text, "json": json_text}


def write_parquet(rows: Sequence[Row], path: Path) -> None:
    """Write a Parquet file. Raises ExportError if pyarrow is not installed."""
    if importlib.util.find_spec("pyarrow") is None:
        raise ExportError("format=parquet needs the package pyarrow: pip install 'layermatrix[parquet]'")
    import pyarrow
    import pyarrow.parquet

    types = {
        **dict.fromkeys(COLUMNS, pyarrow.string()),
        **dict.fromkeys(INTEGERS, pyarrow.int64()),
        **dict.fromkeys(NUMBERS, pyarrow.float64()),
        "samples": pyarrow.list_(pyarrow.float64()),
    }
    columns = list(zip(*rows, strict=True)) or [()] * len(COLUMNS)
    arrays = [
        pyarrow.array([_value(name, value) if name == "samples" else value for value in column], types[name])
        for name, column in zip(COLUMNS, columns, strict=True)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.table(arrays, names=list(COLUMNS)), path)
