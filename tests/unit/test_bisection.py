"""`bisection`: the halving, commits that do not build, and what an earlier run knows."""

from __future__ import annotations

import math

from layermatrix.analysis import bisection
from layermatrix.analysis.bisection import Ends, Finding, Search

ENDS = Ends(good=10.0, bad=20.0)


def run(figures: dict[str, Finding], known: dict[str, Finding] | None = None) -> tuple[Search, list[str]]:
    """A search over these commits, and the commits that it measured."""
    search, measured = Search(list(figures), ENDS, dict(known or {})), []
    while (commit := search.next) is not None:
        measured.append(commit)
        search.findings[commit] = figures[commit]
    return search, measured


def test_every_place_of_the_change_is_found_in_few_steps() -> None:
    names = [f"c{number}" for number in range(50)]
    for first_bad in range(50):
        figures: dict[str, Finding] = {
            name: 20.0 if place >= first_bad else 10.0 for place, name in enumerate(names)
        }
        search, measured = run(figures)
        assert search.suspects == (names[first_bad],)
        assert search.last_good == (names[first_bad - 1] if first_bad else None)
        assert len(measured) <= math.ceil(math.log2(50))


def test_a_single_commit_needs_no_step() -> None:
    search, measured = run({"only": 20.0})
    assert (search.suspects, search.last_good, measured) == (("only",), None, [])


def test_commits_that_do_not_build_make_the_answer_a_range() -> None:
    search, _ = run({"a": 10.0, "b": "does not build", "c": "does not build", "d": 20.0, "e": 20.0})
    assert search.suspects == ("b", "c", "d")
    assert search.last_good == "a"


def test_a_commit_that_does_not_build_elsewhere_does_not_matter() -> None:
    search, _ = run({"a": "does not build", "b": 10.0, "c": 20.0, "d": "does not build", "e": 20.0})
    assert search.suspects == ("c",)


def test_all_commits_but_the_last_may_fail() -> None:
    search, measured = run({"a": "no", "b": "no", "c": 20.0})
    assert search.suspects == ("a", "b", "c")
    assert sorted(measured) == ["a", "b"]


def test_of_several_moves_the_one_across_the_middle_is_found() -> None:
    search, _ = run({"a": 11.0, "b": 11.5, "c": 18.0, "d": 20.0})
    assert search.suspects == ("c",)


def test_what_is_known_is_not_measured_again() -> None:
    figures: dict[str, Finding] = {"a": 10.0, "b": 10.0, "c": 20.0, "d": 20.0, "e": 20.0}
    search, measured = run(figures, known={"c": 20.0, "a": 10.0})
    assert search.suspects == ("c",)
    assert measured == ["b"]


def test_findings_of_a_file_are_checked() -> None:
    assert bisection.known({"a": 1, "b": 2.5, "c": "no", "d": None, "e": True, "f": []}) == {
        "a": 1.0,
        "b": 2.5,
        "c": "no",
    }
