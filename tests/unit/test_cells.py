"""The cells that axes, rules and the command line select."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from layermatrix.core.errors import SelectionError
from layermatrix.model.cells import Available, Selection, select
from layermatrix.model.project import Project
from layermatrix.spec.loader import load_project

Write = Callable[..., Path]
Change = Callable[[str, str], str]


@dataclass(frozen=True)
class Missing:
    reason: str


HERE = {"gcc": object(), "clang": object()}
NO_GCC = {"gcc": Missing("gcc is not installed"), "clang": object()}


@pytest.fixture
def small(project: Write) -> Project:
    """The variants base, other and third. The axis names the first."""
    return load_project(project(other="doc: O.\nextends: base", third="doc: T.\nextends: base"))


def every_cell(project: Project, available: Available | None = None) -> Selection:
    """Every cell of the axes, except those that a rule or a missing compiler excludes."""
    variants = ",".join(project.matrix.axes.variant)
    every = dict.fromkeys(("mode", "compiler", "sanitizer", "target"), "all")
    return select(project, {"variant": variants, **every}, available=available)


def test_an_id_names_what_is_not_the_default(small: Project) -> None:
    cells = every_cell(small).cells
    assert [cell.id for cell in cells] == [
        "base-release-gcc",
        "base-release-clang",
        "base-debug-gcc",
        "base-debug-gcc-asan",
        "base-debug-clang",
        "base-debug-clang-asan",
    ]
    assert cells[0].build_dir == "build/base-release-gcc"


def test_a_target_that_is_not_the_default_ends_the_id(project: Write, matrix: Change) -> None:
    text = matrix("  sanitizer: [none, asan]", "  target: [native, aarch64]").replace(
        ", sanitizer: asan}", "}"
    )
    cells = select(load_project(project(matrix=text)), {"mode": "debug", "target": "all"}).cells
    assert [cell.id for cell in cells] == ["base-debug-gcc", "base-debug-gcc-aarch64"]


def test_a_rule_leaves_cells_out_with_its_reason(small: Project) -> None:
    assert dict(every_cell(small).left_out) == {
        "base-release-gcc-asan": "only in debug mode",
        "base-release-clang-asan": "only in debug mode",
    }


def test_a_rule_takes_patterns_and_holds_where_all_its_axes_match(project: Write, matrix: Change) -> None:
    text = matrix(
        "{mode: release, sanitizer: asan}", "{variant: 'b*', compiler: [gcc, clang], sanitizer: all}"
    )
    assert every_cell(load_project(project(matrix=text))).cells == ()


def test_a_missing_compiler_leaves_its_cells_out_with_the_reason(small: Project) -> None:
    selection = every_cell(small, NO_GCC)
    assert {cell.compiler for cell in selection.cells} == {"clang"}
    assert dict(selection.left_out)["base-debug-gcc"] == "gcc is not installed"


def test_without_a_word_the_first_values_are_meant(small: Project) -> None:
    assert [cell.id for cell in select(small).cells] == ["base-release-gcc"]


def test_without_a_word_the_first_compiler_that_is_there_is_meant(small: Project) -> None:
    selection = select(small, available=NO_GCC)
    assert [cell.id for cell in selection.cells] == ["base-release-clang"]
    assert selection.left_out == ()


def test_with_no_compiler_at_all_each_one_is_reported(small: Project) -> None:
    selection = select(small, available={"gcc": Missing("no gcc")})
    assert selection.cells == ()
    assert selection.left_out == (
        ("base-release-gcc", "no gcc"),
        ("base-release-clang", "clang was not searched for"),
    )


def test_a_compiler_that_is_requested_and_missing_is_reported(small: Project) -> None:
    selection = select(small, {"compiler": "gcc"}, available=NO_GCC)
    assert selection.cells == ()
    assert selection.left_out == (("base-release-gcc", "gcc is not installed"),)


def test_the_matrix_file_can_name_other_defaults(project: Write, matrix: Change) -> None:
    text = matrix("tests: {", "default: {variant: ['o*', base], mode: debug, compiler: clang}\ntests: {")
    small = load_project(project(matrix=text, other="doc: O.\nextends: base"))
    assert [cell.id for cell in select(small).cells] == ["base-debug-clang", "other-debug-clang"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("other", ["other"]),
        ("third,base", ["base", "third"]),
        (" third , base, ", ["base", "third"]),
        ("*h*", ["other", "third"]),
        ("all", ["base", "other", "third"]),
        ("base,b*", ["base"]),
    ],
)
def test_variants_are_named_listed_matched_or_all(text: str, names: list[str], small: Project) -> None:
    cells = select(small, {"variant": text}, available=HERE).cells
    assert [cell.variant.name for cell in cells] == names


def test_several_values_on_several_axes_give_every_pair(small: Project) -> None:
    selection = select(small, {"mode": "release,debug", "sanitizer": "all"})
    assert [cell.id for cell in selection.cells] == [
        "base-release-gcc",
        "base-debug-gcc",
        "base-debug-gcc-asan",
    ]
    assert [cell for cell, _ in selection.left_out] == ["base-release-gcc-asan"]


@pytest.mark.parametrize(
    ("axis", "text", "what"),
    [
        ("variant", "bsae", "unknown variant 'bsae'; did you mean 'base'?"),
        ("variant", "base,x*", "unknown variant 'x*'; known: base, other, third"),
        ("mode", "relaese", "unknown mode 'relaese'; did you mean 'release'?"),
        ("compiler", "icc", "unknown compiler 'icc'; did you mean 'gcc'?"),
        ("sanitizer", "msan", "unknown sanitizer 'msan'; did you mean 'asan'?"),
        ("target", "aarch64", "unknown target 'aarch64'; known: native"),
        ("mode", " , ", "mode= is empty; known: release, debug"),
    ],
)
def test_an_unknown_value_is_an_error_with_a_way_out(axis: str, text: str, what: str, small: Project) -> None:
    with pytest.raises(SelectionError) as caught:
        select(small, {axis: text})
    assert str(caught.value) == what


def test_a_cell_can_be_kept_in_a_set(small: Project) -> None:
    cells = every_cell(small).cells
    assert len({*cells, *every_cell(small).cells}) == len(cells)
