"""Find the origin of a compiled line: a line of a C file, or a template line that printed it.

Reads a `linemap.LineMap`. The origin of a line of the printed header is a template line, followed by the
template lines that called it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Protocol

from layermatrix.core.errors import Place


class LineMap(Protocol):
    """The origins of a header's lines, see `linemap.LineMap`."""

    def chain(self, line: int) -> Sequence[Place]: ...

    def layer(self, line: int) -> _Layer | None: ...


class _Layer(Protocol):
    @property
    def name(self) -> str: ...


@dataclass(frozen=True)
class SourceLine:
    """A line of a hand-written file. owner: "layer ring" for a line of that layer; otherwise the file, which
    is the skeleton for lines of the frame. layer: its layer, if any. printed_for: the template lines that
    called it, as "path:line"."""

    path: str
    line: int
    owner: str
    layer: str | None = None
    printed_for: tuple[str, ...] = ()

    def error(self, what: str) -> str:
        """An error message about this line."""
        layer = f", layer {self.layer}" if self.layer else ""
        suffix = f", printed for {', '.join(self.printed_for)}" if self.printed_for else ""
        return f"{self.path}:{self.line}:1: error: {what}{layer}{suffix}"


@dataclass(frozen=True)
class LineOrigins:
    """Finds origins. header: the name of the generated file, without its folder. read: returns the map of its
    lines; it is slow, so it is called only when needed."""

    header: str
    read: Callable[[], LineMap]

    @cached_property
    def _lines(self) -> LineMap:
        return self.read()

    def origin(self, file: str, line: int) -> SourceLine:
        """The origin of line `line` of the compiled file `file`."""
        chain = self._lines.chain(line) if PurePosixPath(file).name == self.header else ()
        if not chain:
            return SourceLine(file, line, file)
        layer = self._lines.layer(line)
        printed_for = tuple(f"{place.path}:{place.line}" for place in chain[1:])
        owner = f"layer {layer.name}" if layer else chain[-1].path
        return SourceLine(chain[0].path, chain[0].line, owner, layer.name if layer else None, printed_for)
