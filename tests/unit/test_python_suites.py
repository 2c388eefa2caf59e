"""tests/programs/data/python_suites.py: the selected tests of the interpreter, and the report about them."""

from __future__ import annotations

import importlib.util
import unittest
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).resolve().parents[1] / "programs" / "data" / "python_suites.py"


@pytest.fixture
def suites() -> Any:
    spec = importlib.util.spec_from_file_location("python_suites", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Cases(unittest.TestCase):
    def good(self) -> None: ...

    def idle(self) -> None:
        self.skipTest("not here")

    def bad(self) -> None:
        self.fail("no")

    def broken(self) -> None:
        raise KeyError("no")

    def in_parts(self) -> None:
        for number in range(3):
            with self.subTest(number=number):
                assert number != 1

    def a_timeout(self) -> None: ...


def found(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Make every suite contain these tests."""
    suite = unittest.TestSuite([unittest.TestSuite(Cases(name) for name in names)])
    monkeypatch.setattr(unittest.TestLoader, "loadTestsFromName", lambda _loader, _name: suite)


def names(tests: list[unittest.TestCase]) -> list[str]:
    return [test.id().rpartition(".")[2] for test in tests]


def test_each_test_has_one_end_regardless_of_its_output(suites: Any) -> None:
    outcomes = suites.Outcomes()
    unittest.TestSuite(Cases(name) for name in ("good", "idle", "bad", "broken", "in_parts")).run(outcomes)
    assert {name.rpartition(".")[2]: end for name, end in outcomes.ends.items()} == {
        "good": "ok",
        "idle": "skipped",
        "bad": "AssertionError",
        "broken": "KeyError",
        "in_parts": "AssertionError",
    }


def test_a_short_run_takes_every_nth_test_by_name(suites: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, "in_parts", "idle", "good", "broken", "bad")
    monkeypatch.setitem(suites.SUITES, "test_dict", 2)
    assert names(suites.chosen("test_dict", whole=False)) == ["bad", "good", "in_parts"]
    assert names(suites.chosen("test_dict", whole=True)) == ["bad", "broken", "good", "idle", "in_parts"]


def test_what_depends_on_the_clock_is_left_out(suites: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, "a_timeout", "good")
    assert names(suites.chosen("test_dict", whole=True)) == ["good"]


def test_a_suite_that_cannot_be_imported_is_no_suite_without_tests(
    suites: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(suites.SUITES, "test_nowhere", 1)
    with pytest.raises(SystemExit, match="test_nowhere"):
        suites.chosen("test_nowhere", whole=True)


def test_an_interpreter_without_the_suites_names_what_is_missing(
    suites: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(suites, "SUITES", {"test_nowhere": 1})
    assert suites.main(str(tmp_path / "outcomes")) == 77
    assert "test.test_nowhere" in capsys.readouterr().out
    assert not (tmp_path / "outcomes").exists()
