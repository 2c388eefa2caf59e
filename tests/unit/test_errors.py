"""The text of error messages."""

from __future__ import annotations

import pytest

from layermatrix.core.errors import Place, Report, SpecError, SpecErrors, hint_for, quote, suggest


def test_an_error_names_place_mistake_and_way_out() -> None:
    error = SpecError("variants/mine.yaml", 7, 12, "unknown layer 'a'", "did you mean 'b'?")
    assert str(error) == "variants/mine.yaml:7:12: error: unknown layer 'a'; did you mean 'b'?"


def test_an_error_without_a_hint_ends_after_the_mistake() -> None:
    assert str(SpecError("a.yaml", 1, 2, "is empty")) == "a.yaml:1:2: error: is empty"


def test_errors_are_sorted_by_place_and_shown_once() -> None:
    late, early, other = (
        SpecError("b", 10, 1, "x"),
        SpecError("b", 9, 30, "x", "hint"),
        SpecError("a", 99, 1, "x"),
    )
    errors = SpecErrors([late, early, late, other])
    assert errors.errors == [other, early, late]
    assert str(errors).splitlines() == [str(other), str(early), str(late)]


def test_a_report_raises_only_what_it_has() -> None:
    report = Report()
    report.raise_if_any()
    report.error(Place("a", 1, 1), "is empty")
    with pytest.raises(SpecErrors, match="a:1:1: error: is empty"):
        report.raise_if_any()


def test_a_slip_of_the_keyboard_is_recognised() -> None:
    assert suggest("unified_cahce", ["fast_cache", "unified_cache"]) == "unified_cache"
    assert suggest("FAST_CACHE", ["fast_cache", "unified_cache"]) == "fast_cache"


def test_nothing_is_suggested_for_what_looks_like_nothing() -> None:
    assert suggest("zebra", ["fast_cache"]) is None
    assert suggest("", []) is None


def test_a_few_names_are_listed_when_none_is_likely() -> None:
    assert hint_for("zebra", ["release", "debug"]) == "known: release, debug"
    assert hint_for("zebra", [f"layer{i}" for i in range(50)]) is None
    assert hint_for("zebra", []) is None


@pytest.mark.parametrize("text", ["two\nlines", "bell\a", "\ud800", "x" * 100_000])
def test_a_users_text_is_shown_on_one_short_line(text: str) -> None:
    shown = quote(text)
    assert len(shown) < 80
    assert shown.isprintable()
