"""`reported.story_of`: reported figures compared with measured ones, without any variant's name."""

from __future__ import annotations

from dataclasses import replace

import report_samples as samples

from layermatrix.analysis import figures
from layermatrix.analysis.results import Results
from layermatrix.analysis.story import Direction, Extent, Span, Standing, Step, Verdict
from layermatrix.evidence import bench


def step(record: Results, measure: str, child: str) -> Step:
    return next(s for s in record.story.steps if (s.measure, s.child) == (measure, child))


def sentence(record: Results, start: str) -> str:
    return next(line for line in record.story.sentences if line.startswith(start))


def test_a_child_with_fewer_instructions_agrees() -> None:
    found = step(samples.phases(), "code", "mid")
    assert (found.expected, found.measured, found.agrees) == (Direction.LOWER, Direction.LOWER, True)
    assert (found.parent_value, found.child_value) == (800, 300)


def test_a_child_with_more_instructions_is_reported_as_such() -> None:
    record = samples.record([samples.cell("old"), samples.cell("mid", asm=samples.asm(900))])
    assert step(record, "code", "mid").agrees is False
    assert "NOT as reported: mid is higher than old" in sentence(record, "Instructions of alloc")
    assert record.story.agrees is False


def test_a_child_with_its_parents_layers_is_expected_not_to_differ() -> None:
    record = samples.phases()
    found = step(record, "speed", "split")
    assert (found.expected, found.measured, found.agrees) == (Direction.SAME, Direction.SAME, True)
    slower = samples.record([samples.cell("new"), samples.cell("split", bench=samples.bench(0.9))])
    assert step(slower, "speed", "split").agrees is False


def test_of_a_child_that_does_more_with_its_parents_layers_nothing_is_expected() -> None:
    about = {name: samples.about(name) for name in ("new", "split")}
    about["split"] = replace(about["split"], settings={**about["new"].settings, "checks": "full"})
    cells = [samples.cell("new"), samples.cell("split", asm=samples.asm(99))]
    assert samples.record(cells, variants=about).story.steps == ()
    about["split"] = replace(about["split"], settings={**about["new"].settings, "layout": "modules"})
    assert step(samples.record(cells, variants=about), "code", "split").agrees is False


def test_of_a_child_with_other_layers_nothing_is_expected_unless_it_is_reported() -> None:
    other = samples.cell("split", layers=("Array", "Refill"))
    record = samples.record([samples.cell("new"), other])
    assert record.story.steps == ()
    again = samples.cell("split", layers=("Array", "Refill"), reported={"asm_lines": "50-100"})
    record = samples.record([samples.cell("new"), again])
    assert step(record, "code", "split").projected == Span(0.25, 100 / 150)


def test_overlapping_intervals_leave_it_undecided_who_is_faster() -> None:
    cells = [
        samples.cell("old", bench=samples.bench(0.5, 0.2)),
        samples.cell("mid", bench=samples.bench(0.6, 0.2)),
    ]
    record = samples.record(cells)
    assert step(record, "speed", "mid").measured is Direction.WITHIN
    assert step(record, "speed", "mid").agrees is None
    assert "mid against old lies within the spread" in sentence(record, "Speed on mixed")


def test_a_single_round_decides_nothing() -> None:
    record = samples.record([samples.cell("old", bench=samples.bench(0.5, 0)), samples.cell("mid")])
    assert step(record, "speed", "mid").agrees is None
    standings = {item.variant: item.measured for item in record.story.standings}
    assert standings == {"old": Standing.UNDECIDED, "mid": Standing.SLOWER}
    assert "mid against old was timed in too few rounds" in sentence(record, "Speed on mixed")


def test_too_few_rounds_decide_nothing_however_clear_they_look() -> None:
    few = samples.bench(0.5, 0.01)
    loads = {
        name: replace(load, ratio=replace(load.ratio, verdict=bench.Verdict.OPEN))
        for name, load in few.loads.items()
        if isinstance(load, bench.Timing) and isinstance(load.ratio, bench.Ratio)
    }
    record = samples.record([samples.cell("old", bench=replace(few, loads=loads)), samples.cell("mid")])
    standings = {item.variant: item.measured for item in record.story.standings}
    assert standings == {"old": Standing.UNDECIDED, "mid": Standing.SLOWER}
    assert "mid against old was timed in too few rounds" in sentence(record, "Speed on mixed")


def test_reported_figures_define_how_far_a_step_should_go() -> None:
    cells = [samples.cell("old", asm=samples.asm(1000)), samples.cell("mid", asm=samples.asm(900))]
    found = step(samples.record(cells), "code", "mid")
    assert found.projected == Span(0.5, 0.6)
    assert found.extent is Extent.LESS_FAR


def test_a_missing_ancestor_is_skipped() -> None:
    found = step(samples.record([samples.cell("old"), samples.cell("new")]), "code", "new")
    assert found.parent == "old"


def test_what_was_not_measured_gives_its_reason_and_no_verdict() -> None:
    record = samples.record([samples.cell(name, counters=samples.NOT_INSTALLED) for name in ("old", "mid")])
    assert step(record, "misses", "mid").agrees is None
    assert sentence(record, "L1 misses") == "L1 misses per op: not measured (old: valgrind is not installed)."


def test_cells_of_other_modes_and_sanitizers_have_no_story() -> None:
    record = samples.record([samples.cell("old", mode="debug"), samples.cell("mid", sanitizer="asan")])
    assert record.story.steps == ()


def test_each_compiler_has_a_story_of_its_own() -> None:
    cells = [
        samples.cell(name, compiler=compiler) for compiler in ("gcc", "clang") for name in ("old", "mid")
    ]
    record = samples.record(cells)
    assert {found.config for found in record.story.steps} == {"gcc", "clang"}
    assert all(line.startswith(("gcc: ", "clang: ")) for line in record.story.sentences)


def test_standing_against_the_baseline_follows_from_the_interval_of_the_ratio() -> None:
    cells = [
        samples.cell("old", bench=samples.bench(1.01, 0.05)),
        samples.cell("new", bench=samples.bench(1.2)),
    ]
    standings = {item.variant: item for item in samples.record(cells).story.standings if item.verdict}
    assert (standings["old"].measured, standings["old"].verdict) == (Standing.SAME, Verdict.BETTER)
    assert (standings["new"].measured, standings["new"].expected) == (Standing.FASTER, Standing.SLOWER)


def test_being_better_than_reported_is_no_disagreement() -> None:
    assert samples.phases().story.agrees is True


def test_being_worse_than_reported_is_one() -> None:
    reported = {"mops": "100"}
    record = samples.record([samples.cell("old", reported=reported, bench=samples.bench(0.5))])
    assert record.story.agrees is False
    assert "Worse than reported: old (reported: no difference)" in sentence(
        record, "Against the system malloc on mixed"
    )


def test_debug_strings_in_a_variant_that_guards_them_are_named() -> None:
    record = samples.record([samples.cell("old"), samples.cell("mid", guards=samples.guards(3))])
    assert sentence(record, "Debug strings").endswith("NOT as reported: mid should have none.")


def test_a_reported_range_is_read_as_numbers() -> None:
    assert figures.reported_range("1000-1200") == (1000, 1200)
    assert figures.reported_range("23.6") == (23.6, 23.6)
    assert figures.reported_range(None) is None
    assert figures.reported_range("unknown") is None
