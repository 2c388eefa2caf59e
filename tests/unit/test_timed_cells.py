"""The cells that `bench` and `peers` take from a selection, which may be wider than what they can time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from layermatrix.build.request import Selection
from layermatrix.jobs import bench, peers
from layermatrix.model.cells import Cell
from layermatrix.spec.loader import load_project


@pytest.fixture
def wide(project: Callable[..., Path]) -> Selection:
    """A selection of two compilers, a debug build and one for another machine."""
    variant = load_project(project()).variants["base"]
    cells = [
        Cell(variant, "debug", "gcc"),
        Cell(variant, "release", "gcc"),
        Cell(variant, "release", "clang"),
        Cell(variant, "release", "gcc", target="aarch64"),
    ]
    return Selection(tuple(cells), (("base-release-zig", "zig is not installed"),))


def test_bench_builds_only_what_it_times_and_names_the_others(wide: Selection) -> None:
    found = bench._timed(wide)
    assert [cell.id for cell in found.cells] == ["base-release-gcc", "base-release-clang"]
    reasons = dict(found.left_out)
    assert reasons["base-release-zig"] == "zig is not installed"
    assert reasons["base-debug-gcc"] == "only native release cells without a sanitizer are timed"
    only = Selection(wide.cells[:1], ())
    assert bench._timed(only) == only  # its report says that it was not timed


def test_peers_takes_one_build_of_each_variant_from_a_preset(wide: Selection) -> None:
    found = peers._timeable(wide)
    assert [cell.id for cell in found.cells] == ["base-release-gcc"]
    assert len(found.left_out) == 4
    only = Selection(wide.cells[:1], ())
    assert peers._timeable(only) == only  # refused afterwards, with the reason
