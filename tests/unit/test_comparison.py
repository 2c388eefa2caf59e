"""`comparison`: verdicts that claim no more than the samples show, and the file that keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import report_samples as samples

from layermatrix.analysis import comparison
from layermatrix.core import records

Record = dict[str, Any]


def side(name: str, speeds: list[float] | None = None, **changes: Any) -> Record:
    """A cell of this name that was timed with these speeds on `mixed`."""
    bench = samples.absent("bench", "it was not timed")
    if speeds:
        bench = records.measured("bench", rounds=len(speeds), loads={"mixed": {"samples": speeds}})
    cell = samples.cell("new", bench=bench, **changes)
    return {**cell, "variant": name, "id": f"{name}-release-gcc"}


def question(figure: str | None = "speed", kept: str | None = None) -> comparison.Question:
    return comparison.Question("q", "One or two?", "Why.", ("mixed",), figure, kept, "./sconsw ab")


def ask(sides: list[Record], figure: str | None = "speed", kept: str | None = None) -> Record:
    libraries = {one["id"]: Path("/nowhere") for one in sides}
    return comparison.build(question(figure, kept), sides, libraries)


SLOW, FAST = [10.0, 10.1, 10.2, 9.9, 10.0, 10.1, 10.0], [12.0, 12.1, 12.2, 11.9, 12.0, 12.1, 12.0]
NOISY = [10.0, 12.0, 9.0, 10.5, 9.5, 11.0, 9.9]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_faster_side_wins_whichever_comes_first(order: tuple[int, int]) -> None:
    sides = [side("one", SLOW), side("two", FAST)]
    verdict = ask([sides[index] for index in order])["verdict"]
    assert verdict["winner"] == "two"
    assert verdict["text"] == "two is faster than one on mixed: 1.20x (1.20-1.20, 95 % of 7 rounds)."


def test_intervals_that_overlap_show_no_difference() -> None:
    verdict = ask([side("one", SLOW), side("two", NOISY)])["verdict"]
    assert verdict["winner"] is None
    assert comparison.NO_DIFFERENCE in verdict["text"]
    assert "two against one on mixed" in verdict["text"]


def test_of_three_sides_one_has_to_be_faster_than_both() -> None:
    assert ask([side("a", SLOW), side("b", SLOW), side("c", FAST)])["verdict"]["winner"] == "c"
    assert ask([side("a", SLOW), side("b", FAST), side("c", FAST)])["verdict"]["winner"] is None


def test_a_single_round_decides_nothing() -> None:
    verdict = ask([side("one", [10.0]), side("two", [20.0])])["verdict"]
    assert verdict["winner"] is None
    assert verdict["text"] == "speed on mixed was timed only once, which shows no difference."


def test_what_was_not_timed_decides_nothing_and_says_why() -> None:
    verdict = ask([side("one", SLOW), side("two")])["verdict"]
    assert verdict["winner"] is None
    assert verdict["text"] == "speed on mixed is not measured: two: it was not timed."


def test_instructions_decide_without_a_timing() -> None:
    few, many = samples.counters(20, 0, 0.3), samples.counters(30, 0, 0.3)
    verdict = ask([side("one", counters=many), side("two", counters=few)], "instructions")["verdict"]
    assert verdict["winner"] == "two"
    assert verdict["text"] == "two takes fewer instructions than one on mixed: 20.0 and 30.0 an operation."


def test_a_trifle_of_instructions_is_level() -> None:
    sides = [side(name, counters=samples.counters(count, 0, 0.3)) for name, count in (("a", 30), ("b", 30.1))]
    verdict = ask(sides, "instructions")["verdict"]
    assert verdict["winner"] is None
    assert "b is level with a on mixed" in verdict["text"]


def test_a_load_that_is_not_counted_is_not_replaced_by_another() -> None:
    sides = [side("one"), side("two")]
    pair = comparison.weigh("instructions", "server", *sides)
    assert (pair["word"], pair["reason"]) == (
        None,
        "instructions on server are not measured: one: this load is not counted",
    )


def test_the_winner_is_held_against_what_was_kept() -> None:
    sides = [side("one", SLOW), side("two", FAST)]
    assert ask(sides, kept="two")["verdict"]["agrees"] is True
    found = ask(sides, kept="one")
    assert found["verdict"]["agrees"] is False
    assert comparison.conclusions(found)[0].endswith("The phases kept one.")


def test_without_a_deciding_figure_each_side_is_set_beside_the_first() -> None:
    sides = [side("whole", SLOW), side("less", FAST, counters=samples.counters(9.5, 0, 0.5))]
    found = ask(sides, figure=None)
    assert found["verdict"] is None
    (line,) = comparison.conclusions(found)
    assert line.startswith("less: mixed: speed better (1.20x), instructions level (1.00x), misses worse")


def test_a_side_that_was_not_built_says_so() -> None:
    failure = {"command": "cc", "log": "no", "target": "x.o"}
    found = ask([side("whole"), side("less", failure=failure)], figure=None)
    assert comparison.conclusions(found) == ["less: not built: x.o failed."]


def test_the_file_keeps_comparisons_of_other_names(tmp_path: Path) -> None:
    first = ask([side("one", SLOW), side("two", FAST)])
    comparison.store(tmp_path, first)
    comparison.store(tmp_path, {**first, "name": "other"})
    assert list(comparison.load(tmp_path)["comparisons"]) == ["q", "other"]


def test_a_comparison_of_libraries_that_have_changed_is_stale(tmp_path: Path) -> None:
    sides = [side("one", SLOW), side("two", FAST)]
    libraries = {one["id"]: tmp_path / "build" / one["id"] / "libx.so" for one in sides}
    for library in libraries.values():
        library.parent.mkdir(parents=True)
        library.write_text("binary", encoding="utf-8")
    comparison.store(tmp_path, comparison.build(question(), sides, libraries))
    assert comparison.load(tmp_path)["comparisons"]["q"]["stale"] == []
    libraries["two-release-gcc"].write_text("another", encoding="utf-8")
    assert comparison.load(tmp_path)["comparisons"]["q"]["stale"] == ["two"]


def test_without_a_file_it_says_what_makes_one(tmp_path: Path) -> None:
    assert "./sconsw ab" in comparison.load(tmp_path)["reason"]
