"""Names and patterns that select things, such as `phase*` or `all`."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from layermatrix.core.kinds import NOT
from layermatrix.model.layers import ALL


def matches(name: str, pattern: str) -> bool:
    """Whether a name, a pattern or the word `all` selects this name."""
    return pattern == ALL or fnmatchcase(name, pattern)


def match_any(names: Iterable[str], patterns: Iterable[str]) -> bool:
    """Whether any of the patterns selects any of the names, and no pattern that begins with `!` excludes one.
    If all patterns begin with `!`, they select everything else."""
    known, chosen = [*names], [*patterns]
    wanted = [pattern for pattern in chosen if not pattern.startswith(NOT)]
    unwanted = [pattern.removeprefix(NOT) for pattern in chosen if pattern.startswith(NOT)]
    if any(matches(name, pattern) for name in known for pattern in unwanted):
        return False
    return (bool(unwanted) and not wanted) or any(
        matches(name, pattern) for name in known for pattern in wanted
    )
