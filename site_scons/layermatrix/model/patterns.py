"""Names and patterns that select things, such as `phase*` or `all`."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from layermatrix.model.layers import ALL


def matches(name: str, pattern: str) -> bool:
    """Whether a name, a pattern or the word `all` selects this name."""
    return pattern == ALL or fnmatchcase(name, pattern)


def match_any(names: Iterable[str], patterns: Iterable[str]) -> bool:
    """Whether any of the patterns selects any of the names."""
    chosen = [*patterns]
    return any(matches(name, pattern) for name in names for pattern in chosen)
