"""What one run of the build knows: the project, what is asked for, the compilers, the cells that are meant.

Made by the SCons tool when SConstruct names its project; read by whatever declares files of the build.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layermatrix.build import toolchain

if TYPE_CHECKING:
    from layermatrix.build.request import Compilers, Request, Selection
    from layermatrix.build.shell import Shell
    from layermatrix.emit.closure import Closures
    from layermatrix.model.matrix import Cell
    from layermatrix.model.project import Project

BASELINE = "build/baseline"  # what belongs to no cell: programs on the system's own functions


@dataclass(frozen=True)
class BuildState:
    """sources: the folder of the C files, below the top folder. flags: of each axis' values, construction
    variables that are appended. top: from the top folder, where SConstruct is, to `root`; empty or with a
    slash at its end. default: whether a plain
    `scons` does the first of the jobs."""

    root: Path
    project: Project
    asked: Request
    compilers: Compilers
    selection: Selection
    sources: str
    flags: Mapping[str, Mapping[str, Mapping[str, Any]]]
    closures: Closures
    shell: Shell
    top: str = ""
    default: bool = True

    def at(self, path: str | Path) -> str:
        """A path of the project as SCons takes it, wherever the SConscript is."""
        return f"#{self.top}{path}"

    def compiler_of(self, cell: Cell) -> toolchain.Toolchain:
        """The compiler of a selected cell, which is there."""
        found = self.compilers[cell.compiler]
        assert isinstance(found, toolchain.Toolchain)
        return found

    @property
    def usual_compiler(self) -> str:
        """The first that is there, whatever is selected: one baseline for all."""
        return next(name for name, found in self.compilers.items() if isinstance(found, toolchain.Toolchain))

    def cxx_missing(self, cell: Cell) -> str | None:
        """Why this cell has no programs in C++; None where it has."""
        return toolchain.cxx_missing(self.compiler_of(cell), self.root / toolchain.CACHE)
