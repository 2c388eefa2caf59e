"""The table of `counters`, its findings, and the sentence of the other tables."""

from __future__ import annotations

import io
from typing import Any

import report_samples as samples
from rich.console import Console

from layermatrix.report import html, markdown, reference, terminal

Record = dict[str, Any]


def printed(*cells: Record) -> str:
    out = io.StringIO()
    console = Console(file=out, width=120, no_color=True, highlight=False)
    reference.print_table(cells, console)
    reference.print_findings(cells, console, "; accept it")
    return "\n".join(" ".join(line.split()) for line in out.getvalue().splitlines())


def test_accepted_now_and_difference_stand_below_each_other() -> None:
    text = printed(samples.cell("old", reference=samples.reference(63.5, "worse")))
    assert "old-release-gcc mixed accepted 60.000 0.500" in text
    assert "now 63.500 0.500" in text
    assert "difference +3.500 = = = = =" in text
    assert "swap now 60.000 0.010 0.900 0.001 4.250 0.125 new" in text


def test_a_figure_that_is_worse_names_cell_load_and_figure() -> None:
    text = printed(samples.cell("old", reference=samples.reference(63.0, "worse")))
    assert (
        "worse: old-release-gcc, mixed: instructions 60.000 -> 63.000 (+3.000, +5.0%, may change by 0.600)"
        in text
    )
    assert "new: old-release-gcc, swap: no reference for this load" in text
    assert "variants/counters.lock: 1 new, 1 worse; accept it" in text


def test_where_all_is_kept_nothing_more_is_said() -> None:
    kept = samples.reference()
    del kept["loads"]["swap"]
    text = printed(samples.cell("old", reference=kept))
    assert text.splitlines()[-1] == "variants/counters.lock: 1 kept"
    assert "mixed:" not in text


def test_a_cell_that_was_not_counted_says_why() -> None:
    text = printed(samples.cell("old", reference=samples.absent("reference", "not built")))
    assert "not measured: old-release-gcc: not built" in text


def test_the_tables_of_the_phases_have_a_sentence_on_it() -> None:
    def table(*cells: Record) -> str:
        out = io.StringIO()
        terminal.phase_table(samples.record(cells), Console(file=out, width=200, no_color=True))
        return out.getvalue()

    worse = samples.cell("old", reference=samples.reference(63.0, "worse"))
    words = "Counters against variants/counters.lock: "
    assert f"{words}worse: old-release-gcc; 1 new. ./sconsw counters says more." in table(
        worse, samples.cell("mid")
    )
    assert f"{words}1 new.\n" in " ".join(table(samples.cell("mid")).split(" ")).replace(" \n", "\n")
    assert words not in table(samples.cell("mid", reference=samples.absent("reference")))


def test_markdown_and_html_show_the_verdict_of_each_load() -> None:
    record = samples.record([samples.cell("old", reference=samples.reference(63.0, "worse"))])
    table = markdown.render(record).split("## What an operation costs", 1)[1]
    assert "| **worse** |" in table
    assert "| new |" in table
    page = html.render(record)
    assert "Against variants/counters.lock: worse" in page
    assert "Against variants/counters.lock: new, no reference for this load" in page
    assert '<td class="bad">60.000</td>' in page
