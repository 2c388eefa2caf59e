"""`store.query` and `store.export`: the selected figures as CSV, JSON and Parquet hold the same."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from large_store import count, run, subject, timing

from layermatrix.core.errors import SelectionError
from layermatrix.store import database, export, query, recording
from layermatrix.store.database import Store
from layermatrix.store.entries import PEER, Measurement, Subject
from layermatrix.store.query import Filter


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with database.writable(tmp_path / "store.sqlite") as found:
        for number in (1, 30):
            figures = (
                count(27.125),
                timing(10.0),
                timing(5.0, load="larson"),
                count(328.0, "code_size", load=""),
            )
            other = Measurement(Subject("tcmalloc, 4", PEER), (timing(8.0),))
            recording.add(found, run(number), [Measurement(subject("small"), figures), other])
        yield found


def selected(store: Store, **wanted: str) -> set[tuple[object, ...]]:
    """(subject, load, figure) of the selected rows."""
    places = [list(query.COLUMNS).index(name) for name in ("subject", "load", "figure")]
    return {tuple(row[place] for place in places) for row in query.rows(store, Filter(**wanted))}


def test_csv_and_json_hold_every_figure(store: Store) -> None:
    rows = query.rows(store, Filter())
    read = list(csv.DictReader(io.StringIO(export.csv_text(rows))))
    objects = json.loads(export.json_text(rows))
    assert len(read) == len(objects) == 10
    assert {one["subject"] for one in objects} == {"small-release-gcc", "tcmalloc, 4"}
    for line, one in zip(read, objects, strict=True):
        assert list(line) == list(one) == list(query.COLUMNS)
        assert (line["subject"], float(line["median"])) == (one["subject"], one["median"])
        assert json.loads(line["samples"] or "null") == one["samples"]
        assert json.loads(line["conditions"]) == one["conditions"] == {}
    assert json.loads(export.json_text([])) == []


def test_parquet_holds_the_same_as_json(store: Store, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra parquet (pyarrow) is not installed")
    rows = query.rows(store, Filter())
    export.write_parquet(rows, tmp_path / "new/results.parquet")
    read = parquet.read_table(tmp_path / "new/results.parquet").to_pylist()
    as_json = json.loads(export.json_text(rows))
    assert [{**one, "axes": "", "conditions": ""} for one in read] == [
        {**one, "axes": "", "conditions": ""} for one in as_json
    ]
    export.write_parquet([], tmp_path / "none.parquet")
    assert parquet.read_table(tmp_path / "none.parquet").num_rows == 0


def test_without_pyarrow_parquet_is_an_error_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(export.ExportError, match=r"pip install 'layermatrix\[parquet\]'"):
        export.write_parquet([], tmp_path / "any.parquet")


def test_filters_select_by_name_and_pattern(store: Store) -> None:
    assert selected(store, load="lar*") == {("small-release-gcc", "larson", "speed")}
    assert selected(store, variant="tcmalloc*") == {("tcmalloc, 4", "churn", "speed")}
    assert selected(store, figure="code_size,instructions", variant="small") == {
        ("small-release-gcc", "", "code_size"),
        ("small-release-gcc", "churn", "instructions"),
    }
    assert len(query.rows(store, Filter(since="2026-01-02"))) == 5
    assert len(query.rows(store, Filter(since="2027-01-01"))) == 0


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Filter(load="larsen"), "nothing recorded has the load 'larsen'; did you mean 'larson'?"),
        (Filter(figure="sped"), "nothing recorded has the figure 'sped'; did you mean 'speed'?"),
        (Filter(variant="smal"), "nothing recorded has the variant 'smal'; did you mean 'small'?"),
        (Filter(load="no*"), "nothing recorded has the load 'no*'; known: churn, larson"),
    ],
)
def test_a_misspelled_filter_is_an_error_with_a_suggestion(
    store: Store, wanted: Filter, message: str
) -> None:
    with pytest.raises(SelectionError) as error:
        query.rows(store, wanted)
    assert message in str(error.value)
