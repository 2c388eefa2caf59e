"""`duel`: two sides compared load by load and overall, and what is said when a figure is missing."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
import report_samples as samples

from layermatrix.analysis import comparison, duel
from layermatrix.analysis.comparison import Question, Side, Word
from layermatrix.analysis.duel import OVERALL, Duel, Row
from layermatrix.core.records import NotMeasured
from layermatrix.evidence.bench import SMALLEST_EFFECT, Bench
from layermatrix.evidence.counters import Counters
from layermatrix.measure.contenders import Contender
from layermatrix.model.catalogue import Unit
from layermatrix.report import duel as report
from layermatrix.report import terminal

FEW, MANY = samples.counters(20, 0.0, 0.3), samples.counters(30, 0.0, 0.3)
UNCOUNTED, UNTIMED = NotMeasured("valgrind is not installed"), NotMeasured("it was not timed")


def bench(first: list[float], second: list[float]) -> Bench:
    """The timing of two loads."""
    one, other = samples.timed(first), samples.timed(second)
    return Bench({"mixed": one.loads["mixed"], "swap": other.loads["mixed"]}, len(first))


def side(
    name: str, counted: Counters | NotMeasured = UNCOUNTED, timed: Bench | NotMeasured = UNTIMED
) -> Side:
    cell = replace(samples.cell("new", counters=counted), variant=name, id=name)
    return samples.side(cell, timed)


def compare(a: Side, b: Side, loads: tuple[str, ...] = ("mixed", "swap")) -> Duel:
    question = Question("q", "a or b?", "Why.", loads, None, None, "./sconsw ab")
    return duel.build(question, a, b, Unit(), SMALLEST_EFFECT)


def row(found: Duel, figure: str, load: str) -> Row:
    return next(one for one in found.rows if (one.figure, one.load) == (figure, load))


def test_counts_come_first_and_the_mean_of_the_loads_is_the_verdict() -> None:
    found = compare(side("a", MANY), side("b", FEW))
    assert [one.figure for one in found.rows[:3]] == ["instructions"] * 3
    assert row(found, "instructions", OVERALL).word is Word.BETTER
    assert found.verdicts[0] == "b takes fewer instructions than a overall: 0.667x (2 loads)"
    assert row(found, "speed", "mixed").reason == "speed on mixed is not measured: a: it was not timed"


def test_overall_speed_is_the_geometric_mean_of_each_round() -> None:
    slow = bench([10.0] * 7, [100.0] * 7)
    fast = bench([20.0] * 7, [50.0] * 7)
    found = compare(side("a", timed=slow), side("b", timed=fast))
    overall = row(found, "speed", OVERALL)
    assert overall.word is Word.SAME
    assert overall.ratio
    assert overall.ratio.median == pytest.approx(1.0)
    faster = compare(side("a", timed=slow), side("b", timed=bench([12.0] * 7, [120.0] * 7)))
    assert row(faster, "speed", OVERALL).word is Word.BETTER
    assert faster.verdicts == (
        "b is faster than a overall: 1.200x (2 loads)",
        faster.verdicts[1],
    )


def test_loads_that_differ_from_the_verdict_are_named() -> None:
    found = compare(
        side("a", timed=bench([10.0] * 7, [100.0] * 7)), side("b", timed=bench([30.0] * 7, [90.0] * 7))
    )
    assert found.verdicts[0] == "b is faster than a overall: 1.643x; worse on swap"


def test_a_single_load_has_no_row_over_all_loads() -> None:
    found = compare(side("a", MANY), side("b", FEW), ("mixed",))
    assert OVERALL not in {one.load for one in found.rows}
    assert found.verdicts[0] == "b takes fewer instructions than a on mixed: 0.667x"


def test_one_round_gives_no_verdict_on_speed() -> None:
    found = compare(side("a", timed=bench([10.0], [1.0])), side("b", timed=bench([20.0], [2.0])))
    assert row(found, "speed", OVERALL).reason == "one round shows no difference"
    assert not any("faster" in line for line in found.verdicts)


def test_figures_near_zero_have_no_ratio() -> None:
    found = compare(
        side("a", samples.counters(20, 0.0, 0.0)), side("b", samples.counters(20, 4.0, 4.0)), ("mixed",)
    )
    misses = row(found, "misses", "mixed")
    assert (misses.word, misses.ratio) == (Word.WORSE, None)
    assert "b misses L1 more often than a on mixed: 8.000 and 0.000" in found.verdicts


def test_the_table_names_what_was_not_measured_and_the_verdict_follows() -> None:
    stream = io.StringIO()
    report.show(compare(side("a", MANY), side("b", FEW)), "op", terminal.make_console(stream))
    text = " ".join(stream.getvalue().split())
    assert "Verdict: b takes fewer instructions than a overall: 0.667x (2 loads)." in text
    assert "not measured: speed on mixed is not measured: a: it was not timed" in text
    assert report.verdict(compare(side("a"), side("b"))) == [
        "Verdict: none: nothing was measured on both sides."
    ]


def test_a_side_is_identified_by_its_file(tmp_path: Path) -> None:
    library = tmp_path / "build/base/x/libx.so"
    library.parent.mkdir(parents=True)
    library.write_bytes(b"one")
    made = duel.side(tmp_path, Contender("x@1", library, None, "1 first"), FEW, UNTIMED)
    assert made.file == "build/base/x/libx.so"
    system = duel.side(tmp_path, Contender("system", None, None, "the system"), FEW, UNTIMED)
    found = compare(made, system)
    comparison.store(tmp_path, found.comparison)

    def stale() -> tuple[str, ...]:
        known = comparison.load(tmp_path)
        assert not isinstance(known, NotMeasured)
        return known.comparisons["q"].stale

    assert stale() == ()
    library.write_bytes(b"another")
    assert stale() == ("x@1",)
