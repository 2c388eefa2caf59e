"""experiments.yaml: its valid content, and the cells that `ab` and `ablate` select from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from toy_specs import changed, marked

from layermatrix.analysis import experiments
from layermatrix.build import request
from layermatrix.build.request import RequestError
from layermatrix.build.toolchain import Toolchain
from layermatrix.jobs import ab, registry
from layermatrix.model.cells import Cell
from layermatrix.model.project import Project
from layermatrix.spec.loader import load_project

Write = Callable[..., Path]

ROOT = Path(__file__).resolve().parents[2]
COMPILERS: request.Compilers = {
    name: Toolchain(name, (name,), f"{name} 12", "x86_64-linux-gnu") for name in ("gcc", "clang")
}
LEAN = "doc: Lean.\nlayers: [list, refill]\n"
TEXT = """
doc: Questions.
experiments:
  stack_or_not:
    question: A stack or none?
    doc: With and without.
    variants: [base, lean]
    loads: [mixed]
    decides: speed
    kept: lean
"""


def toy(project: Write, text: str | None = TEXT) -> Project:
    return load_project(project(lean=LEAN, experiments=text))


def trials(project: Project, **given: str) -> list[experiments.Trial]:
    command_line = request.parse(list(given.items()), ["ab"], registry.TARGETS)
    return experiments.of_request(project, command_line, COMPILERS, command_line.text(ab.EXPERIMENT))[0]


def test_an_experiment_is_read_and_is_no_variant(project: Write) -> None:
    loaded = toy(project)
    assert list(loaded.variants) == ["base", "lean"]
    found = loaded.experiments["stack_or_not"]
    assert (found.variants, found.loads, found.decides, found.kept) == (
        ("base", "lean"),
        ("mixed",),
        "speed",
        "lean",
    )


def test_a_project_needs_no_experiments(project: Write) -> None:
    assert toy(project, None).experiments == {}


def test_speed_cannot_decide_on_a_load_that_is_not_timed(
    mistakes: Callable[..., list[str]], matrix: Callable[[str, str], str]
) -> None:
    untimed = matrix("args: [--ops, 10], ", "")
    what = "load 'mixed' has no 'args', so that it is not timed"
    output = mistakes(lean=LEAN, experiments=TEXT, matrix=untimed)
    assert f"variants/experiments.yaml:7:13: error: {what}" in output
    counted = changed(TEXT, "decides: speed", "decides: instructions")
    assert not [
        line for line in mistakes(lean=LEAN, experiments=counted, matrix=untimed) if "experiments" in line
    ]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("[base, lean]", "[«bsae, lean]", "unknown variant 'bsae'; did you mean 'base'?"),
        ("[base, lean]", "«[lean]", "'variants' must be a list of 2 or more, not 1"),
        ("[base, lean]", "[lean, «lean]", "'lean' is in 'variants' twice"),
        ("[mixed]", "[«mxed]", "unknown load 'mxed'; did you mean 'mixed'?"),
        (
            "decides: speed",
            "decides: «fun",
            "'decides' must be one of speed, instructions, misses, not 'fun'",
        ),
        (
            "kept: lean",
            "kept: «phase",
            "'phase' is not one of the experiment's variants; did you mean 'base'?",
        ),
        (
            "stack_or_not:",
            "«all:",
            "the name of an experiment cannot be 'all': that is the word for all of them",
        ),
        ("    kept: ", "    «kpt: ", "unknown key 'kpt' in experiment 'stack_or_not'; did you mean 'kept'?"),
    ],
)
def test_a_mistake_is_reported_with_its_place(
    mistakes: Callable[..., list[str]], old: str, new: str, what: str
) -> None:
    text, line, column = marked(changed(TEXT, old, new))
    assert mistakes(lean=LEAN, experiments=text) == [
        f"variants/experiments.yaml:{line}:{column}: error: {what}"
    ]


def test_the_sides_are_cells_in_the_order_of_the_experiment(project: Write) -> None:
    (trial,) = trials(toy(project, TEXT.replace("[base, lean]", "[lean, base]")))
    assert [cell.id for cell in trial.cells] == ["lean-release-gcc", "base-release-gcc"]
    assert (trial.question.figure, trial.question.kept) == ("speed", "lean")


def test_the_configuration_can_be_chosen(project: Write) -> None:
    (trial,) = trials(toy(project), compiler="clang")
    assert [cell.id for cell in trial.cells] == ["base-release-clang", "lean-release-clang"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"compiler": "all"}, "ab compares one configuration"),
        ({"variant": "base"}, "ab takes its variants from the experiment"),
        ({"experiment": "stack_or_no"}, "unknown experiment 'stack_or_no'; did you mean 'stack_or_not'?"),
        ({"experiment": ","}, "experiment= is empty"),
    ],
)
def test_what_cannot_be_compared_is_refused(project: Write, given: dict[str, str], message: str) -> None:
    with pytest.raises(RequestError) as refused:
        trials(toy(project), **given)
    assert message in str(refused.value)


def test_an_ablation_compares_a_cell_with_its_candidates(project: Write) -> None:
    loaded = toy(project)
    cells = [Cell(loaded.variants[name], "release", "gcc") for name in ("base", "lean")]
    trial = experiments.ablation(loaded, cells)
    assert [cell.id for cell in trial.cells] == ["base-release-gcc", "lean-release-gcc"]
    assert trial.question.name == "without a layer: base-release-gcc"
    assert trial.question.figure is None


def test_a_layer_that_there_is_not_is_refused(project: Write) -> None:
    command_line = request.parse([("without", "stakc")], ["ablate"], registry.TARGETS)
    with pytest.raises(RequestError, match="without=: unknown layer 'stakc'; did you mean 'stack'"):
        request.select(toy(project), command_line, COMPILERS)


def test_the_three_questions_of_the_hakmem_report_are_experiments() -> None:
    """The alternatives of the report's Phase 2 are compared, and differ in nothing else."""
    loaded = load_project(ROOT)
    rivals = []
    for name in ("ring_or_unified", "fast_cache_or_sfc", "legacy_or_front_direct"):
        sides = loaded.experiments[name].variants
        first, second = ({layer.name for layer in loaded.variants[side].layers} for side in sides)
        rivals.append((first - second, second - first))
    assert rivals == [
        ({"unified_cache"}, {"ring_cache"}),
        ({"sfc"}, {"fast_cache"}),
        ({"legacy_refill"}, {"front_direct"}),
    ]
