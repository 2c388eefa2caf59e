"""Columns of a page for other libraries: recorded, and made again on request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from layermatrix.build.request import RequestError
from layermatrix.core import process
from layermatrix.jobs import docpages, page_libraries
from layermatrix.jobs.page_libraries import Column, Columns, Entry
from layermatrix.model.measuring import Page

PAGE = Page("table", "Who finds what.", "test_it", "found:", ("base",), {"theirs": "Theirs 1.0"})
ROWS = [docpages.Row("crash", "big", {"base": "-"})]
COLUMN = Column("ab" * 32, "2026-01-02", (Entry("crash", "big", "at once"),))


def test_a_recorded_column_stands_beside_the_variants() -> None:
    (row,) = page_libraries.add(PAGE, ROWS, Columns({"theirs": COLUMN}))
    assert row.words == {"base": "-", "theirs": "at once"}


@pytest.mark.parametrize("columns", [Columns(), Columns({"theirs": Column("", "", ())})])
def test_an_entry_that_was_not_recorded_is_shown_as_not_run(columns: Columns) -> None:
    (row,) = page_libraries.add(PAGE, ROWS, columns)
    assert row.words["theirs"] == "not run"


def test_a_row_that_the_test_has_no_more_is_not_shown() -> None:
    old = Column("", "", (*COLUMN.entries, Entry("gone", "big", "-")))
    assert len(page_libraries.add(PAGE, ROWS, Columns({"theirs": old}))) == 1


def test_the_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert page_libraries.recorded(PAGE, tmp_path) == Columns()
    page_libraries.FORMAT.write(tmp_path / page_libraries.file_of(PAGE), Columns({"theirs": COLUMN}))
    assert page_libraries.recorded(PAGE, tmp_path).columns == {"theirs": COLUMN}


def test_a_damaged_record_is_no_page(tmp_path: Path) -> None:
    file = tmp_path / page_libraries.file_of(PAGE)
    file.parent.mkdir()
    file.write_text(json.dumps({"kind": "another"}), encoding="utf-8")
    with pytest.raises(docpages.PageError, match=r"table\.libraries\.json cannot be used: kind is 'another'"):
        page_libraries.recorded(PAGE, tmp_path)


def test_the_same_results_of_the_same_file_keep_their_date() -> None:
    again = Column(COLUMN.sha256, "2027-01-01", COLUMN.entries)
    assert page_libraries.with_new(Columns({"theirs": COLUMN}), {"theirs": again}).columns["theirs"] == COLUMN
    other = Column("cd" * 32, "2027-01-01", COLUMN.entries)
    assert page_libraries.with_new(Columns({"theirs": COLUMN}), {"theirs": other}).columns["theirs"] == other


def test_a_library_is_preloaded_and_only_observed(tmp_path: Path) -> None:
    library = tmp_path / "libtheirs.so"
    library.write_bytes(b"theirs")
    seen: dict[str, str] = {}

    def run(*words: Any, **options: Any) -> process.Finished:
        seen.update(options["environment"])
        named = json.dumps({"library": seen["LD_PRELOAD"]}).encode()
        return process.Finished(tuple(words[0]), 0, b"found: crash | big | later\n" + named + b"\n", b"", 0.1)

    column = page_libraries.observe(library, tmp_path / "test_it", "found:", 10.0, run)
    assert column.words == {("crash", "big"): "later"}
    assert column.sha256.startswith("4c55a855")
    assert seen["OBSERVE_ONLY"] == "1"
    assert seen["LD_PRELOAD"].endswith("libtheirs.so")


def test_the_files_to_run_again_are_named_by_column(tmp_path: Path) -> None:
    (tmp_path / "a.so").touch()
    assert page_libraries.given({"table": PAGE}, "theirs:a.so", tmp_path) == {"theirs": tmp_path / "a.so"}
    assert page_libraries.given({"table": PAGE}, "", tmp_path) == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a.so", "peer=a.so: expected a name and a path"),
        ("their:a.so", "no page has a column for 'their'; did you mean 'theirs'"),
        ("theirs:b.so", "peer=theirs:b.so: there is no file"),
    ],
)
def test_a_wrong_request_says_what_is_expected(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "a.so").touch()
    with pytest.raises(RequestError, match=why):
        page_libraries.given({"table": PAGE}, text, tmp_path)
