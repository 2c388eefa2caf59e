"""Whether a selection of a spec file, such as a rule's, contains a cell; and the names of a value on an
axis."""

from __future__ import annotations

import functools
import re
from typing import Protocol

from layermatrix.model.matrix import Cells
from layermatrix.model.patterns import match_any

COMPILER_COMMAND = re.compile(r"(?:[\w.+-]+-)?(gcc|clang)(?:-[\d.]+)?")  # gcc-12, x86_64-linux-gnu-gcc
SHORT_TARGET = re.compile(r"(\w+?)-linux(?:-gnu|-(\w+))?")


class HasValues(Protocol):
    """A cell, as far as this module knows it."""

    def value(self, axis: str) -> str: ...


def family_of(compiler: str) -> str:
    """The family of a compiler command: gcc for gcc-12. Another name is its own family."""
    command = COMPILER_COMMAND.fullmatch(compiler)
    return command.group(1) if command else compiler


def short_target(target: str) -> str:
    """A target in the id of a cell: aarch64 for aarch64-linux-gnu, x86_64-musl for x86_64-linux-musl."""
    parts = SHORT_TARGET.fullmatch(target)
    return "-".join(filter(None, parts.groups())) if parts else target


def names_of(axis: str, value: str) -> tuple[str, ...]:
    """The names that a user may give a value: of a target, also its short form."""
    return (value, short_target(value)) if axis == "target" else (value,)


def rule_values(axis: str, value: str) -> tuple[str, ...]:
    """The names under which a rule knows a value of an axis."""
    return (value, family_of(value)) if axis == "compiler" else names_of(axis, value)


def is_among(cell: HasValues, selection: Cells) -> bool:
    """Whether a selection of a spec file contains this cell."""
    return all(_is_one_of(axis, cell.value(axis), wanted) for axis, wanted in selection.given)


@functools.lru_cache(maxsize=4096)  # thousands of cells have the same few values
def _is_one_of(axis: str, value: str, wanted: tuple[str, ...]) -> bool:
    return match_any(rule_values(axis, value), wanted)
