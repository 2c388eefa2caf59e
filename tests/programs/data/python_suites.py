"""Run the interpreter's own suites of json, dict, threading and subprocess, and write each test's result.

Usage: python_suites.py FILE [--whole]. Writes a line a test to FILE, in the order of their names: the name,
and "ok", "skipped" or the class of what it raised. Without --whole a part of each suite is run. Exit status
77 and the reason in the last line: the interpreter has no such suites.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

CANNOT_RUN = 77

# of which a short run takes every n-th test
SUITES = {"test_json": 4, "test_dict": 2, "test_threading": 9, "test_subprocess": 16}

# Parts of names of tests that are left out: what becomes of them depends on what else the machine does.
TIMED = {
    "timeout": "holds a wait against the clock",
    "BarrierTests": "eight threads have to meet within two seconds",
    "_dead": "a second has to be enough for a child to end",
    "test_PyThreadState_SetAsyncExc": "a thread has to notice within ten seconds",
}

Raised = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class Outcomes(unittest.TestResult):
    """How each test ended, by its name."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: dict[str, str] = {}

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802
        super().startTest(test)
        self.ends[test.id()] = "ok"

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802
        super().addSkip(test, reason)
        self.ends[test.id()] = "skipped"

    def addError(self, test: unittest.TestCase, err: Raised) -> None:  # noqa: N802
        super().addError(test, err)
        self._raised(test, err)

    def addFailure(self, test: unittest.TestCase, err: Raised) -> None:  # noqa: N802
        super().addFailure(test, err)
        self._raised(test, err)

    def addSubTest(  # noqa: N802
        self, test: unittest.TestCase, subtest: unittest.TestCase, err: Raised | None
    ) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._raised(test, err)

    def _raised(self, test: unittest.TestCase, err: Raised) -> None:
        self.ends[test.id()] = err[0].__name__ if err[0] else "failed"


def missing() -> list[str]:
    """The modules of the suites that this interpreter does not ship."""
    names = ["test", "test.support", *(f"test.{suite}" for suite in SUITES)]
    if importlib.util.find_spec("test") is None:
        return names[:1]
    return [name for name in names if importlib.util.find_spec(name) is None]


def tests_of(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    """The single tests of nested suites."""
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield from tests_of(part)
        else:
            yield part


def chosen(suite: str, *, whole: bool) -> list[unittest.TestCase]:
    """The tests of a suite that are run. SystemExit when it cannot be imported."""
    loader = unittest.TestLoader()
    found = tests_of(loader.loadTestsFromName(f"test.{suite}"))
    if loader.errors:
        raise SystemExit(loader.errors[0])
    steady = [test for test in found if not any(part in test.id() for part in TIMED)]
    steady.sort(key=lambda test: test.id())
    return steady[:: 1 if whole else SUITES[suite]]


def main(file: str, *words: str) -> int:
    if lacking := missing():
        major, minor = sys.version_info[:2]
        package = f"libpython{major}.{minor}-testsuite"
        print(f"{sys.executable} has no {', '.join(lacking)} (Debian's package {package})")
        return CANNOT_RUN
    support: Any = importlib.import_module("test.support")
    support.use_resources = []  # nothing that needs the network, a screen or gigabytes
    outcomes = Outcomes()
    for suite in SUITES:
        unittest.TestSuite(chosen(suite, whole="--whole" in words)).run(outcomes)
    lines = [f"{name}: {end}\n" for name, end in sorted(outcomes.ends.items())]
    Path(file).write_text("".join(lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
