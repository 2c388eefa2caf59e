"""Say where a line of what is compiled was written: in a C file, or in the templates of the header.

Reads a `linemap.LineMap`. A line of the printed header is the template's line, with the templates behind it
that asked for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Protocol

from layermatrix.core.errors import Place


class LineMap(Protocol):
    """What a header's lines were printed from, see `linemap.LineMap`."""

    def chain(self, line: int) -> Sequence[Place]: ...

    def layer(self, line: int) -> _Layer | None: ...


class _Layer(Protocol):
    @property
    def name(self) -> str: ...


@dataclass(frozen=True)
class Spot:
    """A line that a user wrote. owner: what it counts for, "layer ring" or a file, of the frame's lines the
    skeleton. layer: the layer, if it is one's. asked_by: "path:line" of the templates behind."""

    path: str
    line: int
    owner: str
    layer: str | None = None
    asked_by: tuple[str, ...] = ()

    def error(self, what: str) -> str:
        """A message about this line, in the form of every other error."""
        layer = f", layer {self.layer}" if self.layer else ""
        behind = f", printed for {', '.join(self.asked_by)}" if self.asked_by else ""
        return f"{self.path}:{self.line}:1: error: {what}{layer}{behind}"


@dataclass(frozen=True)
class Places:
    """header: the name of the generated file, whatever folder it lies in; read: gives the map of its lines,
    which takes a while."""

    header: str
    read: Callable[[], LineMap]

    @cached_property
    def _lines(self) -> LineMap:
        return self.read()

    def spot(self, file: str, line: int) -> Spot:
        """Where line `line` of the compiled file `file` was written."""
        chain = self._lines.chain(line) if PurePosixPath(file).name == self.header else ()
        if not chain:
            return Spot(file, line, file)
        layer = self._lines.layer(line)
        asked_by = tuple(f"{place.path}:{place.line}" for place in chain[1:])
        owner = f"layer {layer.name}" if layer else chain[-1].path
        return Spot(chain[0].path, chain[0].line, owner, layer.name if layer else None, asked_by)
