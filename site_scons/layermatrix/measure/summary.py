"""Summarize each library over a group of loads, and over all loads: geometric means, and the worst loads."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from layermatrix.evidence.bench import Timing
from layermatrix.measure.peer_results import PeerLoadResult, Standing, Summary
from layermatrix.model.layers import ALL

WORST = 5  # number of loads that are named

Memory = Callable[[Timing], object]  # KiB, or the reason why there is no figure


def summaries(
    loads: Mapping[str, PeerLoadResult], names: Sequence[str], baseline: str, order: Iterable[str] = ()
) -> dict[str, Summary]:
    """A summary of each group that has loads here, and one of all loads. order: of the groups; others follow
    in the order of their loads."""
    present = dict.fromkeys(load.group for load in loads.values() if load.group)
    groups = dict.fromkeys(group for group in (*order, *present) if group in present)
    chosen = {group: {name: load for name, load in loads.items() if load.group == group} for group in groups}
    return {
        group: Summary(len(some), {name: _standing(some, name, baseline) for name in names})
        for group, some in {**chosen, ALL: dict(loads)}.items()
    }


def geometric_mean(values: Iterable[float]) -> float | None:
    """The geometric mean; None for no values."""
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs)) if logs else None


def _standing(loads: Mapping[str, PeerLoadResult], name: str, baseline: str) -> Standing:
    shares = {load_name: load.shares[name] for load_name, load in loads.items() if name in load.shares}
    return Standing(
        loads=len(shares),
        speed=geometric_mean(shares.values()),
        peak=_memory(loads.values(), name, baseline, lambda timing: timing.peak_kib),
        after=_memory(loads.values(), name, baseline, lambda timing: timing.after_kib),
        worst=tuple(sorted(shares, key=lambda load_name: shares[load_name])[:WORST]),
    )


def _memory(loads: Iterable[PeerLoadResult], name: str, baseline: str, of: Memory) -> float | None:
    """The mean ratio of its memory to the baseline's, over the loads where both have a figure."""
    pairs = ((load.timing(name), load.timing(baseline)) for load in loads)
    figures = ((of(own), of(base)) for own, base in pairs if own and base)
    return geometric_mean(
        own / base for own, base in figures if isinstance(own, int) and isinstance(base, int)
    )
