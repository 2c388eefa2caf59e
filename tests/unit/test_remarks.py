"""Remarks after a timing and in its tables: its seed, an early end, a busy machine, noise, too few rounds."""

from __future__ import annotations

from dataclasses import replace

import pytest
import report_samples as samples

from layermatrix.core.errors import RefusedError
from layermatrix.core.records import NotMeasured
from layermatrix.evidence.bench import Bench, Ratio, Verdict
from layermatrix.evidence.columns import FigureKind
from layermatrix.evidence.conditions import UNREADABLE, Conditions, Machine
from layermatrix.jobs.base import FAILED, Outcome
from layermatrix.measure import remarks
from layermatrix.report import html, markdown, tables

QUIET = Conditions(Machine("Made-up CPU", 2, "6.1"), 0.5, 3.1, 0.02, 0.0, UNREADABLE, UNREADABLE, 60.0)
BUSY = replace(QUIET, others=1.44)
MARK = "busy: load 3.1 on 2 CPUs, other processes used 1.4 of 2 CPUs"
CLEAR = Ratio(1.2, 1.19, 1.21, Verdict.FASTER, "95 %", 0.01, 10)
NOISY = Ratio(1.0, 0.97, 1.03, Verdict.SAME, "95 %", 0.9, 10, needed=90)
SHORT = Ratio(1.2, 1.1, 1.3, Verdict.OPEN, "min..max", None, 3, needed=40)


def record(ratio: Ratio, **changes: object) -> Bench:
    made = Bench({"mixed": samples.timing((1.0, 2.0), ratio)}, 10, seed=7, conditions=QUIET)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_quiet_run_with_clear_results_says_only_how_to_repeat_its_order() -> None:
    assert remarks.lines({"one": record(CLEAR)}) == ["random order of each round: seed=7 repeats it"]
    assert remarks.lines({"one": NotMeasured("it crashed")}) == []


def test_an_early_end_a_busy_machine_noise_and_few_rounds_are_said() -> None:
    last = record(SHORT, stopped="every load was exact to 1% after 9 of 30 rounds", conditions=BUSY)
    noisy = "too noisy to see a difference of 1.0% in 1 of 3 comparisons"
    assert remarks.lines({"one": record(NOISY), "two": record(CLEAR), "three": last}) == [
        "random order of each round: seed=7 repeats it",
        "ended early: every load was exact to 1% after 9 of 30 rounds",
        f"{MARK}; strict=1 refuses such a run",
        "no verdict in 1 of 3 comparisons: three mixed (\u00b18.7%); about 40 rounds would tell",
        f"{noisy}: one mixed (\u00b13.0%); about 90 rounds would tell",
    ]


def test_a_long_list_of_noisy_comparisons_names_the_worst() -> None:
    few = {f"side {number}": replace(NOISY, needed=20 + number) for number in range(5)}
    (line,) = remarks.of_ratios(few)
    assert "in 5 of 5 comparisons: side 4 (" in line
    assert line.endswith("and 2 more; about 24 rounds would tell")


def test_every_table_marks_the_timings_of_a_busy_machine() -> None:
    cell = samples.cell("new")
    busy = replace(cell, evidence={**cell.evidence, "bench": replace(samples.bench(1.3), conditions=BUSY)})
    results = samples.record([busy])
    table = tables.run_table(results)
    column = [heading.head for heading in table.headings].index("machine")
    figure = table.rows[-1][column]
    assert (figure.text, figure.kind) == ("busy", FigureKind.BAD)
    for notes in (table.notes, tables.matrix_table(results).notes):
        assert MARK in notes
    for text in (markdown.render(results), html.render(results)):
        assert MARK in text
    quiet = samples.phases()
    assert "machine" not in [heading.head for heading in tables.run_table(quiet).headings]


def test_a_comparison_marks_the_timings_of_a_busy_machine() -> None:
    found = samples.experiments().comparisons["same"]
    sides = tuple(
        replace(
            side, bench=replace(side.bench, conditions=BUSY) if isinstance(side.bench, Bench) else side.bench
        )
        for side in found.sides
    )
    assert tables.comparison_table(replace(found, sides=sides), "op").notes == (MARK,)
    assert tables.comparison_table(found, "op").notes == ()


def test_cpu_time_stands_beside_the_speed_of_a_load_with_one_thread() -> None:
    cell = samples.cell("new")
    bench = samples.bench(1.3)
    loads = {"mixed": replace(samples.timing((1.0, 2.0), CLEAR), cpu_ns=12.34, cpu=1)}
    timed = replace(cell, evidence={**cell.evidence, "bench": replace(bench, loads={**bench.loads, **loads})})
    table = tables.run_table(samples.record([timed]))
    columns = [index for index, heading in enumerate(table.headings) if heading.head == "CPU"]
    assert [table.rows[-1][index].text for index in columns] == ["12.3"]


def _refuse() -> None:
    raise RefusedError("strict=1: the machine was busy")


def test_a_refused_measurement_fails_its_job_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = Outcome()
    with outcome.step():
        _refuse()
    assert outcome.end() == FAILED
    assert capsys.readouterr().err == "strict=1: the machine was busy\n"
