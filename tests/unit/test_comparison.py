"""`comparison`: verdicts that claim no more than the samples show, and the file that keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import report_samples as samples

from layermatrix.analysis import comparison
from layermatrix.analysis.comparison import Comparison, Experiments, Side, Verdict
from layermatrix.build.failure import Failure
from layermatrix.core.records import NotMeasured
from layermatrix.model.catalogue import Better


def side(name: str, speeds: list[float] | None = None, library: str | None = None, **changes: Any) -> Side:
    """A side of this name with these speeds on `mixed`."""
    bench = samples.timed(speeds) if speeds else NotMeasured("it was not timed")
    cell = replace(samples.cell("new", **changes), variant=name, id=f"{name}-release-gcc")
    return samples.side(cell, bench, library)


def question(figure: str | None = "speed", kept: str | None = None) -> comparison.Question:
    return comparison.Question("q", "One or two?", "Why.", ("mixed",), figure, kept, "./sconsw ab")


def compare(sides: list[Side], figure: str | None = "speed", kept: str | None = None) -> Comparison:
    return comparison.build(question(figure, kept), sides, "op")


def verdict_of(found: Comparison) -> Verdict:
    assert found.verdict is not None
    return found.verdict


SLOW, FAST = [10.0, 10.1, 10.2, 9.9, 10.0, 10.1, 10.0], [12.0, 12.1, 12.2, 11.9, 12.0, 12.1, 12.0]
NOISY = [10.0, 12.0, 9.0, 10.5, 9.5, 11.0, 9.9]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_faster_side_wins_whichever_comes_first(order: tuple[int, int]) -> None:
    sides = [side("one", SLOW), side("two", FAST)]
    verdict = verdict_of(compare([sides[index] for index in order]))
    assert verdict.winner == "two"
    assert (
        verdict.text == "two is faster than one on mixed: 1.200x (1.196-1.202, 95 % of 7 rounds, p = 0.016)."
    )


def test_intervals_that_overlap_show_no_difference() -> None:
    verdict = verdict_of(compare([side("one", SLOW), side("two", NOISY)]))
    assert verdict.winner is None
    assert comparison.NO_DIFFERENCE in verdict.text
    assert "two against one on mixed" in verdict.text


def test_of_three_sides_one_has_to_be_faster_than_both() -> None:
    assert verdict_of(compare([side("a", SLOW), side("b", SLOW), side("c", FAST)])).winner == "c"
    assert verdict_of(compare([side("a", SLOW), side("b", FAST), side("c", FAST)])).winner is None


def test_a_single_round_decides_nothing() -> None:
    verdict = verdict_of(compare([side("one", [10.0]), side("two", [20.0])]))
    assert verdict.winner is None
    assert verdict.text == (
        "two against one on mixed: no verdict: 2.000x (2.000-2.000, min..max of 1 round); "
        "too few rounds; about 6 would tell."
    )


def test_a_difference_that_so_many_comparisons_could_show_by_chance_decides_nothing() -> None:
    sides = [side(name, SLOW) for name in "abcd"] + [side("e", FAST)]  # ten pairs: 2 / 2**7 is too much
    verdict = verdict_of(compare(sides))
    assert verdict.winner is None
    assert (
        "e against a on mixed: no verdict: 1.200x (1.196-1.202, 95 % of 7 rounds, p = 0.16 of 10"
        in verdict.text
    )
    assert "too few rounds for 10 comparisons; about 9 would tell" in verdict.text


def test_where_less_is_better_the_lower_figure_is_faster() -> None:
    sides = [side("one", SLOW), side("two", FAST)]
    found = comparison.build(question(), sides, "op", better=Better.LOWER)
    assert verdict_of(found).winner == "one"


def test_a_difference_below_the_smallest_that_counts_is_none() -> None:
    sides = [side("one", SLOW), side("two", [speed * 1.005 for speed in SLOW])]
    assert verdict_of(compare(sides)).winner is None
    assert verdict_of(comparison.build(question(), sides, "op", smallest=0.001)).winner == "two"


def test_what_was_not_timed_decides_nothing_and_gives_the_reason() -> None:
    verdict = verdict_of(compare([side("one", SLOW), side("two")]))
    assert verdict.winner is None
    assert verdict.text == "speed on mixed is not measured: two: it was not timed."


def test_instructions_decide_without_a_timing() -> None:
    few, many = samples.counters(20, 0, 0.3), samples.counters(30, 0, 0.3)
    verdict = verdict_of(compare([side("one", counters=many), side("two", counters=few)], "instructions"))
    assert verdict.winner == "two"
    assert verdict.text == "two takes fewer instructions than one on mixed: 20.0 and 30.0 per op."


def test_a_trifle_of_instructions_is_no_difference() -> None:
    sides = [side(name, counters=samples.counters(count, 0, 0.3)) for name, count in (("a", 30), ("b", 30.1))]
    verdict = verdict_of(compare(sides, "instructions"))
    assert verdict.winner is None
    assert "b does not differ from a on mixed" in verdict.text


def test_a_load_that_is_not_counted_is_not_replaced_by_another() -> None:
    sides = [side("one"), side("two")]
    pair = comparison.weigh("instructions", "server", sides[0], sides[1])
    assert pair.word is None
    assert pair.text == "instructions on server are not measured: one: this load is not counted"


def test_the_winner_is_held_against_what_was_kept() -> None:
    sides = [side("one", SLOW), side("two", FAST)]
    assert verdict_of(compare(sides, kept="two")).agrees is True
    found = compare(sides, kept="one")
    assert verdict_of(found).agrees is False
    assert comparison.conclusions(found)[0].endswith(" one was kept.")


def test_without_a_deciding_figure_each_side_is_set_beside_the_first() -> None:
    sides = [side("whole", SLOW), side("less", FAST, counters=samples.counters(9.5, 0, 0.5))]
    found = compare(sides, figure=None)
    assert found.verdict is None
    (line,) = comparison.conclusions(found)
    assert line.startswith(
        "less: mixed: speed better (1.20x), instructions no difference (1.00x), misses worse"
    )


def test_a_side_that_was_not_built_reports_it() -> None:
    failure = Failure("cc", "no", "x.o")
    found = compare([side("whole"), side("less", failure=failure)], figure=None)
    assert comparison.conclusions(found) == ["less: not built: x.o failed."]


def test_the_file_keeps_comparisons_of_other_names(tmp_path: Path) -> None:
    first = compare([side("one", SLOW), side("two", FAST)])
    comparison.store(tmp_path, first)
    comparison.store(tmp_path, replace(first, name="other"))
    assert list(loaded(tmp_path)) == ["q", "other"]


def test_what_was_stored_is_loaded_as_it_was(tmp_path: Path) -> None:
    first = compare([side("one", SLOW), side("two", counters=NotMeasured("no valgrind"))])
    comparison.store(tmp_path, first)
    assert replace(loaded(tmp_path)["q"], stale=()) == first


def loaded(root: Path) -> Mapping[str, Comparison]:
    found = comparison.load(root)
    assert isinstance(found, Experiments), found
    return found.comparisons


def test_a_comparison_of_libraries_that_have_changed_is_stale(tmp_path: Path) -> None:
    libraries = {name: tmp_path / "build" / f"{name}-release-gcc" / "libx.so" for name in ("one", "two")}
    for library in libraries.values():
        library.parent.mkdir(parents=True)
        library.write_text("binary", encoding="utf-8")
    built = comparison.digest(libraries["one"])
    comparison.store(tmp_path, compare([side("one", SLOW, built), side("two", FAST, built)]))
    assert loaded(tmp_path)["q"].stale == ()
    libraries["two"].write_text("another", encoding="utf-8")
    assert loaded(tmp_path)["q"].stale == ("two",)


def test_without_a_file_it_names_the_command_that_writes_one(tmp_path: Path) -> None:
    found = comparison.load(tmp_path)
    assert isinstance(found, NotMeasured)
    assert "./sconsw ab" in found.reason
