"""cells/<cell>.html: all that is known of one cell, whatever its evidence holds."""

from __future__ import annotations

import pytest
import report_samples as samples
from test_html import Page

from layermatrix.analysis.results import KINDS
from layermatrix.report import cellpage


def page(cell: samples.Record) -> Page:
    return Page(cellpage.render(samples.record([cell]), cell))


@pytest.fixture(scope="module")
def whole() -> Page:
    return page(samples.cell("old"))


def test_the_page_is_well_formed_and_loads_and_runs_nothing(whole: Page) -> None:
    assert whole.open == []
    assert not {"script", "link", "img", "iframe", "object"} & set(whole.tags)
    ids = {value for name, value in whole.attributes if name == "id"}
    links = {value or "" for name, value in whole.attributes if name == "href"}
    assert {link[1:] for link in links if link.startswith("#")} <= ids
    assert {link for link in links if not link.startswith("#")} == {"../index.html"}


def test_spec_picture_and_every_kind_of_evidence_are_there(whole: Page) -> None:
    ids = {value for name, value in whole.attributes if name == "id"}
    assert {"spec", "path", *KINDS} <= ids
    assert whole.attributes.count(("class", "lm")) == 1
    for words in ("variants/old.yaml", "linked list, 64 blocks a class", "SYS_RING=1 switches it on"):
        assert words in whole.text


def test_figures_of_each_kind_are_on_the_page(whole: Page) -> None:
    cell = samples.cell("old")
    assert cell["asm"]["entries"]["alloc"]["instructions"] == 800
    for words in (
        "800",
        "[sys:1] words",
        "valgrind-3.19.0 cachegrind",
        "test_threads",
        "sqlite",
        "runtime checks",
    ):
        assert words in whole.text


def test_a_key_that_nobody_knew_of_is_shown() -> None:
    cell = samples.cell("old")
    cell["asm"]["entries"]["alloc"]["moon_phase"] = 12345
    cell["weather"] = {"kind": "weather", "status": "measured", "reason": None, "rain": {"here": {"mm": 77}}}
    text = page(cell).text
    assert "moon phase" in text
    assert "12,345" in text
    assert "Weather" in text
    assert "77" in text


def test_what_was_not_measured_says_why() -> None:
    kinds = {kind: samples.absent(kind, f"no {kind} here") for kind in ("asm", "guards", "counters", "bench")}
    text = page(samples.cell("old", **kinds)).text
    for kind in kinds:
        assert f"not measured: no {kind} here" in text


def test_a_cell_that_was_not_built_shows_its_command_and_its_log() -> None:
    failure = {"command": "gcc -c x.c", "log": "x.c:1:1: error: <no>", "target": "x.o"}
    absent = {kind: samples.absent(kind, "not built") for kind in KINDS}
    found = page(samples.cell("mid", built=False, failure=failure, **absent))
    for words in ("build failed: x.o", "gcc -c x.c", "x.c:1:1: error: <no>", "failed"):
        assert words in found.text
    assert "./sconsw variant=mid mode=release compiler=gcc checks" in found.text


def test_the_log_of_a_failed_test_is_escaped() -> None:
    bad = samples.program("test_x", "failed", "<i>why</i>", "<script>alert(1)</script>")
    cell = samples.cell("mid", tests=samples.ran("tests", bad))
    text = cellpage.render(samples.record([cell]), cell)
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
