"""Axes of a project's own, run axes, and the rules that take and leave their cells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from toy_specs import MATRIX, changed, marked

from layermatrix.build import targets
from layermatrix.core.errors import SelectionError, SpecErrors
from layermatrix.jobs import registry
from layermatrix.model import axes
from layermatrix.model.cells import select
from layermatrix.model.project import Project
from layermatrix.spec.loader import load_project

Write = Callable[..., Path]

OWN = """
  lto:
    doc: link-time optimisation
    values: {off: {}, on: {flags: [-flto], needs: {gold: binutils}}}
  heap: {doc: the size of the heap, values: {small: {}, big: {defines: {HEAP: 9}, environment: {HEAP: big}}}}
run:
  threads:
    doc: the number of threads
    values: {one: {}, two: {environment: {THREADS: 2}, args: [--threads, 2]}}
"""


def with_axes(rule: str = "", own: str = OWN) -> str:
    text = changed(MATRIX, "  sanitizer: [none, asan]\n", f"  sanitizer: [none, asan]{own}")
    return changed(text, "tests: {", f"{rule}tests: {{")


@pytest.fixture
def toy(project: Write) -> Project:
    return load_project(project(matrix=with_axes()))


def ids(project: Project, **given: str) -> list[str]:
    return [cell.id for cell in select(project, given).cells]


def test_the_default_of_an_own_axis_is_not_in_a_cells_name(toy: Project) -> None:
    assert ids(toy) == ["base-release-gcc"]
    assert ids(toy, lto="all") == ["base-release-gcc", "base-release-gcc-lto-on"]
    assert ids(toy, lto="on", heap="big") == ["base-release-gcc-lto-on-heap-big"]


def test_a_cell_knows_what_its_values_add(toy: Project) -> None:
    (cell,) = select(toy, {"heap": "big"}).cells
    assert cell.choices == {"heap": "big"}
    assert (cell.value("heap"), cell.value("lto")) == ("big", "off")
    assert cell.environment == {"HEAP": "big"}
    assert dict(cell.own[1].value.defines) == {"HEAP": "9"}
    assert cell.limits == {}


def test_a_missing_command_leaves_the_cell_out_with_its_package(toy: Project) -> None:
    found = select(toy, {"lto": "all"}, installed=lambda command: False)
    assert [cell.id for cell in found.cells] == ["base-release-gcc"]
    assert dict(found.left_out) == {
        "base-release-gcc-lto-on": "lto=on: gold is not installed (package binutils)"
    }


def test_an_unknown_value_of_an_own_axis_has_a_suggestion(toy: Project) -> None:
    with pytest.raises(SelectionError, match="unknown heap 'bgi'; did you mean 'big'"):
        select(toy, {"heap": "bgi"})


def test_rules_know_own_axes_and_what_a_cell_is_not(project: Write) -> None:
    rule = "  - exclude: {lto: on, mode: {not: [release]}}\n    reason: for release\n"
    found = select(load_project(project(matrix=with_axes(rule))), {"mode": "all", "lto": "all"})
    assert [cell.id for cell in found.cells] == [
        "base-release-gcc",
        "base-release-gcc-lto-on",
        "base-debug-gcc",
    ]
    assert dict(found.left_out) == {"base-debug-gcc-lto-on": "for release"}


def test_a_rule_knows_a_target_by_its_short_form(project: Write) -> None:
    targets = changed(MATRIX, "rules:\n", "  target: [native, aarch64-linux-gnu]\nrules:\n")
    rule = "  - exclude: {target: aarch64, mode: debug}\n    reason: too slow\n"
    found = select(
        load_project(project(matrix=changed(targets, "tests: {", f"{rule}tests: {{"))),
        {
            "mode": "all",
            "target": "aarch64",
        },
    )
    assert [cell.id for cell in found.cells] == ["base-release-gcc-aarch64"]
    assert dict(found.left_out) == {"base-debug-gcc-aarch64": "too slow"}


def test_include_takes_back_what_an_earlier_rule_left_out(project: Write) -> None:
    rule = "  - exclude: {lto: on}\n    reason: not yet\n  - include: {compiler: clang, lto: 'o*'}\n"
    found = select(load_project(project(matrix=with_axes(rule))), {"compiler": "all", "lto": "on"})
    assert [cell.id for cell in found.cells] == ["base-release-clang-lto-on"]
    assert dict(found.left_out) == {"base-release-gcc-lto-on": "not yet"}


def test_the_command_line_can_exclude_values(toy: Project) -> None:
    assert ids(toy, compiler="!clang", mode="all") == ["base-release-gcc", "base-debug-gcc"]
    assert ids(toy, compiler="all,!gcc") == ["base-release-clang"]


ASAN = "{mode: release, sanitizer: asan}"
VARIABLE = "the name of an entry cannot be 'soak': that is another variable of the command line"
ONE_KEY = "a rule has either 'exclude' or 'include'"


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("{off: {}, on:", "{off: {}, «al l: {}, on:", "the name of a value must be a word, not 'al l'"),
        ("flags: [-flto]", "«flgas: [-flto]", "unknown key 'flgas' in value 'on'; did you mean 'flags'?"),
        ("  heap: {doc", "  «soak: {doc", VARIABLE),
        (ASAN, "{mode: release, lto: «no}", "unknown lto 'no'; known: off, on"),
        (ASAN, "{mode: release, «ltoo: on}", "unknown axis 'ltoo'; did you mean 'lto'?"),
        (ASAN, "{mode: {not: [debug, «relaese]}}", "unknown mode 'relaese'; did you mean 'release'?"),
        (ASAN, "{mode: {«nto: release}}", "unknown key 'nto'; 'not' is the only key here"),
        ("  threads:\n", "  «lto:\n", "'lto' is an axis under 'axes', too"),
        ("only in debug mode", "only in debug mode\n  - «{reason: why}", ONE_KEY),
    ],
)
def test_a_mistake_in_an_axis_has_its_place(old: str, new: str, what: str, project: Write) -> None:
    text, line, column = marked(changed(with_axes(), old, new))
    with pytest.raises(SpecErrors) as caught:
        load_project(project(matrix=text))
    assert str(caught.value).splitlines()[0] == f"variants/matrix.yaml:{line}:{column}: error: {what}"


def test_a_misspelled_built_in_axis_is_not_taken_for_an_own_one(project: Write) -> None:
    text = changed(MATRIX, "  compiler: [gcc, clang]\n", "  compilr: [gcc, clang]\n")
    with pytest.raises(
        SpecErrors, match="must be a mapping, not a list; built-in axes are variant, mode, comp"
    ):
        load_project(project(matrix=text))


def test_no_axis_can_have_the_name_of_a_variable() -> None:
    known = {*(one.name for one in targets.COMMON), *targets.variables_of(registry.TARGETS)}
    assert known <= {*axes.VARIABLES}


def test_the_ways_of_running_leave_out_the_default(toy: Project) -> None:
    (way,) = axes.runnings(toy.matrix.run, {"threads": ("one", "two")})
    assert (way.name, way.args, way.environment) == ("threads-two", ("--threads", "2"), {"THREADS": "2"})
    assert axes.runnings(toy.matrix.run, {}) == ()
