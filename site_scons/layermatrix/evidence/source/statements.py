"""Gather the debug statements of a program: calls of a printing function, each with its own sentinel.

Reads C texts. A statement without a sentinel, or with the sentinel of another one, is a mistake: the search
of a library could not identify its message.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from layermatrix.core.errors import SpecErrors, quote
from layermatrix.evidence.source import csource
from layermatrix.evidence.source.line_origins import LineOrigins, SourceLine


@dataclass(frozen=True)
class Statement:
    sentinel: str
    origin: SourceLine


@dataclass(frozen=True)
class Gathered:
    """statements: those with a sentinel of their own; mistakes: what is wrong with the others."""

    statements: tuple[Statement, ...]
    mistakes: tuple[str, ...]


def gather(
    texts: Mapping[str, str], prints: Collection[str], sentinel: re.Pattern[str], origins: LineOrigins
) -> Gathered:
    """The statements of these files (path -> text), in their order, and what is wrong with them."""
    found: dict[str, Statement] = {}
    mistakes: list[str] = []
    for path, text in texts.items():
        try:
            calls = csource.calls(text, path, prints)
        except SpecErrors as errors:
            mistakes += [
                origins.origin(one.path, one.line).error(f"{one.what}; {one.hint or ''}".rstrip("; "))
                for one in errors.errors
            ]
            continue
        for call in calls:
            origin = origins.origin(path, call.line)
            own = [match.group() for part in call.strings for match in sentinel.finditer(part)]
            problem = _problem(call, own, found)
            if problem:
                mistakes.append(origin.error(problem))
            else:
                found[own[0]] = Statement(own[0], origin)
    return Gathered(tuple(found.values()), tuple(mistakes))


def _problem(call: csource.Call, own: list[str], found: Mapping[str, Statement]) -> str | None:
    if not own:
        return f"this call of {call.function} has no sentinel"
    if len(own) > 1:
        return f"this call of {call.function} has {len(own)} sentinels, {' and '.join(own)}"
    if own[0] in found:
        first = found[own[0]].origin
        return f"the sentinel {quote(own[0])} is already used at {first.path}:{first.line}"
    return None


def compiled_in(statements: Iterable[Statement], preprocessed: Iterable[str]) -> list[Statement]:
    """The statements that are still in the preprocessed texts, which have no comments."""
    texts = list(preprocessed)
    return [one for one in statements if any(one.sentinel in text for text in texts)]
