"""Budgets: upper limits of figures of the code, by entry, metric and configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# The metrics that a budget can limit: the whole code of an entry; as hit_<metric>, its hit path; the library.
# `evidence.asm` defines each metric.
CODE_METRICS = (
    "instructions", "branches", "calls", "tail_calls", "atomics", "stack", "spills", "bytes", "cache_lines",
)  # fmt: skip
HIT = "hit_"
ENTRY_METRICS = (*CODE_METRICS, *(HIT + name for name in CODE_METRICS if name != "tail_calls"))
LIBRARY_METRICS = ("text", "tls")
COUNTED_MODES = ("release", "debug")  # the modes whose code is counted; the first is the default
COMPILERS = ("gcc", "clang", "zig")
CONFIGURATIONS = (
    *COUNTED_MODES,
    *COMPILERS,
    *(f"{mode}-{name}" for mode in COUNTED_MODES for name in COMPILERS),
)


@dataclass(frozen=True)
class BudgetLimit:
    """most: the largest value within budget. place: where the spec sets it, as path:line."""

    most: int
    place: str


# entry (or `library`) -> metric -> configuration -> limit
Budget = Mapping[str, Mapping[str, Mapping[str, BudgetLimit]]]


def limits(budget: Budget, mode: str, compiler: str) -> dict[str, dict[str, BudgetLimit]]:
    """The limits of a budget for a cell: entry -> metric -> limit. A limit for mode and compiler takes
    precedence over one for the compiler (release only), and that over one for the mode."""
    words = (f"{mode}-{compiler}", *((compiler,) if mode == "release" else ()), mode)
    found: dict[str, dict[str, BudgetLimit]] = {}
    for entry, metrics in budget.items():
        for metric, by_configuration in metrics.items():
            limit = next((by_configuration[word] for word in words if word in by_configuration), None)
            if limit is not None:
                found.setdefault(entry, {})[metric] = limit
    return found
