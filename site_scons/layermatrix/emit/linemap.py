"""Find the template line from which each line of a variant's header was printed.

Reads a resolved `Variant` and the folder of templates; writes nothing. The header is printed again with marks
in the text of its templates. Each piece of text carries its template and line. If the value of a `{{ ... }}`
contains marks, the expression adds its own place around them. Only messages need this map. `printer.Header`
already has the layer of each line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

from layermatrix.core.errors import Place
from layermatrix.emit import printer

if TYPE_CHECKING:
    import jinja2

    from layermatrix.model.layers import Layer
    from layermatrix.model.variants import Variant

# characters of Unicode's private use area, which no C source contains
_LINE, _BEGIN, _END, _STOP = "\ue000", "\ue001", "\ue002", "\ue003"
_MARK = re.compile(f"([{_LINE}{_BEGIN}][^{_STOP}]*{_STOP}|{_END})")
_CALL = "_mark_call"

Chain = tuple[Place, ...]


@dataclass(frozen=True)
class LineMap:
    """`chains[i]` belongs to line i + 1: the place of the template's text first, then the places that called
    it, and the skeleton's last. A chain is empty if the place is not known. `owners[i]` is the layer that
    line i + 1 belongs to."""

    chains: tuple[Chain, ...]
    layers: tuple[Layer, ...]
    owners: tuple[str | None, ...] = ()

    def chain(self, line: int) -> Chain:
        """The chain of a header line, counted from 1; empty if there is no such line."""
        return self.chains[line - 1] if 0 < line <= len(self.chains) else ()

    def layer(self, line: int) -> Layer | None:
        """The layer that a line belongs to; None if the line belongs to the frame."""
        name = self.owners[line - 1] if 0 < line <= len(self.owners) else None
        return next((layer for layer in self.layers if layer.name == name), None)


def of_header(variant: Variant, templates_dir: Path, printed: str | None = None) -> LineMap:
    """The map of the header that `printer.render_header` returns. printed: that text, if it is at hand.
    Raises SpecErrors as `render_header` does."""
    traced = printer.header_text(variant, templates_dir, _Marks).split("\n")
    plain, owners = printer.without_marks(_MARK.sub("", line) for line in traced)
    if printer.tidy("\n".join(plain)) != (printed or printer.render_header(variant, templates_dir)):
        return LineMap((), variant.layers)  # a template tests a macro's output, and the marks changed it
    chains = _chains(traced)
    kept = printer.kept_lines(plain)
    return LineMap(
        tuple(chains[index] for index in kept), variant.layers, tuple(owners[index] for index in kept)
    )


def _chains(traced: Iterable[str]) -> list[Chain]:
    """The chain of each line: the place of its first mark, then the calls around that mark."""
    around: list[Place] = []
    marked: list[Chain | None] = []
    for line in traced:
        first: Chain | None = None
        for piece in _MARK.findall(line):
            if piece == _END:
                around.pop()
            elif piece[0] == _BEGIN:
                around.append(_place(piece))
            else:
                first = first or (_place(piece), *reversed(around))
        marked.append(first)
    return _fill_in(marked)


def _place(mark: str) -> Place:
    path, _, line = mark[1:-1].rpartition(":")
    return Place(path, int(line), 1)


def _fill_in(marked: list[Chain | None]) -> list[Chain]:
    """Give each line without a mark the next chain: such a line is part of an expression of several lines."""
    filled: list[Chain] = []
    following: Chain = ()
    for one in reversed(marked):
        following = one or following
        filled.append(following)
    return filled[::-1]


class _Marks(Extension):
    """Puts a mark after each piece of template text that ends a line or is not blank, and wraps each
    expression in a call of `_around`."""

    def __init__(self, environment: jinja2.Environment) -> None:
        super().__init__(environment)
        environment.globals[_CALL] = _around

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        path = stream.filename or stream.name or ""
        for token in stream:
            if token.type == "data":
                yield Token(token.lineno, "data", _marked(token, path))
            elif token.type == "variable_begin":
                yield token
                yield from _opening(token.lineno, f"{path}:{token.lineno}")
            elif token.type == "variable_end":
                yield Token(token.lineno, "rparen", ")")
                yield token
            else:
                yield token


def _opening(line: int, place: str) -> Iterator[Token]:
    """The tokens of `_mark_call("<place>", `; the end of the expression adds the closing parenthesis."""
    for kind, value in (("name", _CALL), ("lparen", "("), ("string", place), ("comma", ",")):
        yield Token(line, kind, value)


def _around(place: str, value: object) -> object:
    """The value of an expression; if templates printed it, with the place of the expression around it."""
    if isinstance(value, str) and _LINE in value:
        return f"{_BEGIN}{place}{_STOP}{value}{_END}"
    return value


def _marked(text: Token, path: str) -> str:
    """A piece of template text with a mark at the end of each of its lines."""
    lines = text.value.split("\n")
    last = len(lines) - 1
    return "\n".join(
        f"{line}{_LINE}{path}:{text.lineno + offset}{_STOP}" if line.strip() or offset < last else line
        for offset, line in enumerate(lines)
    )
