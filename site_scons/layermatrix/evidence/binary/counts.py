"""What is counted in machine code, as plain values; `counting` says how each figure is taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from layermatrix.core.records import NotMeasured
from layermatrix.model.budgets import HIT

FRAME = "frame"  # what is no layer's


@dataclass(frozen=True)
class Sums:
    """The counts of which the layers' add up to the whole."""

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
    """layers: those that the hit passes, in order."""

    layers: tuple[str, ...]


@dataclass(frozen=True)
class Share(Sums):
    """What one layer has of an entry, and of its hit."""

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
        """A count by the name that budgets have for it, `hit_` in front where the hit's is meant."""
        if name.startswith(HIT):
            return self.hit if isinstance(self.hit, NotMeasured) else of(self.hit, name.removeprefix(HIT))
        return of(self, name)

    def share(self, layer: str, metric: str) -> int | NotMeasured:
        """What a layer has of one of the counts that add up."""
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
