"""The state of one build: the project, the request, the compilers and the selected cells.

The SCons tool creates it when SConstruct names its project. The modules that declare build files read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layermatrix.build import target_compilers, toolchain
from layermatrix.core.emulator import Emulator
from layermatrix.model.matrix import NATIVE

if TYPE_CHECKING:
    from layermatrix.build.request import Compilers, Request, Selection
    from layermatrix.build.shell import Shell
    from layermatrix.emit.closure import Closures
    from layermatrix.model.axes import Running
    from layermatrix.model.cells import Cell
    from layermatrix.model.project import Project

LIBRARIES = {"libs", "headers"}  # targets without programs


@dataclass(frozen=True)
class BuildState:
    """Everything that declares build files reads from here.

    sources: the folder of the C files, relative to `root`. flags: axis -> value -> the construction variables
    that are appended for it. top: the path from SConstruct's folder to `root`, empty or with a slash at its
    end. default: whether `scons` without a target runs the first job. runs: the additional ways in which
    programs are run.
    """

    root: Path
    project: Project
    request: Request
    compilers: Compilers
    selection: Selection
    sources: str
    flags: Mapping[str, Mapping[str, Mapping[str, Any]]]
    closures: Closures
    shell: Shell
    top: str = ""
    default: bool = True
    runs: tuple[Running, ...] = ()

    @property
    def builds_libraries_only(self) -> bool:
        """Whether the command line names `libs` and `headers` and nothing else: programs and evidence,
        most of the graph, are then not needed."""
        names = {*self.request.names}
        return bool(names) and names <= LIBRARIES

    def at(self, path: str | Path) -> str:
        """The SCons path of a project file; it does not depend on the folder of the SConscript."""
        return f"#{self.top}{path}"

    def compiler_of(self, cell: Cell) -> toolchain.Toolchain:
        found = target_compilers.of_cell(cell, self.compilers, self.root / toolchain.CACHE)
        assert isinstance(found, toolchain.Toolchain)  # otherwise, the cell is not selected
        return found

    def emulator_of(self, cell: Cell) -> Emulator:
        """What runs the programs of this cell."""
        return target_compilers.emulator(self.compiler_of(cell)) if cell.target != NATIVE else Emulator()

    @property
    def usual_compiler(self) -> str:
        """The first compiler that was found, regardless of the selection: all cells share a baseline."""
        return next(name for name, found in self.compilers.items() if isinstance(found, toolchain.Toolchain))

    def cxx_missing(self, cell: Cell) -> str | None:
        """The reason why this cell has no C++ programs; None if it has them."""
        return toolchain.cxx_missing(self.compiler_of(cell), self.root / toolchain.CACHE)
