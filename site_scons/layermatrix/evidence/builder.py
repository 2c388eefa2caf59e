"""What a build offers to a kind of evidence that declares how it is taken.

The SCons tool hands an object over that does this. Nodes are passed on unopened: a kind knows their paths,
and of which files they are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from layermatrix.build.step import Step

if TYPE_CHECKING:
    from layermatrix.model.matrix import Cell
    from layermatrix.model.project import Project


class Node(Protocol):
    """A file of the build graph; its path is relative to the folder of SConstruct."""

    @property
    def path(self) -> str: ...

    @property
    def abspath(self) -> str: ...

    @property
    def sources(self) -> Sequence[Node]:
        """The files that it is made of, none for one that a person wrote."""


class Builder(Protocol):
    """One cell, and how its files are made. Paths are relative to the cell's folder, or begin with `#` and
    are relative to the folder of SConstruct; `at` gives those of the project's own files."""

    @property
    def project(self) -> Project: ...

    @property
    def cell(self) -> Cell: ...

    @property
    def folder(self) -> str:
        """Where its files go: build/<cell>."""

    @property
    def of_baseline(self) -> bool:
        """Whether nothing of the cell is meant: the programs run on the system's own functions."""

    @property
    def cells(self) -> Sequence[Cell]:
        """Every cell of this build."""

    @property
    def soak(self) -> int | None:
        """Seconds of a soak test, where one was requested."""

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
        """Which lines of the header each layer has."""

    @property
    def libraries(self) -> Sequence[Node]:
        """The shared and the static one; none in the baseline."""

    @property
    def benches(self) -> Sequence[Node]: ...

    @property
    def tests(self) -> Sequence[Node]: ...

    @property
    def empty(self) -> Node | None:
        """A library that does next to nothing, where the project has one."""

    @property
    def shipped(self) -> Builder:
        """Of a cell whose layers count: the same library as it is shipped, with line tables."""

    @property
    def templates(self) -> Sequence[Node]:
        """What the header is printed from."""

    def file(self, path: str) -> Node: ...

    def glob(self, pattern: str) -> Sequence[Node]: ...

    def compiled(self, target: str, source: Node, *, copies: str = "") -> Node:
        """The object of a file, with line tables. copies: a folder of the cell whose gen/ and src/ are
        searched for headers, in place of those that the library is compiled from."""

    def compiler_text(self, target: str, source: Node, flags: str, word: str) -> Node:
        """What the compiler prints with these flags in place of -c."""

    def printed(self, target: str, how: Step) -> Node:
        """A file that is printed from the variant by its templates."""

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
    ) -> Sequence[Node]:
        """Files that a step makes. They are out of date when the step's module changes or any module that it
        imports, directly or not; or one of `needs`; or a text of `values`. module: the one that counts, where
        it is not the one that defines the step. after: only the order. once: another cell may have declared
        the same files."""
