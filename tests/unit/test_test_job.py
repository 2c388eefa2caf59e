"""The job `test`: its cells, and the Python tests of a project that has some."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from layermatrix.build import request
from layermatrix.build.request import NothingToDoError, Selection
from layermatrix.jobs import registry, run_tests
from layermatrix.jobs.base import Plan
from layermatrix.model.cells import Cell, select
from layermatrix.spec.loader import load_project


def test_shards_leave_out_the_same_cells_as_the_whole(project: Callable[..., Path], tmp_path: Path) -> None:
    toy = load_project(project(lean="doc: L.\nextends: base"))
    suite = replace(toy.matrix.tests, thorough=("lean",))
    toy = replace(toy, matrix=replace(toy.matrix, tests=suite))
    cells = select(toy, {"variant": "all", "mode": "all", "compiler": "gcc"}).cells

    def left(*given: tuple[str, str], of: Sequence[Cell] = cells) -> list[str]:
        command_line = request.parse(given, ["test"], registry.TARGETS)
        found = run_tests.shortened(Plan(tmp_path, toy, command_line, {}, ()), Selection(tuple(of), ()))
        return [cell.id for cell in found.cells]

    assert left(("shard", "1/2")) == left() == ["base-release-gcc", "lean-release-gcc", "lean-debug-gcc"]
    assert len(left(("mode", "debug"))) == len(left(("cells", "base-debug-gcc"))) == len(cells)
    idle = tuple(cell for cell in cells if cell.id == "base-debug-gcc")
    with pytest.raises(NothingToDoError, match="this part has only cells that `test` leaves out"):
        left(("shard", "2/2"), of=idle)


def test_a_project_whose_tests_are_in_c_needs_no_pytest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_it.c").touch()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert run_tests.python_tests(tmp_path, quick=True) == 0


def test_python_tests_without_pytest_are_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tests/inner").mkdir(parents=True)
    (tmp_path / "tests/inner/test_it.py").touch()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert run_tests.python_tests(tmp_path, quick=True) == 1
    assert "pytest is not installed: pip install pytest" in capsys.readouterr().err
