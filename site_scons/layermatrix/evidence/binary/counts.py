"""The counts of machine code, as plain values; `counting` defines each figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from layermatrix.core.records import NotMeasured
from layermatrix.model.budgets import HIT

FRAME = "frame"  # the owner of code that belongs to no layer


@dataclass(frozen=True)
class Sums:
    """The additive counts: those of all layers add up to those of the whole."""

    instructions: int
    nops: int
    branches: int
    calls: int
    tail_calls: int
    atomics: int
    spills: int
    bytes: int


@dataclass(frozen=True)
class Counts(Sums):
    stack: int | NotMeasured
    cache_lines: int


@dataclass(frozen=True)
class Hit(Counts):
    """The counts of a hit path. layers: the layers that it passes, in order."""

    layers: tuple[str, ...]


@dataclass(frozen=True)
class Share(Sums):
    """One layer's share of an entry, and of the entry's hit path."""

    hit: Sums | NotMeasured


@dataclass(frozen=True)
class Entry(Counts):
    """An entry of the fast path: its whole inlined code."""

    function: str
    probe: str
    lines: int | NotMeasured
    hit: Hit | NotMeasured
    layers: Mapping[str, Share] | NotMeasured

    def metric(self, name: str) -> int | NotMeasured:
        """A count by its name in budgets; the prefix `hit_` means the hit path."""
        if name.startswith(HIT):
            return self.hit if isinstance(self.hit, NotMeasured) else of(self.hit, name.removeprefix(HIT))
        return of(self, name)

    def share(self, layer: str, metric: str) -> int | NotMeasured:
        """A layer's share of one of the additive counts."""
        if isinstance(self.layers, NotMeasured):
            return self.layers
        found = self.layers[layer]
        if metric.startswith(HIT):
            return (
                found.hit if isinstance(found.hit, NotMeasured) else of(found.hit, metric.removeprefix(HIT))
            )
        return of(found, metric)


def of(counts: Sums, metric: str) -> int | NotMeasured:
    """A count by its name."""
    found = getattr(counts, metric, None)
    return found if isinstance(found, (int, NotMeasured)) else NotMeasured(f"{metric} is not counted")
