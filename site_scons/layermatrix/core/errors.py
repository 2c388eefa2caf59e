"""Errors that point at the user's own line.

A `Place` is a position in a spec file; a `SpecError` is one mistake there; `SpecErrors` is what a caller
catches: every mistake that was found, in the order of files and lines. Nothing is read or written here.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

SHOWN_CHARACTERS = 60  # of a user's text in a message
LISTED_NAMES = 12  # more alternatives than this are not listed in a hint


@dataclass(frozen=True)
class Place:
    """A position in a file; line and column count from 1, `path` is relative to the project's root."""

    path: str
    line: int
    column: int

    @property
    def shown(self) -> str:
        """For readers who want to find the line."""
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


class SpecErrors(Exception):  # noqa: N818  it is several
    """All mistakes of a project at once; `errors` is sorted by place and holds none twice."""

    def __init__(self, errors: Iterable[SpecError]) -> None:
        self.errors = sorted(set(errors), key=lambda e: (e.path, e.line, e.column, e.what, e.hint or ""))
        super().__init__(self.errors)

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


class SelectionError(Exception):
    """A name or value on the command line that the project does not know."""


class Report:
    """Collects mistakes while a project is read, so that one run shows them all."""

    def __init__(self) -> None:
        self.errors: list[SpecError] = []

    def error(self, place: Place, what: str, hint: str | None = None) -> None:
        self.errors.append(SpecError(place.path, place.line, place.column, what, hint))

    def raise_if_any(self) -> None:
        if self.errors:
            raise SpecErrors(self.errors)


def quote(text: str) -> str:
    """A user's text as it may stand in a message: one line, bounded, nothing unprintable."""
    if len(text) > SHOWN_CHARACTERS:
        text = text[:SHOWN_CHARACTERS] + "..."
    return repr(text)


def article(noun: str) -> str:
    """A noun with its article."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def suggest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that `name` was probably meant to be, or None."""
    by_folded = {known.casefold(): known for known in names}
    close = difflib.get_close_matches(name[: 2 * SHOWN_CHARACTERS].casefold(), by_folded, n=1)
    return by_folded[close[0]] if close else None


def hint_for(name: str, names: Iterable[str]) -> str | None:
    """A way out for an unknown name: the likely one, or else all there are, when they are few."""
    known = list(names)
    likely = suggest(name, known)
    if likely is not None:
        return f"did you mean {quote(likely)}?"
    if 0 < len(known) <= LISTED_NAMES:
        return f"known: {', '.join(known)}"
    return None
