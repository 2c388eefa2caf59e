"""Tests that are known to fail or to be flaky in some cells: why, who looks after them, and until when."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from layermatrix.core.kinds import Items, Line, Misfit, Pattern, Ref, Sentence, Text, integer
from layermatrix.model.matching import HasValues, is_among
from layermatrix.model.matrix import Cells
from layermatrix.model.patterns import match_any


def _date(text: str) -> str:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        raise Misfit(f"must be a date, not {text!r}", "such as 2027-03-31") from None
    return text


Date = Annotated[str, Text("a date such as 2027-03-31", r"\d{4}-\d\d-\d\d", then=_date)]
Tests = Annotated[tuple[Annotated[Pattern, Ref("test", pattern=True)], ...], Items(1, alone=True)]


@dataclass(frozen=True)
class _Known:
    """Tests of cells. tests: the names of programs, and patterns. cells: the cells that it is about."""

    tests: Tests
    cells: Cells
    reason: Sentence

    def is_about(self, cell: HasValues, test: str) -> bool:
        return is_among(cell, self.cells) and match_any([test], self.tests)


@dataclass(frozen=True)
class Quarantined(_Known):
    """Tests whose failure does not count until a day. owner: who looks after it. expires: the last day."""

    owner: Line
    expires: Date

    def is_expired(self, today: datetime.date) -> bool:
        return today > datetime.date.fromisoformat(self.expires)


@dataclass(frozen=True)
class Flaky(_Known):
    """Tests that are repeated if they fail. attempts: how often they are run at most."""

    attempts: Annotated[int, integer(2, 10)] = 2


@dataclass(frozen=True)
class Quarantine:
    """The content of quarantine.yaml."""

    doc: Sentence = ""
    quarantine: tuple[Quarantined, ...] = ()
    flaky: tuple[Flaky, ...] = ()

    def attempts(self, cell: HasValues, test: str) -> int:
        """How often a test is run at most."""
        return max((one.attempts for one in self.flaky if one.is_about(cell, test)), default=1)

    def of(self, cell: HasValues, test: str) -> Quarantined | None:
        """The entry of a test, the one that expires last."""
        found = [one for one in self.quarantine if one.is_about(cell, test)]
        return max(found, key=lambda one: one.expires, default=None)

    def text(self, cell: HasValues, tests: Sequence[str], today: datetime.date) -> str:
        """A text that changes when the entries of these tests do, or when one expires."""
        entries = [self.of(cell, test) for test in tests]
        parts = [(test, self.attempts(cell, test)) for test in tests if self.attempts(cell, test) > 1]
        parts += [
            (f"{test} {entry.reason} {entry.owner} {entry.expires}", int(entry.is_expired(today)))
            for test, entry in zip(tests, entries, strict=True)
            if entry
        ]
        return repr(parts) if parts else ""
