"""The job `test` runs the Python tests of a project that has some."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from layermatrix.jobs import run_tests


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
