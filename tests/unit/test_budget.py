"""Budgets: figures within and over budget, and the explanation of a figure over budget."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import pytest

from layermatrix.core.records import NotMeasured
from layermatrix.evidence import budget
from layermatrix.evidence.asm import Asm, Size
from layermatrix.evidence.binary.counts import Counts, Entry, Hit, Share, Sums
from layermatrix.evidence.kind import Status
from layermatrix.model.budgets import CODE_METRICS, ENTRY_METRICS, LIBRARY_METRICS


@dataclass(frozen=True)
class Limit:
    most: int
    place: str = "variants/mine.yaml:7"


def sums(instructions: int, calls: int = 0) -> dict[str, int]:
    counts = dict.fromkeys(("nops", "branches", "tail_calls", "atomics", "spills"), 0)
    return {**counts, "instructions": instructions, "calls": calls, "bytes": 4 * instructions}


def share(whole: int, hit: int) -> Share:
    return Share(**sums(whole), hit=Sums(**sums(hit)))


NOT_KNOWN = NotMeasured("computed")
ENTRY = Entry(
    **sums(30, calls=2),
    stack=24,
    cache_lines=2,
    function="take",
    probe="probe_take",
    lines=NOT_KNOWN,
    hit=Hit(**sums(12), stack=NOT_KNOWN, cache_lines=1, layers=("frame", "top")),
    layers={"frame": share(10, 4), "top": share(12, 8), "bottom": share(8, 0)},
)


def counted(entry: Entry = ENTRY) -> Asm:
    """Evidence `asm` of one entry: 30 instructions, 12 of them in a hit, from two layers and the frame."""
    return Asm("x86_64", {"take": entry}, Size(text=9000, tls=400))


ORIGINS = {"top": "templates/layers/top.h.j2, variants/layers.yaml:12"}
OLDER = {"frame": share(10, 5), "gone": share(40, 15), "top": share(20, 0)}
ANCESTOR = ("old-release-gcc", counted(replace(ENTRY, instructions=70, layers=OLDER)))


def judged(
    metric: str, most: int, *, entry: str = "take", asm: Asm | NotMeasured | None = None
) -> budget.Budget:
    return budget.judge(asm or counted(), {entry: {metric: Limit(most)}}, ANCESTOR, ORIGINS)


def log(record: budget.Budget) -> str:
    (check,) = budget.KIND.judge(record)
    return check.log


@pytest.mark.parametrize(
    ("entry", "metric", "value"),
    [("take", "instructions", 30), ("take", "hit_instructions", 12), ("take", "hit_calls", 0),
     ("library", "text", 9000), ("library", "tls", 400)],
)  # fmt: skip
def test_a_figure_may_be_as_large_as_its_limit_and_no_larger(entry: str, metric: str, value: int) -> None:
    within = judged(metric, value, entry=entry)
    (check,) = budget.KIND.judge(within)
    assert (within.over, check.status, check.log) == ((), Status.PASSED, "")
    assert within.figures[0].value == value
    if value > 0:
        (over,) = judged(metric, value - 1, entry=entry).over
        assert (over.value, over.limit) == (value, value - 1)


def test_a_figure_over_its_limit_fails_with_the_line_that_sets_it() -> None:
    (check,) = budget.KIND.judge(judged("hit_instructions", 11))
    assert check.status is Status.FAILED
    assert check.reason == "take hit_instructions is 12, and the limit is 11 (variants/mine.yaml:7)"


def test_a_figure_over_its_limit_comes_with_each_layer_beside_the_ancestor() -> None:
    (over,) = judged("hit_instructions", 11).over
    assert over.ancestor == "old-release-gcc"
    assert [(item.layer, item.value, item.ancestor) for item in over.layers] == [
        ("frame", 4, 5), ("top", 8, 0), ("gone", 0, 15),
    ]  # fmt: skip
    assert over.layers[1].origin == ORIGINS["top"]


def test_the_log_shows_the_difference_and_where_the_layer_is_written() -> None:
    lines = log(judged("hit_instructions", 11)).splitlines()
    assert lines[1] == "  old-release-gcc has 12"
    (top,) = [line for line in lines if line.split()[0] == "top"]
    assert top.split() == ["top", "8", "+8", "templates/layers/top.h.j2,", "variants/layers.yaml:12"]
    assert [line.split() for line in lines if line.split()[0] in ("frame", "gone")] == [
        ["frame", "4", "-1"], ["gone", "0", "-15"],
    ]  # fmt: skip


def test_limits_with_the_same_layers_show_them_once() -> None:
    limits = {"take": {"instructions": Limit(29), "stack": Limit(8), "bytes": Limit(9)}}
    message = log(budget.judge(counted(), limits, ANCESTOR, ORIGINS))
    assert message.count("over budget: ") == 3
    assert message.count(" by layer, compared with ") == 2


def test_without_an_ancestor_there_is_no_difference() -> None:
    record = budget.judge(counted(), {"take": {"instructions": Limit(1)}}, None, ORIGINS)
    assert record.over[0].ancestor is None
    assert "+" not in log(record)
    assert "(no ancestor was built)" in log(record)


def test_bytes_are_reported_by_layer_and_what_does_not_add_up_by_instructions() -> None:
    (over,) = judged("bytes", 100).over
    assert sum(item.value for item in over.layers) == 120
    (over,) = judged("stack", 8).over
    assert over.shares == "instructions"
    assert sum(item.value for item in over.layers) == 30


NO_RETURN = NotMeasured("no way to a return")


@pytest.mark.parametrize(
    ("metric", "asm", "reason"),
    [
        ("hit_instructions", counted(replace(ENTRY, hit=NO_RETURN)), "no way to a return"),
        ("stack", counted(replace(ENTRY, stack=NOT_KNOWN)), "computed"),
        ("instructions", NotMeasured("no such file"), "no such file"),
        ("hit_function", counted(), "function is not counted"),
    ],
)
def test_what_was_not_counted_is_not_within_budget(metric: str, asm: Asm | NotMeasured, reason: str) -> None:
    (over,) = judged(metric, 1000, asm=asm).over
    sentence = f"take {metric} is not known, and the limit is 1,000 (variants/mine.yaml:7): {reason}"
    assert over.sentence == sentence


def test_an_entry_that_was_not_counted_is_not_within_budget() -> None:
    assert "entry 'give' was not counted" in judged("calls", 0, entry="give").over[0].sentence


def test_every_metric_of_the_spec_is_one_that_is_counted() -> None:
    names = {part.name for part in fields(Counts)}
    assert set(CODE_METRICS) <= names
    along = {f"hit_{name}" for name in CODE_METRICS} - {"hit_tail_calls"}
    assert set(ENTRY_METRICS) == {*CODE_METRICS, *along}
    assert tuple(part.name for part in fields(Size)) == LIBRARY_METRICS
