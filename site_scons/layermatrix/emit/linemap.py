"""Say from which line of which template each line of a variant's header was printed.

Reads a resolved `model.Variant` and the folder of templates; nothing is written. The header is printed once
more, with a mark in front of every line break that a template has; `emit` prints the real one without them.
A mark holds the layer that the frame calls it a part of, the template's line and, behind it, the lines of the
templates that called the macro.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

from layermatrix.core.errors import Place
from layermatrix.emit import printer

if TYPE_CHECKING:
    import jinja2

    from layermatrix.model.project import Layer, Variant

# private characters of Unicode, which no C source has a use for
_OPEN, _CLOSE, _NEXT = "\ue000", "\ue001", "\ue002"
_MARK = re.compile(f"{_OPEN}([^{_CLOSE}]*){_CLOSE}")
_CALL = "_mark_line"

Chain = tuple[Place, ...]
Told = tuple[Chain, "str | None"]  # what a mark says: places, and the layer that the line is called a part of


@dataclass(frozen=True)
class LineMap:
    """`chains[i]` tells of line i + 1: the template's own line first, then those that asked for it, the
    skeleton's last. Empty where nobody can tell. `parts[i]`: the layer of which the frame calls it a part."""

    chains: tuple[Chain, ...]
    layers: tuple[Layer, ...]
    parts: tuple[str | None, ...] = ()

    def chain(self, line: int) -> Chain:
        """Of a line of the header, counted from 1; empty for a line that it does not have."""
        return self.chains[line - 1] if 0 < line <= len(self.chains) else ()

    def layer(self, line: int) -> Layer | None:
        """The layer whose template has the line printed, itself or by a macro, or of which the frame calls it
        a part; None: the frame."""
        by_template = {layer.template: layer for layer in self.layers}
        names = (place.path.partition("/")[2] for place in self.chain(line))
        printed_by = next((by_template[name] for name in names if name in by_template), None)
        part_of = self.parts[line - 1] if 0 < line <= len(self.parts) else None
        return printed_by or next((layer for layer in self.layers if layer.name == part_of), None)

    def runs(self) -> dict[str, list[tuple[int, int]]]:
        """The lines of each layer, as first and last line of every run."""
        found: dict[str, list[tuple[int, int]]] = {}
        for line in range(1, len(self.chains) + 1):
            layer = self.layer(line)
            if layer is None:
                continue
            own = found.setdefault(layer.name, [])
            if own and own[-1][1] == line - 1:
                own[-1] = (own[-1][0], line)
            else:
                own.append((line, line))
        return found


def of_header(variant: Variant, templates_dir: Path, printed: str | None = None) -> LineMap:
    """The map of the header that `emit.render_header` gives, or has given: `printed`. SpecErrors as there."""
    marked = printer.header_text(variant, templates_dir, _Marks).split("\n")
    lines = [_MARK.sub("", line) for line in marked]
    if printer.tidy("\n".join(lines)) != (printed or printer.render_header(variant, templates_dir)):
        return LineMap((), variant.layers)  # a template looks at what a macro prints, and sees the marks
    told = _fill_in(_first_mark(line) for line in marked)
    kept = [told[index] for index in printer.kept_lines(lines)]
    return LineMap(tuple(chain for chain, _ in kept), variant.layers, tuple(part for _, part in kept))


def _first_mark(line: str) -> Told | None:
    found = _MARK.search(line)
    if found is None:
        return None
    part, *places = found.group(1).split(_NEXT)
    split = (place.rpartition(":") for place in places)
    return tuple(Place(path, int(number), 1) for path, _, number in split), part or None


def _fill_in(told: Iterable[Told | None]) -> list[Told]:
    """A line without a mark is part of a longer expression, which the next mark follows."""
    filled: list[Told] = []
    following: Told = ((), None)
    for one in reversed(list(told)):
        following = one or following
        filled.append(following)
    return filled[::-1]


class _Marks(Extension):
    """Puts a mark behind every piece of a template's text that is more than blanks or ends a line."""

    def __init__(self, environment: jinja2.Environment) -> None:
        super().__init__(environment)
        environment.globals[_CALL] = _mark

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        for token in stream:
            if token.type == "data":
                yield from _marked(token)
            else:
                yield token


def _marked(text: Token) -> Iterator[Token]:
    """The tokens of a template's text with `{{ _mark_line(<line>) }}` in its lines."""
    lines = text.value.split("\n")
    for offset, line in enumerate(lines):
        number = text.lineno + offset
        is_last = offset == len(lines) - 1
        if line:
            yield Token(number, "data", line)
        if line.strip() or not is_last:
            for kind, value in (
                ("variable_begin", "{{"),
                ("name", _CALL),
                ("lparen", "("),
                ("integer", number),
                ("rparen", ")"),
                ("variable_end", "}}"),
            ):
                yield Token(number, kind, value)  # type: ignore[arg-type]  # an integer's value is one
        if not is_last:
            yield Token(number, "data", "\n")


def _mark(line: int) -> str:
    """Called while a template is printed: this line of it, and the lines that are waiting for it."""
    (path, _), *callers = _printing(sys._getframe(1))
    places = [f"{path}:{line}" for path, line in ((path, line), *callers)]
    return _OPEN + _NEXT.join([_part(sys._getframe(1)), *places]) + _CLOSE


def _part(frame: FrameType | None) -> str:
    """The layer of the innermost `part_of` in which the line is printed; empty without one."""
    while frame is not None:
        if frame.f_code is printer.part_of.__code__:
            return str(frame.f_locals["layer"].name)
        frame = frame.f_back
    return ""


def _printing(frame: FrameType | None) -> Iterator[tuple[str, int]]:
    """The templates that are being printed, as path and line, the innermost first."""
    while frame is not None:
        template: jinja2.Template | None = frame.f_globals.get("__jinja_template__")
        if template is not None:
            yield str(template.filename), template.get_corresponding_lineno(frame.f_lineno)
        frame = frame.f_back
