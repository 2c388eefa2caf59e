"""`store.comparable`: which figures of two hosts may be compared, and the reason why others may not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from large_store import MACHINE

from layermatrix.core.host import UNKNOWN, Host
from layermatrix.store import comparable
from layermatrix.store.comparable import Origin
from layermatrix.store.entries import CELL, DETERMINISTIC, PEER, TIMED

ALIKE = replace(MACHINE, identity="m2")
ELSEWHERE = "measured on another machine, and its"
COUNT = Origin(DETERMINISTIC, MACHINE, "small at c1", "d1")
TIMING = replace(COUNT, kind=TIMED)


def test_a_figure_can_be_compared_with_one_of_its_own_machine() -> None:
    for one in (COUNT, TIMING):
        assert comparable.why_not(one, one) is None
        assert comparable.why_not(one, replace(one, library_digest="d2")) is None  # built again
        assert comparable.why_not(one, replace(one, build="other at c1", library_digest="d2")) is None


def test_a_count_can_be_compared_with_one_of_an_equal_kind_of_host() -> None:
    other = replace(COUNT, host=replace(ALIKE, cpu="B", cores=64, kernel="Linux 5", python="3.10.0"))
    assert comparable.why_not(COUNT, other) is None
    assert comparable.why_not(COUNT, replace(other, build="small at c2", library_digest="d2")) is None


def test_a_timing_is_compared_within_one_machine() -> None:
    assert comparable.why_not(replace(TIMING, host=ALIKE), TIMING) == comparable.ONE_MODEL
    other = replace(TIMING, host=replace(ALIKE, cpu="B"))
    assert comparable.why_not(other, TIMING) == "measured on another machine: processor B, not A CPU"
    nameless = replace(TIMING, host=replace(MACHINE, identity=""))
    assert (
        comparable.why_not(nameless, nameless)
        == "measured on another machine, and its machine cannot be read there"
    )


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        (replace(ALIKE, cpu_flags="f2"), "processor features f2, not f1"),
        (replace(ALIKE, libc="musl 1.2.4"), "C library musl 1.2.4, not glibc 2.36"),
        (replace(MACHINE, libc="glibc 2.41"), "C library glibc 2.41, not glibc 2.36"),  # updated
        (
            replace(ALIKE, cpu_flags="f2", libc="musl 1.2.4"),
            "processor features f2, not f1; C library musl 1.2.4, not glibc 2.36",
        ),
    ],
)
def test_the_reason_names_what_differs(host: Host, reason: str) -> None:
    found = comparable.why_not(replace(COUNT, host=host), COUNT)
    assert found == f"measured on another kind of host: {reason}"


def test_one_build_has_one_binary_on_all_machines() -> None:
    other = replace(COUNT, host=ALIKE, library_digest="d2")
    assert (
        comparable.why_not(other, COUNT)
        == "measured on another machine, with another binary of the same build"
    )
    unknown = replace(COUNT, host=ALIKE, library_digest="")
    assert comparable.why_not(unknown, COUNT) == "measured on another machine, and its binary is unknown"


def test_what_is_unknown_is_not_taken_for_equal() -> None:
    host = replace(MACHINE, cpu_flags=UNKNOWN)
    one, other = replace(COUNT, host=host), replace(COUNT, host=replace(host, identity="m2"))
    assert comparable.why_not(one, one) is None
    assert (
        comparable.why_not(one, other)
        == "measured on another machine, and its processor features cannot be read there"
    )


def test_a_count_and_a_timing_are_never_compared() -> None:
    assert comparable.why_not(COUNT, TIMING) == "it is deterministic, and the other figure is timed"


def test_another_library_is_one_build_at_every_commit() -> None:
    assert comparable.build_of("small", CELL, "c1") != comparable.build_of("small", CELL, "c2")
    assert comparable.build_of("jemalloc", PEER, "c1") == comparable.build_of("jemalloc", PEER, "c2")
