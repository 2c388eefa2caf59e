"""Compare counters with the accepted ones, and accept new ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from layermatrix.analysis import counter_lock
from layermatrix.analysis.counter_lock import (
    ComparedCell,
    ComparedFigure,
    ComparedLoad,
    Known,
    Reference,
    Verdict,
)
from layermatrix.core.records import NotMeasured
from layermatrix.evidence.counters import CountedLoad, Counters
from layermatrix.model.cells import Cell
from layermatrix.model.measuring import METRICS, Limit
from layermatrix.spec import lockspec
from layermatrix.spec.loader import load_project
from layermatrix.spec.lockspec import Accepted, Machine, Place

ROOT = Path(__file__).parents[2]
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


def counted(**loads: CountedLoad | NotMeasured) -> Counters:
    """Counters of two loads."""
    load = CountedLoad(
        1000, ARGS, NOW, dict.fromkeys(NOW, 0.5), {name: one + 0.5 for name, one in NOW.items()}
    )
    shapes = {"I1": (32768, 8, 64), "D1": (32768, 8, 64), "LL": (8388608, 16, 64)}
    return Counters(
        tool="valgrind-3.19.0 cachegrind",
        valgrind="valgrind-3.19.0",
        libc="glibc 2.36",
        cache=shapes,
        conditions=(),
        loads={"mixed": load, "swap": load, **loads},
        hardware=NotMeasured("perf is not installed"),
    )


def costing(**changes: float) -> CountedLoad:
    """The load of the samples with other costs."""
    load = counted().loads["mixed"]
    assert isinstance(load, CountedLoad)
    return replace(load, per_op={**NOW, **changes})


@pytest.fixture(scope="module")
def cell() -> Cell:
    variant = load_project(ROOT).variants["phase2"]
    return Cell(replace(variant, name="old"), "release", "gcc")


def against(
    lock: dict[Place, Accepted], cell: Cell, counters: Counters | NotMeasured | None = None
) -> ComparedCell:
    found = Reference(lock, COMPILERS, LIMITS).of(cell, counters or counted())
    assert isinstance(found, ComparedCell)
    return found


def compared(cell: Cell, accepted: Accepted) -> ComparedLoad:
    """The comparison of the load `mixed` with these accepted figures."""
    return against({place(): accepted}, cell).loads["mixed"]


def test_what_costs_the_same_is_kept(cell: Cell) -> None:
    found = compared(cell, was())
    assert (found.verdict, found.reason) == (Verdict.WITHIN, None)
    assert found.figures["instructions"] == ComparedFigure(60.0, 60.0, 4, Verdict.WITHIN)
    assert list(found.figures) == list(METRICS)


@pytest.mark.parametrize(
    ("old", "allowed", "verdict"),
    [
        (56.0, 4.0, Verdict.WITHIN),  # 10 percent would be 5.6, and the hard limit is lower
        (55.9, 4.0, Verdict.WORSE),
        (64.1, 4.0, Verdict.BETTER),
        (30.0, 3.0, Verdict.WORSE),  # 10 percent
        (5.0, 1.0, Verdict.WORSE),  # 10 percent would be 0.5, and the soft limit is higher
    ],
)
def test_a_figure_may_grow_by_percent_or_soft_but_not_by_more_than_hard(
    cell: Cell, old: float, allowed: float, verdict: Verdict
) -> None:
    figure = compared(cell, was(instructions=old)).figures["instructions"]
    assert figure.allowed == pytest.approx(allowed)
    assert figure.verdict is verdict


def test_a_figure_below_zero_has_the_soft_limit(cell: Cell) -> None:
    assert compared(cell, was(instructions=-2.0)).figures["instructions"].allowed == 1


@pytest.mark.parametrize(("branches", "verdict"), [(4.2504, Verdict.WITHIN), (4.251, Verdict.WORSE)])
def test_a_limit_of_nothing_takes_what_rounds_to_the_same(
    cell: Cell, branches: float, verdict: Verdict
) -> None:
    found = against({place(): was()}, cell, counted(mixed=costing(branches=branches))).loads["mixed"]
    assert found.figures["branches"].verdict is verdict


def test_a_figure_without_limits_is_never_worse(cell: Cell) -> None:
    found = compared(cell, was(d1_misses=0.0))
    assert found.figures["d1_misses"] == ComparedFigure(0.0, 0.9, None, Verdict.WITHIN)
    assert found.verdict is Verdict.WITHIN


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
def test_what_has_no_reference_is_new_and_not_passed(
    cell: Cell, lock: dict[Place, Accepted], reason: str
) -> None:
    found = against(lock, cell)
    assert found.loads["mixed"] == ComparedLoad(Verdict.NEW, reason, {})
    assert found.verdict is Verdict.NEW


def test_the_gravest_verdict_is_the_cells(cell: Cell) -> None:
    assert against({place(): was(instructions=10), place("swap"): was()}, cell).verdict is Verdict.WORSE
    assert against({place(): was(instructions=100), place("swap"): was()}, cell).verdict is Verdict.BETTER
    assert counter_lock.gravest([]) is Verdict.MISSED


def test_a_load_that_could_not_be_counted_is_not_taken_for_kept(cell: Cell) -> None:
    found = against({place(): was()}, cell, counted(swap=NotMeasured("swap: exit status 1")))
    assert found.verdict is Verdict.MISSED
    assert found.loads["swap"].reason == "swap: exit status 1"


def test_a_cell_without_counters_is_not_compared(cell: Cell) -> None:
    missing = NotMeasured("valgrind is not installed")
    assert Reference({}, COMPILERS, LIMITS).of(cell, missing) == missing


def test_a_lock_with_a_mistake_is_reported_in_place_of_a_comparison(cell: Cell) -> None:
    found = Reference({}, COMPILERS, {}, trouble="x.lock:3:1: error: bad").of(cell, counted())
    assert found == NotMeasured("x.lock:3:1: error: bad")


# --- accepting

KNOWN = Known(variants=("old", "mid"), loads=("mixed", "swap"), caches=CACHES)


def test_accepting_replaces_what_was_counted_and_leaves_the_rest(cell: Cell) -> None:
    elsewhere = Machine("gcc 13", "glibc 2.40", "valgrind-3.22.0", CACHES)
    lock = {
        place(): was(instructions=1.0),
        place(variant="mid"): was(instructions=2.0),
        place(machine=elsewhere): was(instructions=3.0),
    }
    found = counter_lock.accepted(Reference(lock, COMPILERS, LIMITS), [(cell, counted())], KNOWN)
    assert found == {**lock, place(): was(), place("swap"): was()}


def test_a_figure_that_has_not_moved_stays_as_it_was(cell: Cell) -> None:
    lock = {place(): was(instructions=59.996, branches=4.24)}
    lock[place("swap")] = Accepted("76543210", {**NOW, "instructions": 59.996})
    found = counter_lock.accepted(Reference(lock, COMPILERS, LIMITS), [(cell, counted())], KNOWN)
    assert found[place()] == was(instructions=59.996, branches=4.25)
    assert found[place("swap")] == was()  # other arguments, so no accepted figure can be kept


def test_what_no_machine_can_ask_for_any_more_is_gone() -> None:
    old_caches = Machine("gcc 13", "glibc 2.40", "valgrind-3.22.0", "I1 1/1/1")
    lock = {place(variant="gone"): was(), place("gone"): was(), place(machine=old_caches): was()}
    assert counter_lock.accepted(Reference(lock, COMPILERS, LIMITS), [], KNOWN) == {}


def test_what_was_not_counted_is_not_accepted(cell: Cell) -> None:
    other = replace(cell, variant=replace(cell.variant, name="mid"))
    cells: list[tuple[Cell, Counters | NotMeasured]] = [
        (cell, NotMeasured("valgrind is not installed")),
        (other, counted(swap=NotMeasured("no"))),
    ]
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
