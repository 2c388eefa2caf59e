"""Where the files of a build are: relative to the project, or to the folder of a cell or of the baseline."""

from __future__ import annotations

from pathlib import Path

BASELINE = "build/baseline"  # programs that belong to no cell: they call the system's own functions
REPORT = Path("build/report")


def program(name: str) -> str:
    """A program of a cell or of the baseline."""
    return f"bin/{name}"


def lone_library(source: str) -> str:
    """A library that is built from one C file."""
    return f"bin/{Path(source).stem}.so"


def trace(name: str) -> str:
    """An unpacked trace, which the benchmark programs can read."""
    return f"build/traces/{name}.trace"


def record(name: str) -> str:
    """The record of this name: a kind of evidence, or `failure`."""
    return f"evidence/{name}.json"
