"""The record of a cell's first failure: which command failed, for which file, and what it printed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from layermatrix.build import paths
from layermatrix.core.records import Format, Measured


@dataclass(frozen=True)
class Failure(Measured):
    """command: the failed command line. log: its output. target: the file that it should have made."""

    command: str
    log: str
    target: str


FORMAT = Format("failure", Failure)


def file_of(folder: Path) -> Path:
    """The file that records the failure of the cell in this folder."""
    return folder / paths.record("failure")
