"""The interface of a build step in Python: a function that makes generated or measured files.

A step reads the files in `task.sources`, writes `task.targets`, and raises `StepError` when it cannot make a
correct file. The build decides when a step has to run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from layermatrix.core.emulator import NATIVE, Emulator
from layermatrix.model.cells import Cell
from layermatrix.model.project import Project
from layermatrix.model.variants import Variant


class StepError(Exception):
    """Why a step failed; str() may have several lines. recorded: whether the step's own record holds the
    failure, too."""

    def __init__(self, what: str, *, recorded: bool = False) -> None:
        super().__init__(what)
        self.recorded = recorded


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Task:
    """The input of one run of a step. Paths are absolute.

    folder: build/<cell>. soak: the duration of a soak test in seconds, if one was requested. of_baseline: the
    targets belong to no cell; they run on the system's own functions. emulator: what runs the cell's
    programs. interrupted: whether a signal stopped the build. A step reads the project from here only, so
    every step depends on `model`.
    """

    root: Path
    project: Project
    cell: Cell
    folder: Path
    targets: tuple[Path, ...]
    sources: tuple[Path, ...]
    soak: int | None = None
    of_baseline: bool = False
    emulator: Emulator = NATIVE
    interrupted: Callable[[], bool] = _never

    @property
    def variant(self) -> Variant:
        return self.cell.variant


Step = Callable[[Task], None]
