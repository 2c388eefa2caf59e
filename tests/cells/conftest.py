"""The common part of the cell tests. The build runs them for each cell, with its folder in LAYERED_CELL.

To run them by hand: LAYERED_CELL=build/phase2-debug-gcc .venv/bin/python -m pytest tests/cells/test_traces.py
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CELL = os.environ.get("LAYERED_CELL", "")
CANNOT_RUN = 77  # the exit status for "not run"; the last line of the output is the reason

# They belong to a cell: a run of all Python tests has none, and the build has run them already.
collect_ignore_glob = [] if CELL else ["test_*.py"]

_reasons: list[str] = []
_others = 0


@pytest.fixture
def cell() -> Path:
    """The folder of the cell under test, absolute."""
    folder = Path(CELL).absolute()
    assert folder.is_dir(), f"LAYERED_CELL={CELL} is no folder"
    return folder


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    global _others
    if report.skipped and isinstance(report.longrepr, tuple):
        _reasons.append(report.longrepr[2].removeprefix("Skipped: "))
    elif report.when == "call":
        _others += 1


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if exitstatus == 0 and _reasons and not _others:
        session.exitstatus = CANNOT_RUN


def pytest_unconfigure(config: pytest.Config) -> None:
    if _reasons and not _others:
        print(_reasons[-1])
