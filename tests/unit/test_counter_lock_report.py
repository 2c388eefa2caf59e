"""The table of `counters`, its findings, and the sentence of the other tables."""

from __future__ import annotations

import io
from dataclasses import replace

import report_samples as samples
from rich.console import Console

from layermatrix.analysis.counter_lock import Verdict
from layermatrix.analysis.results import CellResult
from layermatrix.core.records import NotMeasured
from layermatrix.report import counter_lock, html, markdown, terminal


def printed(*cells: CellResult) -> str:
    out = io.StringIO()
    console = Console(file=out, width=120, no_color=True, highlight=False)
    counter_lock.print_table(cells, "op", console)
    counter_lock.print_findings(cells, console, "; accept it")
    return "\n".join(" ".join(line.split()) for line in out.getvalue().splitlines())


def test_accepted_now_and_difference_stand_below_each_other() -> None:
    text = printed(samples.cell("old", reference=samples.reference(63.5, Verdict.WORSE)))
    assert "old-release-gcc mixed accepted 60.000 0.500" in text
    assert "now 63.500 0.500" in text
    assert "difference +3.500 = = = = =" in text
    assert "swap now 60.000 0.010 0.900 0.001 4.250 0.125 new" in text


def test_a_figure_that_is_worse_names_cell_load_and_figure() -> None:
    text = printed(samples.cell("old", reference=samples.reference(63.0, Verdict.WORSE)))
    assert (
        "worse: old-release-gcc, mixed: instructions 60.000 -> 63.000 (+3.000, +5.0%, may change by 0.600)"
        in text
    )
    assert "new: old-release-gcc, swap: no reference for this load" in text
    assert "variants/counters.lock: 1 new, 1 worse; accept it" in text


def test_where_all_is_within_limits_only_the_sum_is_printed() -> None:
    both = samples.reference()
    kept = replace(both, loads={"mixed": both.loads["mixed"]})
    text = printed(samples.cell("old", reference=kept))
    assert text.splitlines()[-1] == "variants/counters.lock: 1 within limits"
    assert "mixed:" not in text


def test_a_cell_that_was_not_counted_gives_the_reason() -> None:
    text = printed(samples.cell("old", reference=NotMeasured("not built")))
    assert "not measured: old-release-gcc: not built" in text


def test_the_tables_of_the_phases_have_a_sentence_on_it() -> None:
    def table(*cells: CellResult) -> str:
        out = io.StringIO()
        terminal.phase_table(samples.record(cells), Console(file=out, width=200, no_color=True))
        return out.getvalue()

    worse = samples.cell("old", reference=samples.reference(63.0, Verdict.WORSE))
    words = "Counters against variants/counters.lock: "
    assert f"{words}worse: old-release-gcc; 1 new. ./sconsw counters shows details." in table(
        worse, samples.cell("mid")
    )
    assert f"{words}1 new.\n" in " ".join(table(samples.cell("mid")).split(" ")).replace(" \n", "\n")
    assert words not in table(samples.cell("mid", reference=NotMeasured("no lock")))


def test_markdown_and_html_show_the_verdict_of_each_load() -> None:
    record = samples.record([samples.cell("old", reference=samples.reference(63.0, Verdict.WORSE))])
    table = markdown.render(record).split("## The cost of one op", 1)[1]
    assert "| **worse** |" in table
    assert "| new |" in table
    page = html.render(record)
    assert '<td class="bad">worse</td>' in page
    assert '<td class="measured">new</td>' in page
