"""`deviations`: causes, from counters and code, of results that differ from the report."""

from __future__ import annotations

from dataclasses import replace

import report_samples as samples

from layermatrix.analysis.results import Results
from layermatrix.analysis.story import CounterPair, Deviation
from layermatrix.evidence.binary.counts import Share, Sums


def deviations(record: Results, variant: str, against: str) -> list[Deviation]:
    found = record.story.deviations
    return [item for item in found if (item.variant, item.against) == (variant, against)]


def test_what_is_as_reported_needs_no_reason() -> None:
    """The report has 2000 and 1000 to 1200 lines. It has no speeds."""
    lines = {"old": {"asm_lines": "2000"}, "mid": {"asm_lines": "1000-1200"}}
    cells = [
        samples.cell("old", asm=samples.asm(1000), reported=lines["old"]),
        samples.cell("mid", asm=samples.asm(550), reported=lines["mid"]),
    ]
    assert samples.record(cells).story.deviations == ()


def test_misses_of_data_are_set_apart_from_misses_of_code() -> None:
    cells = [
        samples.cell("old", counters=samples.counters(60, 0.01, 0.9)),
        samples.cell("mid", counters=samples.counters(30, 0.5, 0.4)),
    ]
    record = samples.record(cells)
    (item,) = [item for item in deviations(record, "mid", "old") if item.figure.startswith("L1 misses")]
    assert item.verdict == "not as reported"
    assert item.why == (
        (
            "old misses 0.900 times per op for data, 0.010 times for code: "
            "the length of its path is not what misses."
        ),
        "mid misses 0.400 times per op for data, 0.500 times for code.",
    )


def test_speed_that_falls_short_is_set_beside_what_is_executed() -> None:
    cells = [
        samples.cell("old", asm=samples.asm(800), bench=samples.bench(0.5)),
        samples.cell("mid", asm=samples.asm(80), bench=samples.bench(0.6)),
    ]
    (item,) = [item for item in deviations(samples.record(cells), "mid", "old") if "Speed" in item.figure]
    assert item.verdict == "less far than reported"
    assert item.why == (
        "mid executes 30.0 instructions per op, old 60.0: 0.50x.",
        (
            "The path is 0.10x as long, but a hit leaves it at the first layer that can serve it: "
            "the later layers take up room, not time."
        ),
        (
            "The benchmark's own share, the same for all: 0.5 instructions "
            "and 0.500 mispredicted branches per op."
        ),
    )


def test_what_lies_within_the_spread_is_not_called_deviations() -> None:
    cells = [
        samples.cell("old", bench=samples.bench(0.5, 0.2)),
        samples.cell("mid", bench=samples.bench(0.6, 0.2)),
    ]
    (item,) = [item for item in deviations(samples.record(cells), "mid", "old") if "Speed" in item.figure]
    assert item.verdict == "less far than reported, within the spread"


def test_without_counters_no_cause_is_named() -> None:
    cells = [
        samples.cell(name, bench=samples.bench(ratio), counters=samples.NOT_INSTALLED)
        for name, ratio in (("old", 0.5), ("mid", 0.6))
    ]
    (item,) = [item for item in deviations(samples.record(cells), "mid", "old") if "Speed" in item.figure]
    assert item.counters == ()
    assert item.why == ("What one op executes was not counted, so the cause is not known.",)


def test_a_shorter_path_is_laid_at_the_layers_that_are_gone() -> None:
    whole, shares = samples.asm(800), {"stack": 100, "ring": 300, "frame": 400}
    own = {name: Share(**samples.sums(count), hit=Sums(**samples.sums(9))) for name, count in shares.items()}
    alloc = replace(whole.entries["alloc"], layers=own)
    before = replace(whole, entries={**whole.entries, "alloc": alloc})
    cells = [samples.cell("old", asm=before), samples.cell("mid", asm=samples.asm(100))]
    about = {name: samples.about(name) for name in ("old", "mid")}
    left = tuple(layer for layer in about["mid"].layers if layer.name != "ring")
    about["mid"] = replace(about["mid"], layers=left)
    record = samples.record(cells, variants=about)
    (item,) = [item for item in deviations(record, "mid", "old") if item.figure.startswith("Instructions of")]
    assert item.verdict == "farther than reported"
    assert item.why == (
        "Of the 800 instructions of old, 300 belong to the layers that mid leaves out (Ring).",
        "The settings (debug output always → guarded) removed another 400.",
    )


def test_a_standing_that_is_not_as_reported_is_explained_by_what_both_execute() -> None:
    record = samples.record([samples.cell("old", bench=samples.bench(1.2))])
    (item,) = deviations(record, "old", "system malloc")
    assert item.verdict == "better than reported"
    assert item.why == (
        (
            "old and the system malloc, per op: instructions 60.0 and 40.0; "
            "mispredicted branches 0.125 and 0.125; L1 misses 0.910 and 0.320."
        ),
        "old is reported to miss L1 2.0 times per op; here it is 0.910, 1.910 with the benchmark's own.",
        (
            "The system malloc is reported to miss L1 0.17 times per op; "
            "here it is 0.320, 1.320 with the benchmark's own."
        ),
    )
    assert item.counters[0] == CounterPair("instructions", 40.0, 60.0, 1.5)
