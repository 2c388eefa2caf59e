"""The interface of a build step in Python: a function that makes generated or measured files.

A step reads the files in `task.sources`, writes `task.targets`, and raises `StepError` when it cannot make a
correct file. The build decides when a step has to run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from layermatrix.core.emulator import NATIVE, Emulator
from layermatrix.core.records import Format, Measured, NotMeasured
from layermatrix.model.cells import Cell
from layermatrix.model.project import Project
from layermatrix.model.variants import Variant


class StepError(Exception):
    """Why a step failed; str() may have several lines. recorded: whether the step's own record holds the
    failure, too."""

    def __init__(self, what: str, *, recorded: bool = False) -> None:
        super().__init__(what)
        self.recorded = recorded


R = TypeVar("R", bound=Measured)


def _never() -> bool:
    return False


def _nowhere(_name: str) -> str | None:
    return None


@dataclass(frozen=True)
class Task:
    """The input of one run of a step. Paths are absolute.

    folder: build/<cell>. soak: the duration of a soak test in seconds, if one was requested. of_baseline: the
    targets belong to no cell; they run on the system's own functions. emulator: what runs the cell's
    programs. interrupted: whether a signal stopped the build. results: gives the record that another host
    took for a part of this cell, as JSON; None if there is none. A step reads the project from here only, so
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
    results: Callable[[str], str | None] = _nowhere

    @property
    def variant(self) -> Variant:
        return self.cell.variant

    def inside(self, path: Path) -> str:
        """A path of the project, relative to its folder: the same on every host."""
        return path.relative_to(self.root).as_posix()

    def from_host(self, name: str, form: Format[R]) -> R | NotMeasured | None:
        """The record that another host took under this name; None if none did. Raises StepError if it is no
        such record."""
        text = self.results(name)
        if text is None:
            return None
        try:
            return form.parse(text)
        except ValueError as error:
            raise StepError(f"the result of another host for {name} cannot be used: {error}") from error


Step = Callable[[Task], None]
