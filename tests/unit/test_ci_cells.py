"""The cells that CI builds, `preset=ci`, are enough: a list in variants/matrix.yaml names them."""

from __future__ import annotations

from pathlib import Path

import pytest

from layermatrix.model.cells import Cell, select
from layermatrix.model.patterns import match_any
from layermatrix.spec.loader import load_project

PROJECT = load_project(Path(__file__).resolve().parents[2])
AXES = PROJECT.matrix.axes.names


@pytest.fixture(scope="module")
def every() -> tuple[Cell, ...]:
    """All cells of the matrix, also those that this machine cannot build."""
    return select(PROJECT, dict.fromkeys(AXES, "all")).cells


@pytest.fixture(scope="module")
def chosen(every: tuple[Cell, ...]) -> list[Cell]:
    patterns = PROJECT.matrix.presets["ci"].values["cells"].split(",")
    return [cell for cell in every if match_any([cell.id], patterns)]


def found(cells: tuple[Cell, ...] | list[Cell], *axes: str) -> set[tuple[str, ...]]:
    return {tuple(cell.value(axis) for axis in axes) for cell in cells}


def test_there_are_24_without_a_cross_compiler(chosen: list[Cell]) -> None:
    assert len([cell for cell in chosen if cell.compiler == "zig" or cell.target == "native"]) >= 24


def test_each_sanitizer_runs_with_a_compiler_of_its_own(chosen: list[Cell], every: tuple[Cell, ...]) -> None:
    """Of the thread sanitizer, one cell takes two minutes."""
    for sanitizer in PROJECT.matrix.axes["sanitizer"]:
        compilers = {cell.family for cell in chosen if cell.sanitizer == sanitizer}
        assert compilers >= ({"gcc", "clang"} if sanitizer != "tsan" else {"clang"})


def test_the_address_and_undefined_sanitizers_run_every_variant(chosen: list[Cell]) -> None:
    for sanitizer in ("asan", "ubsan"):
        variants = {cell.variant.name for cell in chosen if cell.sanitizer == sanitizer}
        assert variants == {"phase0", "phase1", "phase2", "phase3", "hakmem", "hardened"}


def test_it_has_the_cells_of_the_job_test_and_each_flag_and_another_target(chosen: list[Cell]) -> None:
    ids = {cell.id for cell in chosen}
    assert {f"{name}-release-gcc" for name in PROJECT.matrix.axes["variant"]} <= ids
    assert {f"{name}-debug-gcc" for name in ("hakmem", "hardened")} <= ids
    for axis in PROJECT.matrix.axes.own:
        assert found(chosen, axis) == {(value,) for value in PROJECT.matrix.axes[axis]}
    assert "hakmem" in {cell.variant.name for cell in chosen if cell.target != "native"}
