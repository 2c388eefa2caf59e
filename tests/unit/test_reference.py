"""Comparison with what was accepted, and accepting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import report_samples as samples

from layermatrix.analysis import counter_lock
from layermatrix.analysis.counter_lock import Known, Reference
from layermatrix.core import records
from layermatrix.model.measuring import METRICS, Limit
from layermatrix.spec import lockspec
from layermatrix.spec.lockspec import Accepted, Machine, Place

CACHES = "I1 32768/8/64, D1 32768/8/64, LL 8388608/16/64"
HERE = Machine("gcc 12.2, x86_64", "glibc 2.36", "valgrind-3.19.0", CACHES)
COMPILERS = {"gcc": "gcc 12.2, x86_64"}
LIMITS = {"instructions": Limit(percent=10, soft=1, hard=4), "branches": Limit(percent=0, soft=0, hard=0)}
ARGS = "0123abcd"  # of the samples
NOW = {
    "instructions": 60.0, "i1_misses": 0.01, "d1_misses": 0.9, "ll_misses": 0.001, "branches": 4.25,
    "mispredicted": 0.125,
}  # fmt: skip


def place(load: str = "mixed", variant: str = "old", machine: Machine = HERE) -> Place:
    return Place(machine, variant, "release", load)


def was(**changes: float) -> Accepted:
    return Accepted(ARGS, {**NOW, **changes})


def compared(accepted: Accepted | None, **lock: Accepted) -> Any:
    """The comparison of the sample's load `mixed`, of which this was accepted."""
    known = {place(): accepted} if accepted else {}
    return Reference(known, COMPILERS, LIMITS).of(samples.cell("old"))["loads"]["mixed"]


def test_what_costs_the_same_is_kept() -> None:
    found = compared(was())
    assert (found["verdict"], found["reason"]) == ("kept", None)
    assert found["figures"]["instructions"] == {"old": 60.0, "new": 60.0, "allowed": 4, "verdict": "kept"}
    assert list(found["figures"]) == list(METRICS)


@pytest.mark.parametrize(
    ("old", "allowed", "verdict"),
    [
        (56.0, 4.0, "kept"),  # 10 percent would be 5.6: the hard limit is less
        (55.9, 4.0, "worse"),
        (64.1, 4.0, "better"),
        (30.0, 3.0, "worse"),  # 10 percent
        (5.0, 1.0, "worse"),  # 10 percent would be 0.5: the soft limit is more
    ],
)
def test_a_figure_may_grow_by_percent_or_soft_but_not_by_more_than_hard(
    old: float, allowed: float, verdict: str
) -> None:
    figure = compared(was(instructions=old))["figures"]["instructions"]
    assert figure["allowed"] == pytest.approx(allowed)
    assert figure["verdict"] == verdict


def test_a_figure_below_zero_has_the_soft_limit() -> None:
    assert compared(was(instructions=-2.0))["figures"]["instructions"]["allowed"] == 1


def test_a_limit_of_nothing_takes_what_rounds_to_the_same() -> None:
    cell = samples.cell("old")
    cell["counters"]["loads"]["mixed"]["per_op"]["branches"] = 4.2504
    found = Reference({place(): was()}, COMPILERS, LIMITS).of(cell)["loads"]["mixed"]
    assert found["figures"]["branches"]["verdict"] == "kept"
    cell["counters"]["loads"]["mixed"]["per_op"]["branches"] = 4.251
    found = Reference({place(): was()}, COMPILERS, LIMITS).of(cell)["loads"]["mixed"]
    assert found["figures"]["branches"]["verdict"] == "worse"


def test_a_figure_without_limits_is_judged_by_nobody() -> None:
    found = compared(was(d1_misses=0.0))
    assert found["figures"]["d1_misses"] == {"old": 0.0, "new": 0.9, "allowed": None, "verdict": "kept"}
    assert found["verdict"] == "kept"


@pytest.mark.parametrize(
    ("lock", "reason"),
    [
        ({}, "no reference for this machine"),
        ({place(machine=Machine("gcc 13", "glibc 2.36", "valgrind-3.19.0", CACHES)): was()},
         "no reference for this machine"),
        ({place(variant="mid"): was()}, "no reference for this variant"),
        ({place("swap"): was()}, "no reference for this load"),
        ({place(): Accepted("76543210", NOW)}, "the reference is for other arguments"),
    ],
    ids=["nothing", "another compiler", "another variant", "another load", "other arguments"],
)  # fmt: skip
def test_what_has_no_reference_is_new_and_not_passed(lock: dict[Place, Accepted], reason: str) -> None:
    found = Reference(lock, COMPILERS, LIMITS).of(samples.cell("old"))
    assert found["loads"]["mixed"] == {"verdict": "new", "reason": reason, "figures": {}}
    assert found["verdict"] == "new"
    assert records.check(found, "reference") is found


def test_the_gravest_verdict_is_the_cells() -> None:
    lock = {place(): was(instructions=10), place("swap"): was()}
    assert Reference(lock, COMPILERS, LIMITS).of(samples.cell("old"))["verdict"] == "worse"
    lock = {place(): was(instructions=100), place("swap"): was()}
    assert Reference(lock, COMPILERS, LIMITS).of(samples.cell("old"))["verdict"] == "better"
    assert counter_lock.gravest({}) == "not measured"


def test_a_load_that_could_not_be_counted_is_not_taken_for_kept() -> None:
    cell = samples.cell("old")
    cell["counters"]["loads"]["swap"] = records.not_measured("counters", "swap: exit status 1")
    found = Reference({place(): was()}, COMPILERS, LIMITS).of(cell)
    assert found["verdict"] == "not measured"
    assert found["loads"]["swap"]["reason"] == "swap: exit status 1"


def test_a_cell_without_counters_is_not_compared() -> None:
    cell = samples.cell("old", counters=samples.absent("counters"))
    found = Reference({}, COMPILERS, LIMITS).of(cell)
    assert found == records.not_measured("reference", "valgrind is not installed")


def test_a_lock_with_a_mistake_is_told_in_place_of_a_comparison() -> None:
    found = Reference({}, COMPILERS, {}, trouble="x.lock:3:1: error: bad").of(samples.cell("old"))
    assert found == records.not_measured("reference", "x.lock:3:1: error: bad")


# --- accepting

KNOWN = Known(variants=("old", "mid"), loads=("mixed", "swap"), caches=CACHES)


def test_accepting_replaces_what_was_counted_and_leaves_the_rest() -> None:
    elsewhere = Machine("gcc 13", "glibc 2.40", "valgrind-3.22.0", CACHES)
    lock = {
        place(): was(instructions=1.0),
        place(variant="mid"): was(instructions=2.0),
        place(machine=elsewhere): was(instructions=3.0),
    }
    found = counter_lock.accepted(Reference(lock, COMPILERS, LIMITS), [samples.cell("old")], KNOWN)
    assert found == {**lock, place(): was(), place("swap"): was()}


def test_a_figure_that_has_not_moved_stays_as_it_was() -> None:
    lock = {place(): was(instructions=59.996, branches=4.24)}
    lock[place("swap")] = Accepted("76543210", {**NOW, "instructions": 59.996})
    found = counter_lock.accepted(Reference(lock, COMPILERS, LIMITS), [samples.cell("old")], KNOWN)
    assert found[place()] == was(instructions=59.996, branches=4.25)
    assert found[place("swap")] == was()  # other arguments: nothing of it can be kept


def test_what_no_machine_can_ask_for_any_more_is_gone() -> None:
    old_caches = Machine("gcc 13", "glibc 2.40", "valgrind-3.22.0", "I1 1/1/1")
    lock = {place(variant="gone"): was(), place("gone"): was(), place(machine=old_caches): was()}
    assert counter_lock.accepted(Reference(lock, COMPILERS, LIMITS), [], KNOWN) == {}


def test_what_was_not_counted_is_not_accepted() -> None:
    cells = [samples.cell("old", counters=samples.absent("counters")), samples.cell("mid")]
    cells[1]["counters"]["loads"]["swap"] = records.not_measured("counters", "no")
    lock = {place(): was(instructions=1.0), place("swap", "mid"): was(instructions=2.0)}
    found = counter_lock.accepted(Reference(lock, COMPILERS, LIMITS), cells, KNOWN)
    assert found.keys() == {*lock, place("mixed", "mid")}
    assert found[place()] == lock[place()]
    assert found[place("swap", "mid")] == lock[place("swap", "mid")]


def test_the_lock_is_written_with_a_diff_and_not_touched_without_one(tmp_path: Path) -> None:
    first, second = {place(): was(instructions=1.0)}, {place(): was(instructions=2.0)}
    assert "+references:" in counter_lock.write(tmp_path, first)
    diff = counter_lock.write(tmp_path, second).splitlines()
    assert diff[:2] == ["--- a/variants/counters.lock", "+++ b/variants/counters.lock"]
    assert [line[:40] for line in diff if line[0] in "-+" and "mixed" in line] == [
        '-        mixed: {args: "0123abcd", instr',
        '+        mixed: {args: "0123abcd", instr',
    ]
    before = (tmp_path / lockspec.FILE).stat().st_mtime_ns
    assert counter_lock.write(tmp_path, second) == ""
    assert (tmp_path / lockspec.FILE).stat().st_mtime_ns == before
    assert lockspec.read(tmp_path) == second
