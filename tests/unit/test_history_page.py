"""docs/history.md and the tables of `history`: printed from a record, and about changes that it has."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from layermatrix.report import history, terminal
from layermatrix.report.history import Missed, Page, PageError, Series
from layermatrix.store.changes import Change
from layermatrix.store.entries import DETERMINISTIC, TIMED
from layermatrix.store.history import Apart, Point

DOCS = Path(__file__).resolve().parents[2] / "docs"
CHANGE = Change(20.0, 18.0, "a" * 40)
POINTS = (
    Point("a" * 40, "2026-01-31T12:00:00Z", 20.0, 20.0, 20.0),
    Point("b" * 40, "2026-01-31T13:00:00Z", 18.0, 18.0, 18.0, CHANGE),
)
COUNTS = Series(
    "small-release-gcc", "churn", "instructions", "per op", "lower", DETERMINISTIC, "x86_64", POINTS
)


def test_the_page_of_this_repository_is_printed_from_its_record() -> None:
    page = history.FORMAT.read(DOCS / "history.results.json")
    assert isinstance(page, Page)
    assert page.commits >= 10
    written = (DOCS / "history.md").read_text(encoding="utf-8")
    assert history.render(page, DOCS) == written, "./sconsw history ... --accept writes docs/history.md"


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    page = Page("scons history", (COUNTS,), {"a" * 40: "first"}, (Missed("c" * 40, "2026", "broken"),))
    history.FORMAT.write(tmp_path / "page.json", page)
    assert history.FORMAT.read(tmp_path / "page.json") == page


def test_a_text_about_a_change_that_is_not_there_is_an_error() -> None:
    page = Page("scons history", (COUNTS,), {"b" * 40: "second"})
    assert page.change("churn", "instructions", "bbbb") == CHANGE
    assert page.title("bbbb") == "second"
    for load, figure, commit in (("churn", "instructions", "aaaa"), ("other", "instructions", "bbbb")):
        with pytest.raises(PageError, match=f"{figure} has no change at commit {commit} on {load}"):
            page.change(load, figure, commit)
    with pytest.raises(PageError, match="the page has no commit cccc"):
        page.title("cccc")


def test_a_change_states_its_size_and_whether_it_is_better() -> None:
    since = "since aaaaaaaaaa"
    assert history.change_text(CHANGE, "lower") == f"-10.0 % (better) {since}"
    assert history.change_text(CHANGE, "higher") == f"-10.0 % (worse) {since}"
    assert history.change_text(replace(CHANGE, before=-0.5, after=0.0), "lower") == f"+0.500 (worse) {since}"


def test_a_plot_has_a_character_for_each_point() -> None:
    assert COUNTS.plot == "█▁"
    assert replace(COUNTS, points=POINTS[:1]).plot == "▁"
    assert replace(COUNTS, points=()).plot == ""


def test_tables_show_points_commits_without_figures_and_what_is_apart() -> None:
    out = io.StringIO()
    timed = replace(
        COUNTS,
        figure="speed",
        kind=TIMED,
        points=(replace(POINTS[0], median=20.125, low=19.5, high=20.25),),
        apart=(Apart(3, "no commit is known"),),
    )
    missed = [Missed("c" * 40, "2026-01-31T12:30:00Z", "it does not build")]
    history.tables([COUNTS, timed], missed, terminal.make_console(out))
    text = out.getvalue()
    lines = [" ".join(line.split()) for line in text.splitlines()]
    first = lines.index("aaaaaaaaaa 2026-01-31 12:00:00 20")
    assert lines[first + 1] == "cccccccccc 2026-01-31 12:30:00 - not measured: it does not build"
    assert lines[first + 2] == "bbbbbbbbbb 2026-01-31 13:00:00 18 -10.0 % (better) since aaaaaaaaaa"
    assert "aaaaaaaaaa 2026-01-31 12:00:00 20.125 19.500-20.250" in lines
    assert "not shown: 3: no commit is known" in lines
