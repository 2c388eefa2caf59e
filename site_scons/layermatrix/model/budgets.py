"""Budgets: the most that a figure of the code may be, by entry, metric and configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# What a budget can be about: the whole code of an entry and, as hit_<metric>, the hit path; the library.
# `evidence.asm` says what each one is.
CODE_METRICS = (
    "instructions", "branches", "calls", "tail_calls", "atomics", "stack", "spills", "bytes", "cache_lines",
)  # fmt: skip
HIT = "hit_"
ENTRY_METRICS = (*CODE_METRICS, *(HIT + name for name in CODE_METRICS if name != "tail_calls"))
LIBRARY_METRICS = ("text", "tls")
COUNTED_MODES = ("release", "debug")  # those of which the code is counted; the first where none is named
COMPILERS = ("gcc", "clang", "zig")
CONFIGURATIONS = (
    *COUNTED_MODES,
    *COMPILERS,
    *(f"{mode}-{name}" for mode in COUNTED_MODES for name in COMPILERS),
)


@dataclass(frozen=True)
class BudgetLimit:
    """The most that a figure may be, and where that is written: path:line."""

    most: int
    place: str


# entry (or `library`) -> metric -> configuration -> limit
Budget = Mapping[str, Mapping[str, Mapping[str, BudgetLimit]]]


def limits(budget: Budget, mode: str, compiler: str) -> dict[str, dict[str, BudgetLimit]]:
    """What a budget sets for a cell: entry -> metric -> limit. One for the very mode and compiler
    goes before one for the compiler (in release), and that before one for the mode."""
    words = (f"{mode}-{compiler}", *((compiler,) if mode == "release" else ()), mode)
    found: dict[str, dict[str, BudgetLimit]] = {}
    for entry, metrics in budget.items():
        for metric, by_configuration in metrics.items():
            limit = next((by_configuration[word] for word in words if word in by_configuration), None)
            if limit is not None:
                found.setdefault(entry, {})[metric] = limit
    return found
