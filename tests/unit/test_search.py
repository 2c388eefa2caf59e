"""`search`: what Optuna is asked, what it is told, and what a later run finds in the file."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from layermatrix.jobs.search import InfeasibleError, Point, Search
from layermatrix.model.tuning import Values

pytestmark = pytest.mark.skipif(importlib.util.find_spec("optuna") is None, reason="optuna is not installed")

RANGES = {"size": Values(min=1, max=64, log=True), "way": Values(choices=("slow", "fast"))}


def cost(point: Point) -> float:
    """Best at 16 in the fast way."""
    return 1 + abs(int(point["size"]) - 16) / 64 + (point["way"] == "slow")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tune/mine.sqlite"


def test_the_given_values_come_first_and_a_search_gets_better(file: Path) -> None:
    search = Search(file, "s", RANGES)
    search.start_at({"size": 64, "way": "slow"})
    tried = [search.step(cost) for _ in range(12)]
    assert tried[0].point == {"size": 64, "way": "slow"}
    assert tried[0].result == 2.75
    best = search.best
    assert best
    assert best.result
    assert best.result < 1.5
    shares = search.importance()
    assert isinstance(shares, dict)
    assert set(shares) == {"size", "way"}


def test_a_later_run_goes_on_with_other_values_and_another_question_begins_again(file: Path) -> None:
    first = Search(file, "s", RANGES)
    points = [first.step(cost).point for _ in range(3)]
    again = Search(file, "s", RANGES)
    assert [one.point for one in again.finished] == points
    again.start_at(points[0])  # known: not tried again
    assert again.step(cost).point not in points
    assert Search(file, "another", RANGES).finished == []


def test_the_same_search_proposes_the_same_values(tmp_path: Path) -> None:
    searches = [Search(tmp_path / name, "s", RANGES) for name in ("a.sqlite", "b.sqlite")]
    first, second = ([search.step(cost).point for _ in range(4)] for search in searches)
    assert first == second


def test_a_trial_without_a_result_keeps_its_reason(file: Path) -> None:
    def refuse(_point: Point) -> float:
        raise InfeasibleError("too large")

    search = Search(file, "s", RANGES)
    one = search.step(refuse)
    assert (one.result, one.reason) == (None, "too large")
    assert Search(file, "s", RANGES).finished[0].reason == "too large"
    assert search.best is None
    assert search.importance() == "0 results are too few; 8 are needed"


def test_an_interrupted_trial_does_not_count_and_one_of_a_killed_run_is_ended(file: Path) -> None:
    def interrupt(_point: Point) -> float:
        raise KeyboardInterrupt

    search = Search(file, "s", RANGES)
    with pytest.raises(KeyboardInterrupt):
        search.step(interrupt)
    search.study.ask()  # as a killed run leaves it
    assert search.finished == []
    again = Search(file, "s", RANGES)
    again.step(cost)
    assert len(again.finished) == 1
