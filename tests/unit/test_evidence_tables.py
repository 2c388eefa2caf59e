"""The tables of `evidence`: their columns, and the rows of a figure over budget."""

from __future__ import annotations

import io
from dataclasses import replace

import report_samples as samples
from rich.console import Console

from layermatrix.analysis.results import CellResult
from layermatrix.core.records import NotMeasured
from layermatrix.report import evidence, terminal


def printed(*cells: CellResult) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=120, no_color=True, highlight=False)
    terminal.evidence_tables(samples.record(cells), console)
    return stream.getvalue()


def test_each_section_has_a_row_for_each_cell() -> None:
    results = samples.record([samples.cell("old"), samples.cell("mid")])
    titles = {table.title: table for table in evidence.sections(results)}
    assert len(titles["Hit path"].rows) == len(titles["The whole code"].rows) == 4  # two entries each
    assert len(titles["Checks"].rows) == 2
    assert titles["old-release-gcc: instructions by layer"].rows


def test_a_figure_stands_beside_its_limit_and_the_reported_count_beside_ours() -> None:
    text = printed(samples.cell("old"))
    assert "max 22" in text
    assert "max: the budget of the variant" in text
    assert " 2000 " in text
    assert "reported: reported, not measured here" in text


def test_a_layer_is_shown_with_its_instructions_and_its_place_in_the_catalogue() -> None:
    text = printed(samples.cell("old"))
    (line,) = [line for line in text.splitlines() if line.split()[:1] == ["list"]]
    assert line.split() == ["list", "2", "796", "2", "5", "variants/layers.yaml:40"]


def test_a_figure_over_budget_is_shown_with_its_layers_and_the_change() -> None:
    text = printed(samples.cell("old", budget=samples.budget(21)))
    shown = text.split("OVER BUDGET  old-release-gcc: ")[1]
    assert shown.startswith("alloc instructions is 22, and the limit is 21 (variants/old.yaml:7)")
    line = next(line for line in shown.splitlines() if line.split()[:1] == ["list"])
    assert line.split() == ["list", "18", "8", "+10", "templates/layers/list.h.j2", "variants/layers.yaml:40"]
    assert "older-release-gcc" in shown
    assert "1 cells: 0 passed, 1 failed" in text


def test_a_variant_within_budget_shows_no_table_of_it() -> None:
    assert "OVER BUDGET" not in printed(samples.cell("old"))


def test_a_cell_that_was_not_counted_gives_the_reason() -> None:
    absent = NotMeasured("the code contains a sanitizer's checks")
    nothing = NotMeasured("no budget is set for this cell")
    text = printed(samples.cell("old", asm=absent, budget=nothing))
    assert "old-release-gcc: code not counted: the code contains a sanitizer's checks" in text
    assert "not measured: no budget is set for this cell" in text


def test_what_has_no_hit_gives_the_reason() -> None:
    whole, none = samples.asm(800), NotMeasured("no way to a return")
    free = replace(whole.entries["free"], hit=none, layers=none)
    cell = samples.cell("old", asm=replace(whole, entries={**whole.entries, "free": free}))
    assert "not measured: no way to a return" in printed(cell)
