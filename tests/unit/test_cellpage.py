"""cells/<cell>.html: the page shows everything about one cell, including records of unknown kinds."""

from __future__ import annotations

from dataclasses import replace

import pytest
import report_samples as samples
from test_html import Page

from layermatrix.analysis.results import CellResult
from layermatrix.build.failure import Failure
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import registry
from layermatrix.evidence.kind import Status
from layermatrix.report import cellpage


def page(cell: CellResult) -> Page:
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
    assert {"spec", "path", "reference", *(kind.name for kind in registry.KINDS)} <= ids
    assert whole.attributes.count(("class", "lm")) == 1
    for words in ("variants/old.yaml", "linked list, 64 blocks a class", "SYS_RING=1 switches it on"):
        assert words in whole.text


def test_figures_of_each_kind_are_on_the_page(whole: Page) -> None:
    for words in (
        "800",
        "[sys:1] words",
        "valgrind-3.19.0 cachegrind",
        "test_threads",
        "sqlite",
        "runtime checks",
        "not measured: perf is not installed",
        "addresses not randomised, on one processor",
        "no reference for this load",
    ):
        assert words in whole.text


def test_the_checks_of_debug_code_stand_with_what_they_found_in_each_file_and_layer() -> None:
    failing = page(samples.cell("mid", guards=samples.failed_guards())).text
    assert "puts in work is forbidden in a release: <no output>" in failing
    text = cellpage.render(samples.record([samples.cell("old")]), samples.cell("old"))
    assert "taken elsewhere" in text
    assert "layer ring" in text


def test_what_was_not_measured_gives_the_reason() -> None:
    kinds = {kind: NotMeasured(f"no {kind} here") for kind in ("asm", "guards", "counters", "bench")}
    text = page(samples.cell("old", **kinds)).text
    for kind in kinds:
        assert f"not measured: no {kind} here" in text


def test_a_load_that_was_not_counted_gives_the_reason() -> None:
    counted = samples.counters(10, 0.0, 0.1)
    loads = {**counted.loads, "swap": NotMeasured("swap: exit status 1")}
    found = page(samples.cell("old", counters=replace(counted, loads=loads)))
    assert "not measured: swap: exit status 1" in found.text


def test_a_cell_that_was_not_built_shows_its_command_and_its_log() -> None:
    failure = Failure("gcc -c x.c", "x.c:1:1: error: <no>", "x.o")
    found = page(samples.unbuilt("mid", failure=failure))
    for words in ("x.o could not be built", "gcc -c x.c", "x.c:1:1: error: <no>", "failed"):
        assert words in found.text
    assert "./sconsw variant=mid mode=release compiler=gcc checks" in found.text


def test_the_log_of_a_failed_test_is_escaped() -> None:
    bad = samples.program("test_x", Status.FAILED, "<i>why</i>", "<script>alert(1)</script>")
    cell = samples.cell("mid", tests=samples.tests(bad))
    text = cellpage.render(samples.record([cell]), cell)
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
