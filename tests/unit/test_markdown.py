"""results.md: the tables as Markdown in which no text can break a row."""

from __future__ import annotations

import itertools
from dataclasses import replace

import report_samples as samples

from layermatrix.analysis.comparison import Experiments
from layermatrix.evidence.kind import Status
from layermatrix.report import markdown


def test_every_row_of_a_table_has_as_many_fields_as_its_head() -> None:
    lines = markdown.render(samples.phases()).splitlines()
    tables = [list(rows) for is_row, rows in itertools.groupby(lines, lambda line: line[:1] == "|") if is_row]
    assert len(tables) == 10
    for rows in tables:
        assert {row.count("|") for row in rows} == {rows[0].count("|")}


def test_conditional_paths_and_runtime_checks_stand_beside_the_reported_ones() -> None:
    text = markdown.render(samples.phases())
    assert "| **old-release-gcc** | 877 | 0 | *26* | 36 | *38* | 0 | 18 | 2 |" in text


def test_experiments_are_shown_with_their_verdict() -> None:
    text = markdown.render(samples.phases())
    assert (
        "- Verdict: new. new is faster than mid on mixed: 1.198x (1.196-1.200, 95 % of 6 rounds, p = 0.031)."
        in text
    )
    assert "no difference that this run can show" in text
    assert "- new: mixed: speed better (1.20x)" in text


def test_a_comparison_that_is_out_of_date_reports_it() -> None:
    made = samples.experiments().comparisons
    stale = Experiments({**made, "same": replace(made["same"], stale=("old",))})
    text = markdown.render(samples.phases(experiments=stale))
    assert text.count("Rebuilt since this was measured: old") == 1


def test_a_pipe_or_a_tag_in_a_name_does_not_break_the_table() -> None:
    text = markdown.render(samples.phases(baseline=replace(samples.baseline(), name="a|b <i>")))
    assert "**a\\|b \\<i\\>**" in text


def test_reported_figures_are_in_italics_and_explained() -> None:
    text = markdown.render(samples.phases())
    assert "*1000-1200*" in text
    assert "*Italic*: reported, not measured here." in text


def test_what_was_not_measured_has_a_numbered_reason() -> None:
    text = markdown.render(samples.record([samples.cell("old", counters=samples.NOT_INSTALLED)]))
    assert "not measured [1]" in text
    assert "[1] not measured: valgrind is not installed" in text


def test_failed_cells_stand_with_the_command_that_repeats_them() -> None:
    bad = samples.program("test_b", Status.FAILED, "exit status 1")
    text = markdown.render(samples.record([samples.cell("mid", tests=samples.tests(bad))]))
    assert "Repeat: `./sconsw variant=mid mode=release compiler=gcc checks`" in text


def test_a_matrix_has_a_line_for_each_cell() -> None:
    text = markdown.render(samples.record([samples.cell("old"), samples.cell("old", mode="debug")]))
    assert "| **old-debug-gcc** |" in text


def test_the_counts_of_every_load_have_a_table_with_branches() -> None:
    text = markdown.render(samples.phases())
    for load, verdict in (("mixed", "within limits"), ("swap", "new")):
        table = text.split(f"## The cost of one op: {load}")[1].split("##")[0]
        assert "| branches<br>per op |" in table
        assert f"| **old** | 60.0 | 4.25 | 0.125 | 0.010 | 0.900 | 0.001 | {verdict} |" in table


def test_where_nothing_was_counted_there_is_no_table_of_counts() -> None:
    record = samples.record([samples.cell("old", counters=samples.NOT_INSTALLED)])
    assert "The cost of one op" not in markdown.render(record)
