"""The tables on the terminal: units, footnotes, width, failures."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
import report_samples as samples
from rich.console import Console

from layermatrix.analysis.results import LeftOut, Results
from layermatrix.build.failure import Failure
from layermatrix.core.records import NotMeasured
from layermatrix.evidence.guards import Verdict
from layermatrix.evidence.kind import Status
from layermatrix.report import tables, terminal


def printed(record: Results, *, matrix: bool = False, width: int = 120) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, no_color=True, highlight=False)
    (terminal.matrix_table if matrix else terminal.phase_table)(record, console)
    return stream.getvalue()


def line_of(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.strip().startswith(start))


def test_the_phase_table_has_a_row_for_the_baseline_and_for_each_variant() -> None:
    text = printed(samples.phases())
    text = text[text.index("The code") :]
    assert " ".join(line_of(text, "old").split()) == "old 4 5 800 5 9 1,600 2000 3,200"
    assert " ".join(line_of(text.split("(continued)")[1], "old").split()) == "old 1/1 2 kept 2/2 1/1"
    assert line_of(text, "system").split()[:2] == ["system", "-"]


def test_every_column_names_its_unit() -> None:
    for made in (tables.code_table(samples.phases()), tables.run_table(samples.phases())):
        assert all(heading.unit for heading in made.headings[1:])


def test_reported_figures_are_marked_as_such() -> None:
    text = printed(samples.phases())
    assert "reported: reported, not measured here" in text
    tables = text.partition("Reported and measured")[0]
    heads = [line.split() for line in tables.splitlines() if "reported" in line.split()]
    assert sum(line.count("reported") for line in heads) == 3  # assembly, L1, speed


def test_speeds_stand_with_their_spread_and_ratio() -> None:
    text = printed(samples.phases())
    assert "24.0-26.0" in text
    assert "1.30x" in text
    assert "1.28-1.32" in text


@pytest.mark.parametrize("width", [120, 100, 72])
def test_no_figure_is_cut_off_at_any_width(width: int) -> None:
    text = printed(samples.phases(), width=width)
    assert max(map(len, text.split("Reported and measured")[0].splitlines())) <= width
    assert "…" not in text
    assert text.count("1,200") == 1


def test_a_table_that_is_too_wide_is_split_between_loads() -> None:
    pieces = terminal.fitted(tables.run_table(samples.phases()), 72)
    assert [piece.headings[0].head for piece in pieces] == ["variant"] * len(pieces)
    assert [heading.head for heading in pieces[-1].headings] == ["variant", "server", "ratio to", "peak"]


def test_what_was_not_measured_is_never_a_zero_and_gives_the_reason() -> None:
    record = samples.record([samples.cell("old", counters=samples.NOT_INSTALLED)])
    text = printed(record)
    assert re.search(r"old +n\.m\. \[1\] +n\.m\. \[1\] +n\.m\. \[1\]", text)
    assert "[1] not measured: valgrind is not installed" in text


def test_a_figure_below_zero_is_explained() -> None:
    record = samples.record([samples.cell("old", counters=samples.counters(10, -0.00001, -0.4))])
    text = printed(record)
    assert line_of(text.split("Counters and speed")[1], "old").split()[1:4] == ["10.0", "0.125", "-0.400"]
    assert tables.BELOW_ZERO in text
    assert "a figure below 0" not in printed(samples.phases())


def test_the_baseline_has_no_ratio_where_it_was_not_timed() -> None:
    record = samples.phases(baseline=samples.baseline(bench=NotMeasured("no program")))
    assert "1.00x" not in printed(record)


def test_the_phase_table_ends_with_the_story_and_the_reports() -> None:
    text = printed(samples.phases())
    assert "- Instructions of alloc: old 800 > mid 300 > new 22 = split 22." in text
    assert text.rstrip().endswith(
        f"Reports: {Path('build/report/index.html')}; "
        "results.json, results.md, junit.xml, story.md, cells/*.html"
    )


def test_the_matrix_table_has_a_line_a_cell_and_counts_them() -> None:
    text = printed(samples.record([samples.cell("old"), samples.cell("old", mode="debug")]), matrix=True)
    line = " ".join(line_of(text, "old-release-gcc").split())
    assert line == "old-release-gcc yes 5 800 kept 0.910 2/2 1/1 0.50x"
    assert "2 cells: 2 passed, 0 failed, 0 not tested." in text


def test_a_failed_cell_is_shown_with_the_end_of_its_log_and_the_command_to_repeat_it() -> None:
    log = "\n".join(f"line {number}" for number in range(40))
    cell = samples.unbuilt("mid", failure=Failure("gcc -c x.c", log, "x.o"))
    text = printed(samples.record([cell]), matrix=True)
    assert "mid-release-gcc: build: x.o could not be built" in text
    assert "line 39" in text
    assert "line 20" not in text
    assert "repeat: ./sconsw variant=mid mode=release compiler=gcc checks" in text


def test_debug_code_in_a_release_fails_its_cell_with_the_line_that_has_it() -> None:
    good, bad = samples.cell("mid"), samples.cell("new", guards=samples.failed_guards())
    text = printed(samples.record([good, bad]), matrix=True)
    assert " absent " in line_of(text, "mid-release-gcc")
    assert " failed " in line_of(text, "new-release-gcc")
    assert "guards: nothing left: csrc/a.c:7:1: error: puts in work is forbidden" in " ".join(text.split())


def test_a_cell_that_claims_nothing_of_its_debug_code_gives_the_reason() -> None:
    checks = samples.guards(0).checks
    silent = replace(samples.guards(0), verdict=Verdict.NOT_CLAIMED, checks=checks[1:])
    text = printed(samples.record([samples.cell("mid", guards=silent)]), matrix=True)
    assert "[1] not measured: taken elsewhere" in text


def test_a_log_cannot_send_control_characters_to_the_terminal() -> None:
    bad = samples.program("test_b", Status.FAILED, "exit status 1", "\x1b[2Jgone [bold]not markup[/bold]")
    text = printed(samples.record([samples.cell("mid", tests=samples.tests(bad))]))
    assert "\x1b" not in text
    assert "?[2Jgone [bold]not markup[/bold]" in text


def test_cells_that_were_left_out_are_shown_with_the_reason() -> None:
    left_out = tuple(LeftOut(f"{name}-release-clang", "clang is not installed") for name in samples.LINEAGE)
    text = printed(samples.phases(left_out=left_out), matrix=True)
    assert (
        "old-release-clang, mid-release-clang, new-release-clang and 1 more: clang is not installed" in text
    )


def test_a_cell_without_tests_is_not_counted_as_passed() -> None:
    record = samples.record([samples.cell("old", tests=NotMeasured("no emulator"))])
    assert "1 cells: 0 passed, 0 failed, 1 not tested." in printed(record, matrix=True)


def test_output_that_is_no_terminal_is_plain_and_120_wide() -> None:
    stream = io.StringIO()
    console = terminal.make_console(stream)
    console.print("word", style="bold red")
    assert console.width == 120
    assert stream.getvalue() == "word\n"


def test_an_empty_record_prints_without_fault() -> None:
    assert "0 cells" in printed(samples.record([]), matrix=True)
    assert "The code" in printed(samples.record([]))


def test_a_cell_whose_build_was_interrupted_is_not_called_failed() -> None:
    reason = NotMeasured("interrupted")
    cell = replace(samples.cell("old", tests=reason, bench=reason), interrupted=True)
    unbuilt = replace(samples.unbuilt("mid"), interrupted=True)
    text = printed(samples.record([cell, unbuilt]), matrix=True)
    assert "2 cells: 0 passed, 0 failed, 2 not tested." in text
    assert "Failed" not in text
