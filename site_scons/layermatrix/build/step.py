"""The build's steps in Python: what is done to make one generated or measured file.

A step reads the files in `task.sources`, writes `task.targets`, and raises `StepError` when a file could not
be made as it should be. The build decides when a step is due.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from layermatrix.model.matrix import Cell
from layermatrix.model.project import Project
from layermatrix.model.variants import Variant


class StepError(Exception):
    """Why a step failed; str() may be several lines. recorded: the step's own record says so, too."""

    def __init__(self, what: str, *, recorded: bool = False) -> None:
        super().__init__(what)
        self.recorded = recorded


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Task:
    """What one run of a step works on. Paths are absolute. folder: build/<cell>. soak: seconds of a soak
    test, where one was requested. of_baseline: what is built belongs to no cell; it runs on the system's own
    functions. interrupted: whether the build was told to stop. Whatever a step reads of the project comes
    from here, so every step depends on `model`."""

    root: Path
    project: Project
    cell: Cell
    folder: Path
    targets: tuple[Path, ...]
    sources: tuple[Path, ...]
    soak: int | None = None
    of_baseline: bool = False
    interrupted: Callable[[], bool] = _never

    @property
    def variant(self) -> Variant:
        return self.cell.variant


Step = Callable[[Task], None]
