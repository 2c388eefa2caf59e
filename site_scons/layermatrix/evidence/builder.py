"""The interface through which a kind of evidence declares its build nodes.

The SCons tool implements it. A kind sees only the path of a node and the files that it is made from.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from layermatrix.build.step import Step

if TYPE_CHECKING:
    from layermatrix.core.emulator import Emulator
    from layermatrix.evidence.hosted import AnyPart
    from layermatrix.model.axes import Running
    from layermatrix.model.cells import Cell
    from layermatrix.model.project import Project


class Node(Protocol):
    """A file of the build graph; its path is relative to the folder of SConstruct."""

    @property
    def path(self) -> str: ...

    @property
    def abspath(self) -> str: ...

    @property
    def sources(self) -> Sequence[Node]:
        """The files that it is made from; empty for a file that is not generated."""


class Builder(Protocol):
    """Declares the files of one cell. Paths are relative to the cell's folder; paths that begin with `#` are
    relative to the folder of SConstruct. `at` returns the paths of the project's own files."""

    @property
    def project(self) -> Project: ...

    @property
    def cell(self) -> Cell: ...

    @property
    def folder(self) -> str:
        """The folder of the cell's files: build/<cell>."""

    @property
    def of_baseline(self) -> bool:
        """Whether this is the baseline: its programs run on the system's own functions."""

    @property
    def cells(self) -> Sequence[Cell]:
        """Every cell of this build."""

    @property
    def soak(self) -> int | None:
        """The duration of a soak test in seconds; None if none was requested."""

    @property
    def short(self) -> bool:
        """Whether long tests are left out."""

    @property
    def runs(self) -> Sequence[Running]:
        """The ways to run programs that were selected in addition to the default."""

    @property
    def emulator(self) -> Emulator:
        """What runs the cell's programs."""

    @property
    def sources(self) -> str:
        """The folder of the C files."""

    def at(self, path: str) -> str:
        """A path of the project."""

    def source(self, name: str) -> Node:
        """One of the C files."""

    @property
    def header(self) -> Node: ...

    @property
    def origins(self) -> Node:
        """The file that records the header lines of each layer."""

    @property
    def libraries(self) -> Sequence[Node]:
        """The shared and the static library; empty for the baseline."""

    @property
    def benches(self) -> Sequence[Node]: ...

    @property
    def tests(self) -> Sequence[Node]: ...

    @property
    def empty(self) -> Node | None:
        """A library that does almost no work, if the project has one."""

    @property
    def shipped(self) -> Builder:
        """For a cell whose layers count: the cell of the same variant without counters, with line tables."""

    @property
    def templates(self) -> Sequence[Node]:
        """The templates that the header is printed from."""

    def file(self, path: str) -> Node: ...

    def glob(self, pattern: str) -> Sequence[Node]: ...

    def compiled(self, target: str, source: Node, *, copies: str = "", needs: Sequence[Node] = ()) -> Node:
        """The object of a file, with line tables.

        copies: a folder with copies: in gen/, of the generated files; in src/, of the C files, at
        their paths in the project. The compiler reads them in place of the source and the library's headers.
        The object is out of date when the source, its headers, or one of `needs` changes.
        """

    def compiler_text(self, target: str, source: Node, flags: str, word: str) -> Node:
        """The file that the compiler prints with these flags instead of -c."""

    def printed(self, target: str, how: Step) -> Node:
        """A file that is printed from the variant and its templates."""

    def made(
        self,
        word: str,
        targets: Sequence[str],
        sources: Sequence[Node],
        how: Step,
        *,
        module: str = "",
        needs: Sequence[Node] = (),
        values: Sequence[str] = (),
        after: Sequence[Node] = (),
        once: bool = False,
        folder: str = "",
        hosted: AnyPart | None = None,
    ) -> Sequence[Node]:
        """Files that a step makes.

        They are out of date when a source, one of `needs` or a text of `values` changes, or when the step's
        module or a module that it imports (directly or not) changes. module: the module to use instead of the
        one that defines the step. after: files that only have to be built earlier. once: another cell may
        have declared the same files. folder: a folder that the step fills; `-c` removes it. hosted: what
        another host can do of the step; the cell's bundle then has it.
        """


def in_cell(build: Builder, node: Node) -> Path:
    """The path of one of the cell's files, relative to the cell's folder."""
    return Path(node.path).relative_to(build.folder)
