"""Budgets: what is kept, what is broken, and what a broken one is explained with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from layermatrix.core import records
from layermatrix.evidence import budget
from layermatrix.model.budgets import CODE_METRICS, ENTRY_METRICS, LIBRARY_METRICS


@dataclass(frozen=True)
class Limit:
    most: int
    place: str = "variants/mine.yaml:7"


def share(whole: int, hit: int) -> dict[str, Any]:
    return {"instructions": whole, "bytes": 4 * whole, "hit": {"instructions": hit, "bytes": 4 * hit}}


def counted(**changes: Any) -> records.Record:
    """A record `asm` of one entry: 30 instructions, 12 of them in a hit, of two layers and the frame."""
    hit = {"instructions": 12, "calls": 0, "stack": None, "bytes": 48}
    entry = {
        "instructions": 30,
        "calls": 2,
        "stack": 24,
        "bytes": 120,
        "hit": hit,
        "hit_reason": None,
        "layers": {"frame": share(10, 4), "top": share(12, 8), "bottom": share(8, 0)},
    }
    library = {"text": 9000, "tls": 400}
    made = {"entries": {"take": {**entry, **changes}}, "library": library, "library_reason": None}
    return records.measured("asm", arch="x86_64", **made)


ORIGINS = {"top": "templates/layers/top.h.j2, variants/layers.yaml:12"}
ANCESTOR = (
    "old-release-gcc",
    counted(instructions=70, layers={"frame": share(10, 5), "gone": share(40, 15), "top": share(20, 0)}),
)


def judged(
    metric: str, most: int, *, entry: str = "take", asm: records.Record | None = None
) -> records.Record:
    limits = {entry: {metric: Limit(most)}}
    return records.check(budget.judge(asm or counted(), limits, ANCESTOR, ORIGINS), "budget")


@pytest.mark.parametrize(
    ("entry", "metric", "value"),
    [("take", "instructions", 30), ("take", "hit_instructions", 12), ("take", "hit_calls", 0),
     ("library", "text", 9000), ("library", "tls", 400)],
)  # fmt: skip
def test_a_figure_may_be_as_large_as_its_limit_and_no_larger(entry: str, metric: str, value: int) -> None:
    kept = judged(metric, value, entry=entry)
    assert (kept["broken"], kept["failures"], kept["log"]) == ([], [], "")
    assert kept["figures"][0]["value"] == value
    if value > 0:
        (broken,) = judged(metric, value - 1, entry=entry)["broken"]
        assert (broken["value"], broken["limit"]) == (value, value - 1)


def test_a_broken_limit_names_figure_limit_and_the_line_that_sets_it() -> None:
    record = judged("hit_instructions", 11)
    assert record["failures"] == ["take hit_instructions is 12, and 11 is the most (variants/mine.yaml:7)"]


def test_a_broken_limit_comes_with_each_layer_beside_the_ancestor() -> None:
    (broken,) = judged("hit_instructions", 11)["broken"]
    assert broken["ancestor"] == "old-release-gcc"
    assert [(item["layer"], item["value"], item["ancestor"]) for item in broken["layers"]] == [
        ("frame", 4, 5), ("top", 8, 0), ("gone", 0, 15),
    ]  # fmt: skip
    assert broken["layers"][1]["from"] == ORIGINS["top"]


def test_the_log_shows_the_difference_and_where_the_layer_is_written() -> None:
    lines = judged("hit_instructions", 11)["log"].splitlines()
    assert lines[1] == "  old-release-gcc has 12"
    (top,) = [line for line in lines if line.split()[0] == "top"]
    assert top.split() == ["top", "8", "+8", "templates/layers/top.h.j2,", "variants/layers.yaml:12"]
    assert [line.split() for line in lines if line.split()[0] in ("frame", "gone")] == [
        ["frame", "4", "-1"], ["gone", "0", "-15"],
    ]  # fmt: skip


def test_limits_with_the_same_layers_show_them_once() -> None:
    limits = {"take": {"instructions": Limit(29), "stack": Limit(8), "bytes": Limit(9)}}
    log = budget.judge(counted(), limits, ANCESTOR, ORIGINS)["log"]
    assert log.count("over budget: ") == 3
    assert log.count(" by layer, beside ") == 2


def test_without_an_ancestor_there_is_no_difference() -> None:
    record = budget.judge(counted(), {"take": {"instructions": Limit(1)}}, None, ORIGINS)
    assert record["broken"][0]["ancestor"] is None
    assert "+" not in record["log"]
    assert "(no ancestor was built)" in record["log"]


def test_bytes_are_told_by_layer_and_what_does_not_add_up_by_instructions() -> None:
    (broken,) = judged("bytes", 100)["broken"]
    assert sum(item["value"] for item in broken["layers"]) == 120
    (broken,) = judged("stack", 8)["broken"]
    assert broken["shares"] == "instructions"
    assert sum(item["value"] for item in broken["layers"]) == 30


@pytest.mark.parametrize(
    ("metric", "asm", "reason"),
    [
        ("hit_instructions", counted(hit=None, hit_reason="no way to a return"), "no way to a return"),
        ("stack", counted(stack=None, stack_reason="computed"), "computed"),
        ("instructions", records.not_measured("asm", "no such file"), "no such file"),
        ("hit_stack", counted(), "nobody counts it"),
    ],
)
def test_what_was_not_counted_is_not_kept(metric: str, asm: records.Record, reason: str) -> None:
    record = judged(metric, 1000, asm=asm)
    assert record["failures"] == [
        f"take {metric} is not known, and 1,000 is the most (variants/mine.yaml:7): {reason}"
    ]


def test_an_entry_that_was_not_counted_is_not_kept() -> None:
    assert "entry 'give' was not counted" in judged("calls", 0, entry="give")["failures"][0]


def test_a_cell_without_a_budget_is_not_measured() -> None:
    assert budget.judge(counted(), {}, ANCESTOR, ORIGINS)["reason"] == "no budget is set for this cell"


def test_every_metric_of_the_spec_is_one_that_is_counted() -> None:
    import test_flow

    from layermatrix.evidence import asm
    from layermatrix.evidence.binary import elf

    code = bytes.fromhex("".join(test_flow.BRANCHING))
    text = elf.Section(0, ".text", True, True, code)
    symbol = elf.Symbol("here", "STT_FUNC", 0, 0, len(code))
    whole = asm.count_code(elf.ObjectFile("EM_X86_64", (text,), (symbol,), ()), "here", cache_line=64)
    assert set(CODE_METRICS) <= set(whole)
    along = {f"hit_{name}" for name in CODE_METRICS} - {"hit_tail_calls"}
    assert set(ENTRY_METRICS) == {*CODE_METRICS, *along}
    assert LIBRARY_METRICS == ("text", "tls")
