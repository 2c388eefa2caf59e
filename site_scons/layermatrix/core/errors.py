"""Errors that point at the user's own line.

A `Place` is a position in a spec file. A `SpecError` is one mistake at a place. Callers catch `SpecErrors`,
which holds every mistake that was found, in the order of files and lines. This module does no I/O.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

SHOWN_CHARACTERS = 60  # the longest user text in a message
LISTED_NAMES = 12  # a hint lists at most this many alternatives


@dataclass(frozen=True)
class Place:
    """A position in a file; line and column count from 1, `path` is relative to the project's root."""

    path: str
    line: int
    column: int

    @property
    def shown(self) -> str:
        """The position as path:line, for readers."""
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class SpecError:
    """One mistake in a spec or a template."""

    path: str
    line: int
    column: int
    what: str
    hint: str | None = None

    def __str__(self) -> str:
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.path}:{self.line}:{self.column}: error: {self.what}{hint}"


class SpecErrors(Exception):  # noqa: N818  one exception holds several errors
    """All mistakes of a project; `errors` is sorted by place and has no duplicates."""

    def __init__(self, errors: Iterable[SpecError]) -> None:
        self.errors = sorted(set(errors), key=lambda e: (e.path, e.line, e.column, e.what, e.hint or ""))
        super().__init__(self.errors)

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


class RefusedError(Exception):
    """A measurement is refused, because its figures would mean nothing; str() says why and what helps."""


class SelectionError(Exception):
    """The command line has a name or value that the project does not know."""


class Report:
    """Collects mistakes while a project is read, so that one run shows all of them."""

    def __init__(self) -> None:
        self.errors: list[SpecError] = []

    def error(self, place: Place, what: str, hint: str | None = None) -> None:
        self.errors.append(SpecError(place.path, place.line, place.column, what, hint))

    def raise_if_any(self) -> None:
        if self.errors:
            raise SpecErrors(self.errors)


def quote(text: str) -> str:
    """A user's text for a message: quoted, on one line, of bounded length, printable."""
    if len(text) > SHOWN_CHARACTERS:
        text = text[:SHOWN_CHARACTERS] + "..."
    return repr(text)


def article(noun: str) -> str:
    """A noun with its indefinite article."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def suggest(name: str, names: Iterable[str]) -> str | None:
    """The most similar of `names`, or None if no one is similar."""
    by_folded = {known.casefold(): known for known in names}
    close = difflib.get_close_matches(name[: 2 * SHOWN_CHARACTERS].casefold(), by_folded, n=1)
    return by_folded[close[0]] if close else None


def hint_for(name: str, names: Iterable[str]) -> str | None:
    """A hint for an unknown name: the most similar name, otherwise the list of all names if it is short."""
    known = list(names)
    likely = suggest(name, known)
    if likely is not None:
        return f"did you mean {quote(likely)}?"
    if 0 < len(known) <= LISTED_NAMES:
        return f"known: {', '.join(known)}"
    return None
