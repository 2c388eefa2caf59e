"""`why`: causes, named from counters and code, of what went otherwise than it was told."""

from __future__ import annotations

from typing import Any

import report_samples as samples

Record = dict[str, Any]


def wrong(record: Record, variant: str, against: str) -> list[Record]:
    found: list[Record] = record["story"]["wrong"]
    return [item for item in found if (item["variant"], item["against"]) == (variant, against)]


def test_what_is_as_it_was_told_needs_no_reason() -> None:
    """900 instructions of 2000 and 1000 to 1200 were told; speeds are not quoted."""
    quoted = {"old": {"asm_lines": "2000"}, "mid": {"asm_lines": "1000-1200"}}
    cells = [
        samples.cell("old", asm=samples.asm(1000), quoted=quoted["old"]),
        samples.cell("mid", asm=samples.asm(550), quoted=quoted["mid"]),
    ]
    assert samples.record(cells)["story"]["wrong"] == []


def test_misses_of_data_are_told_from_misses_of_code() -> None:
    cells = [
        samples.cell("old", counters=samples.counters(60, 0.01, 0.9)),
        samples.cell("mid", counters=samples.counters(30, 0.5, 0.4)),
    ]
    record = samples.record(cells)
    (item,) = [item for item in wrong(record, "mid", "old") if item["figure"].startswith("L1 misses")]
    assert item["verdict"] == "not as told"
    assert item["why"] == [
        (
            "old misses 0.900 times an operation for data, 0.010 times for code: "
            "the length of its path is not what misses."
        ),
        "mid misses 0.400 times an operation for data, 0.500 times for code.",
    ]


def test_speed_that_falls_short_is_set_beside_what_is_executed() -> None:
    cells = [
        samples.cell("old", asm=samples.asm(800), bench=samples.bench(0.5)),
        samples.cell("mid", asm=samples.asm(80), bench=samples.bench(0.6)),
    ]
    (item,) = [item for item in wrong(samples.record(cells), "mid", "old") if "Speed" in item["figure"]]
    assert item["verdict"] == "less far than told"
    assert item["why"] == [
        "An operation of mid executes 30.0 instructions, one of old 60.0: 0.50x.",
        (
            "The path is 0.10x as long, but a hit leaves it at the first layer that has a block: "
            "what lies behind costs room, not time."
        ),
        (
            "The benchmark's own share, the same for all: 0.5 instructions "
            "and 0.500 mispredicted branches an operation."
        ),
    ]


def test_what_lies_within_the_spread_is_not_called_wrong() -> None:
    cells = [
        samples.cell("old", bench=samples.bench(0.5, 0.2)),
        samples.cell("mid", bench=samples.bench(0.6, 0.2)),
    ]
    (item,) = [item for item in wrong(samples.record(cells), "mid", "old") if "Speed" in item["figure"]]
    assert item["verdict"] == "less far than told, within the spread"


def test_without_counters_no_cause_is_named() -> None:
    cells = [
        samples.cell(name, bench=samples.bench(ratio), counters=samples.absent("counters"))
        for name, ratio in (("old", 0.5), ("mid", 0.6))
    ]
    (item,) = [item for item in wrong(samples.record(cells), "mid", "old") if "Speed" in item["figure"]]
    assert item["counters"] == []
    assert item["why"] == ["What an operation executes was not counted, so the cause is not known."]


def test_a_shorter_path_is_laid_at_the_layers_that_are_gone() -> None:
    before, after = samples.asm(800), samples.asm(100)
    before["entries"]["alloc"]["layers"] = {
        "stack": {"instructions": 100, "hit": 9},
        "ring": {"instructions": 300, "hit": 0},
        "frame": {"instructions": 400, "hit": 9},
    }
    cells = [samples.cell("old", asm=before), samples.cell("mid", asm=after)]
    about = {name: samples.about(name) for name in ("old", "mid")}
    about["mid"]["layers"] = [layer for layer in about["mid"]["layers"] if layer["name"] != "ring"]
    record = samples.record(cells, variants=about)
    (item,) = [item for item in wrong(record, "mid", "old") if item["figure"].startswith("Instructions of")]
    assert item["verdict"] == "farther than told"
    assert item["why"] == [
        "Of the 800 instructions of old, 300 belong to the layers that mid leaves out (Ring).",
        "Another 400 went with debug output always → guarded.",
    ]


def test_a_standing_that_was_not_told_is_explained_by_what_both_execute() -> None:
    record = samples.record([samples.cell("old", bench=samples.bench(1.2))])
    (item,) = wrong(record, "old", "system malloc")
    assert item["verdict"] == "better than told"
    assert item["why"] == [
        (
            "An operation of old and of the system malloc: instructions 60.0 and 40.0; "
            "mispredicted branches 0.125 and 0.125; L1 misses 0.910 and 0.320."
        ),
        "old was told to miss L1 2.0 times an operation; here it is 0.910, 1.910 with the benchmark's own.",
        (
            "The system malloc was told to miss L1 0.17 times an operation; "
            "here it is 0.320, 1.320 with the benchmark's own."
        ),
    ]
    assert item["counters"][0] == {"name": "instructions", "before": 40.0, "after": 60.0, "ratio": 1.5}
