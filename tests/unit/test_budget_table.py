"""The table of budgets: each limited figure beside its limit, and one that was not measured."""

from __future__ import annotations

from dataclasses import replace

import report_samples as samples

from layermatrix.core.records import NotMeasured
from layermatrix.evidence.columns import FigureKind
from layermatrix.report import budgets


def test_a_figure_stands_beside_its_limit() -> None:
    results = samples.record([samples.cell("old", budget=samples.budget(44))])
    (row,) = budgets.table(results).rows
    assert [figure.text for figure in row] == [
        "old-release-gcc", "alloc", "instructions", "22", "44", "50", "variants/old.yaml:7",
    ]  # fmt: skip
    assert row[3].kind is FigureKind.GOOD
    assert budgets.sentence(results) == "1 of 1 figure is within budget."


def test_a_figure_over_its_limit_is_marked() -> None:
    results = samples.record([samples.cell("old", budget=samples.budget(20))])
    (row,) = budgets.table(results).rows
    assert (row[3].text, row[3].kind, row[5].text) == ("22", FigureKind.BAD, "110")
    assert budgets.sentence(results).startswith("0 of 1")


def test_a_figure_that_was_not_measured_is_not_within_its_limit() -> None:
    record = samples.budget(22)
    missing = replace(record.figures[0], value=NotMeasured("it was not decoded"))
    results = samples.record([samples.cell("old", budget=replace(record, figures=(missing,)))])
    table = budgets.table(results)
    assert table.reasons() == ["it was not decoded"]
    assert budgets.sentence(results).startswith("0 of 1")


def test_cells_without_budgets_have_the_reason() -> None:
    results = samples.record([samples.without("old", "budget", reason="debug builds have none")])
    assert budgets.table(results).rows == ()
    assert budgets.sentence(results) == "Not measured: 1 cell: debug builds have none."
