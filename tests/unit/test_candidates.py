"""`candidates`, `tuned` and `recommendation`: what is tried, how it is judged, and what is recommended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import report_samples as samples

from layermatrix.analysis import recommendation
from layermatrix.analysis.comparison import Side, Word
from layermatrix.analysis.recommendation import Judgement
from layermatrix.build.failure import Failure
from layermatrix.core.records import NotMeasured
from layermatrix.evidence.bench import SMALLEST_EFFECT, Bench
from layermatrix.evidence.counters import Counters
from layermatrix.model import candidates, tuned
from layermatrix.model.candidates import Candidate, Change, How
from layermatrix.model.catalogue import Unit
from layermatrix.model.project import Project
from layermatrix.spec.loader import load_project

DROP_A, DROP_B, ADD_C = Change(How.WITHOUT, "a"), Change(How.WITHOUT, "b"), Change(How.WITH, "c")
TITLES = {"a": "Layer A", "b": "Layer B", "c": "Layer C"}
TUNE = """
tune:
  base:
    loads: {mixed: 1}
    capacity: {stack: {min: 8, max: 64, step: 8}}
    bytes: {list: {min: 1024, max: 65536, log: on}}
    options: {eager: {choices: [on, off]}, batch: {min: 1, max: 64}}
    settings: {layout: {choices: [unity, modules]}}
    keys_of: [base, wide]
"""
WIDE = "doc: Other classes.\nclasses: {C0: 16, C1: 32, C2: 48, C3: 64}\nlayers: [list, refill]\n"


@pytest.fixture
def toy(project: Callable[..., Path]) -> Project:
    from toy_specs import FILES

    return load_project(project(wide=WIDE, matrix=str(FILES["matrix"]) + TUNE))


def of(*changes: Change) -> Candidate:
    return Candidate("x" + "".join(change.suffix for change in changes), "X.", "", changes)


def judged(word: Word | None, effect: float, *changes: Change, evidence: str = "so") -> Judgement:
    return Judgement(of(*changes), word, effect, evidence)


# --- what is tried


def test_each_layer_is_left_out_and_each_other_one_is_added(toy: Project) -> None:
    every = list(toy.catalogue.layers)
    made = candidates.singles(toy.variants["base"], toy.catalogue, every, every)
    assert [one.name for one in made] == [
        "base_without_stack",
        "base_without_list",
        "base_without_refill",
        "base_with_ring",
    ]
    assert made[0].text == "doc: base without Stack.\nextends: base\nremove: [stack]\n"
    assert made[3].text == "doc: base with Ring.\nextends: base\nadd: [{layer: ring}]\n"


def test_layers_can_be_chosen(toy: Project) -> None:
    made = candidates.singles(toy.variants["base"], toy.catalogue, ["stack", "ring"], [])
    assert [one.changes for one in made] == [(Change(How.WITHOUT, "stack"),)]


def test_pairs_with_the_largest_effects_come_first_and_the_rest_is_counted(toy: Project) -> None:
    effects = {
        Change(How.WITHOUT, "stack"): -0.01,
        Change(How.WITHOUT, "list"): 0.5,
        Change(How.WITH, "ring"): -0.2,
    }
    made, more = candidates.pairs(toy.variants["base"], toy.catalogue, effects, 2)
    assert [one.name for one in made] == ["base_without_list_with_ring", "base_without_stack_without_list"]
    assert more == 1
    assert made[0].text.splitlines()[-2:] == ["remove: [list]", "add: [{layer: ring}]"]
    assert candidates.pairs(toy.variants["base"], toy.catalogue, {}, 6) == ([], 0)


# --- how it is judged


def side(name: str, counts: Counters | None = None, bench: Bench | None = None, **changes: Any) -> Side:
    counted = counts or NotMeasured("valgrind is not installed")
    cell = replace(samples.cell("new", counters=counted), variant=name, id=f"{name}-release-gcc")
    return replace(samples.side(cell, bench or NotMeasured("it was not timed"), None), **changes)


def judge(base: Side, other: Side) -> Judgement:
    return recommendation.judge(of(DROP_A), base, other, ["mixed"], Unit(), SMALLEST_EFFECT)


def test_fewer_instructions_are_better_and_are_the_evidence() -> None:
    found = judge(side("x", samples.counters(30, 0, 0.3)), side("y", samples.counters(27, 0, 0.3)))
    assert found.word is Word.BETTER
    assert found.evidence == "10.0% fewer instructions on mixed"
    assert found.effect < 0


def test_equal_counts_are_no_difference() -> None:
    found = judge(side("x", samples.counters(30, 0, 0.3)), side("y", samples.counters(30, 0, 0.3)))
    assert (found.word, found.effect, found.evidence) == (Word.SAME, 0.0, "no difference on mixed")


@pytest.mark.parametrize(("misses", "word"), [(0.1, Word.BETTER), (2.0, Word.WORSE)])
def test_if_counts_disagree_the_estimated_cycles_decide(misses: float, word: Word) -> None:
    before, after = samples.counters(30, 0.0, 0.3), samples.counters(27, misses, 0.3)
    found = judge(side("x", before), side("y", after))
    assert found.word is word
    assert "fewer instructions on mixed" in found.evidence
    assert f"{'fewer' if word is Word.BETTER else 'more'} estimated cycles" in found.evidence


def test_speed_decides_where_it_was_timed_and_differs() -> None:
    slow, fast = samples.timed([10.0] * 7), samples.timed([12.0] * 7)
    base = side("x", samples.counters(30, 0, 0.3), slow)
    found = judge(base, side("y", samples.counters(33, 0, 0.3), fast))
    assert found.word is Word.BETTER
    assert found.evidence == "10.0% more instructions on mixed; 20.0% faster on mixed"
    same = judge(base, side("y", samples.counters(33, 0, 0.3), slow))
    assert same.word is Word.WORSE


def test_the_loads_on_which_a_figure_moved_are_named_together() -> None:
    base, other = side("x", samples.counters(30, 0, 0.3)), side("y", samples.counters(27, 0, 0.3))
    found = recommendation.judge(of(DROP_A), base, other, ["mixed", "swap"], Unit(), SMALLEST_EFFECT)
    assert found.evidence == "10.0% fewer instructions on mixed, 10.0% on swap"


def test_what_was_not_built_or_measured_is_not_judged() -> None:
    base = side("x", samples.counters(30, 0, 0.3))
    failed = judge(base, side("y", failure=Failure("cc", "no", "y.o")))
    assert (failed.word, failed.evidence) == (None, "not built: y.o failed")
    assert judge(base, side("y")).word is None


# --- what is recommended


def test_the_largest_gain_wins() -> None:
    rows = [judged(Word.BETTER, -0.03, DROP_A), judged(Word.BETTER, -0.10, DROP_B)]
    best = recommendation.winner(rows)
    assert best is rows[1]


def test_a_pair_wins_only_if_it_is_clearly_better_than_one_change() -> None:
    single, pair = judged(Word.BETTER, -0.10, DROP_A), judged(Word.BETTER, -0.102, DROP_A, DROP_B)
    assert recommendation.winner([single, pair]) is single
    clear = judged(Word.BETTER, -0.13, DROP_A, DROP_B)
    assert recommendation.winner([single, clear]) is clear


def test_of_equal_gains_the_one_with_fewer_layers_wins() -> None:
    less, more = judged(Word.BETTER, -0.10, DROP_A), judged(Word.BETTER, -0.101, ADD_C)
    assert recommendation.winner([more, less]) is less


def test_without_a_gain_nothing_is_recommended() -> None:
    rows = [judged(Word.SAME, 0, DROP_A), judged(Word.WORSE, 0.1, DROP_B), judged(None, 0, ADD_C)]
    assert recommendation.winner(rows) is None
    lines = recommendation.sentences("x", rows, TITLES, timed=True)
    assert lines == [
        "Recommendation: leave x as it is: no change that was tried is better.",
        "  Layer A has no effect here: without it, so.",
        "  keep Layer B: without it, so.",
        "  with Layer C: so.",
    ]


def test_the_recommendation_comes_first_with_its_evidence_and_interactions_are_named() -> None:
    evidence = "3.1% fewer instructions on larson, no difference elsewhere"
    together = "+10.0% together, -5.0% if they were independent"
    rows = [
        judged(Word.BETTER, -0.03, DROP_A, evidence=evidence),
        judged(Word.BETTER, -0.02, DROP_B),
        judged(Word.WORSE, 0.10, DROP_A, DROP_B),
        judged(Word.WORSE, 0.04, ADD_C),
    ]
    lines = recommendation.sentences("x", rows, TITLES, timed=False)
    assert lines == [
        f"Recommendation: leave out Layer A: {evidence}.",
        "  leave out Layer B: so.",
        "  leave out Layer A and leave out Layer B: worse (so).",
        "  do not add Layer C: with it, so.",
        f"  Layer A and Layer B interact: {together} (estimated cycles, or speed where it decides).",
        "  This is what is counted; rounds=7 also times it.",
    ]


def test_only_single_changes_that_make_a_difference_have_effects() -> None:
    rows = [
        judged(Word.BETTER, -0.03, DROP_A),
        judged(Word.SAME, 0.0, DROP_B),
        judged(None, 0.0, ADD_C),
        judged(Word.WORSE, 0.10, DROP_A, ADD_C),
    ]
    assert recommendation.effects(rows) == {DROP_A: -0.03}


# --- other values


def test_the_values_of_a_variant_are_the_first_to_be_tried(toy: Project) -> None:
    search = toy.matrix.tune["base"]
    assert tuned.present(toy.variants["base"], search) == {
        "settings.layout": "modules",
        "options.eager": "off",
        "options.batch": 8,
        "capacity.stack": 32,
        "bytes.list": 4096,
        "keys_of": "base",
    }
    narrow = replace(search, capacity={"stack": replace(search.capacity["stack"], min=33)})
    assert tuned.present(toy.variants["base"], narrow) is None


def test_values_become_the_file_of_a_variant_that_loads(toy: Project, project: Callable[..., Path]) -> None:
    point: dict[str, str | int] = {
        "settings.layout": "unity", "options.eager": "on", "options.batch": 16, "capacity.stack": 8,
        "bytes.list": 2048, "keys_of": "wide",
    }  # fmt: skip
    made = tuned.candidate(toy.variants["base"], toy.variants, point, "classes")
    assert made.text.splitlines() == [
        "doc: base with other values.",
        "extends: base",
        "# the table of wide",
        "classes: {C0: 16, C1: 32, C2: 48, C3: 64}",
        "set: {layout: unity, options: {eager: on, batch: 16}, capacity: {stack: 8}, bytes: {list: 2048}}",
    ]
    found = load_project(project(wide=WIDE, made=made.text)).variants["made"]
    layers = {layer.name: layer for layer in found.layers}
    assert (layers["stack"].capacity, layers["list"].bytes_bound, found.keys[2].number("size")) == (
        8,
        2048,
        48,
    )
    assert layers["list"].limits == (128, 64, 42, 32)
    assert (found.options["eager"].value, found.options["batch"].value, found.layout) == (True, 16, "unity")


def test_a_layer_that_the_variant_lacks_is_named(toy: Project) -> None:
    search = replace(toy.matrix.tune["base"], capacity={"ring": toy.matrix.tune["base"].capacity["stack"]})
    wrong = tuned.unknown_layer(toy.variants["base"], search)
    assert wrong == "capacity: layer 'ring' is not in base; known: stack, list, refill"
    assert tuned.unknown_layer(toy.variants["base"], toy.matrix.tune["base"]) is None


def mixed(text: str) -> str:
    return f"tune: {{base: {{loads: {{mixed: 1}}, capacity: {{stack: {text}}}}}}}\n"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (mixed("{choices: [8, 16], min: 1}"), "layer 'stack' has 'choices', so that 'min' means nothing"),
        (mixed("{min: 8}"), "layer 'stack' has neither 'choices' nor 'max'; a range has 'min' and 'max'"),
        (mixed("{min: 8, max: 8}"), "'max' is less than 'min', 8, or equal to it"),
        (mixed("{min: 8, max: 64, step: 8, log: on}"), "give 'step' or 'log', not both"),
        (mixed("{min: 0, max: 64, log: on}"), "'min' is 0, and a range with 'log' begins at 1 or more"),
        (mixed("{choices: [8]}"), "'choices' must be a list of 2 or more, not 1"),
        (mixed("{choices: [8, 8]}"), "'8' is in 'choices' twice"),
        ("tune: {base: {loads: {mixed: 1}}}\n", "variant 'base' has nothing to try"),
        (
            "tune: {bas: {loads: {mixed: 1}, keys_of: [base]}}\n",
            "unknown variant 'bas'; did you mean 'base'?",
        ),
        ("tune: {base: {loads: {mxed: 1}, keys_of: [base]}}\n", "unknown load 'mxed'; did you mean 'mixed'?"),
        ("tune: {base: {loads: {mixed: 1}, options: {egaer: {min: 1, max: 2}}}}\n", "unknown option 'egaer'"),
        ("tune: {base: {keys_of: [base]}}\n", "variant 'base' has no 'loads'"),
    ],
)
def test_a_mistake_in_tune_is_reported_at_its_place(
    mistakes: Callable[..., list[str]], text: str, what: str
) -> None:
    from toy_specs import FILES

    (line,) = mistakes(matrix=str(FILES["matrix"]) + text)
    assert line.startswith("variants/matrix.yaml:")
    assert what in line


@pytest.mark.parametrize(
    ("bound", "what"),
    [
        ("{list: 0}", "must be a whole number from 1 to 1073741824, not 0"),
        ("{stack: 64}", "layer 'stack' has no bound in bytes to change"),
        ("{ring: 64}", "layer 'ring' is not in this variant; known: stack, list, refill"),
        ("{lsit: 64}", "unknown layer 'lsit'; did you mean 'list'?"),
    ],
)
def test_the_bytes_of_a_layer_are_checked(mistakes: Callable[..., list[str]], bound: str, what: str) -> None:
    (line,) = mistakes(mine=f"doc: Mine.\nextends: base\nset: {{bytes: {bound}}}\n")
    assert line.startswith("variants/mine.yaml:3:")
    assert what in line
