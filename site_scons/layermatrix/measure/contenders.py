"""The libraries that are compared with each other, and how each of them runs a load.

A contender is a build of this project, here or at another commit, a peer, or the system's own functions. All
contenders run the same benchmark programs, those of one cell of this tree, so that a difference comes from
the library. A load whose hot path is compiled into its program runs with each build's own program.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from layermatrix.build import paths
from layermatrix.core.records import NotMeasured
from layermatrix.model.measuring import Load


@dataclass(frozen=True)
class Contender:
    """library: None for the system's own functions. folder: the build folder of its cell; None if it is no
    build of this project. origin: where it comes from, in words. failure: why it cannot run anything."""

    name: str
    library: Path | None
    folder: Path | None
    origin: str
    failure: str | None = None


@dataclass(frozen=True)
class Programs:
    """The benchmark programs of a cell of this tree. folder: its build folder."""

    folder: Path

    def of(self, load: Load, contender: Contender) -> Path | NotMeasured:
        """The program with which this contender runs a load."""
        if contender.failure:
            return NotMeasured(contender.failure)
        if load.is_inlined and contender.folder is None:
            what = "its hot path is compiled into the program, so only builds of this project can run it"
            return NotMeasured(f"{load.name}: {what}")
        folder = contender.folder if load.is_inlined and contender.folder else self.folder
        program = folder / paths.program(load.program)
        return program if program.is_file() else NotMeasured(f"the program {load.program} is not built")

    @property
    def empty(self) -> Path | None:
        """The library that does almost nothing; None if the project has none."""
        return next(iter(sorted((self.folder / "bin").glob("*.so"))), None)
