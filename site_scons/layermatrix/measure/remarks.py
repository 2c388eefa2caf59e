"""What readers of a run's figures have to know, in lines of text: its seed, its conditions, its noise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from layermatrix.core.records import NotMeasured
from layermatrix.evidence.bench import Bench, Ratio, Timing, Verdict
from layermatrix.evidence.columns import several
from layermatrix.evidence.conditions import Conditions
from layermatrix.measure.peer_results import PeerResults

NAMED = 3  # comparisons that a line names


def lines(records: Mapping[str, Bench | NotMeasured]) -> list[str]:
    """The remarks about the records of one run, by the names of their subjects."""
    timed = {name: record for name, record in records.items() if isinstance(record, Bench)}
    if not timed:
        return []
    last = list(timed.values())[-1]
    ratios = {
        f"{name} {load}": timing.ratio
        for name, record in timed.items()
        for load, timing in record.loads.items()
        if isinstance(timing, Timing) and isinstance(timing.ratio, Ratio)
    }
    return [*of_run(last.seed, last.stopped, last.conditions), *of_ratios(ratios)]


def of_peers(found: PeerResults | NotMeasured) -> list[str]:
    """The remarks about a comparison with other libraries: each variant with the best of the others."""
    if isinstance(found, NotMeasured):
        return []
    ratios = {
        f"{own} {name}": ratio
        for name, load in found.loads.items()
        for own, ratio in load.against_best.items()
    }
    return [*of_run(found.seed, found.stopped, found.conditions), *of_ratios(ratios)]


def of_run(seed: int | None, stopped: str, conditions: Conditions | None) -> Iterable[str]:
    """The remarks about the run itself."""
    if seed is not None:
        yield f"random order of each round: seed={seed} repeats it"
    if stopped:
        yield f"ended early: {stopped}"
    if conditions is not None and conditions.is_busy:
        yield f"{conditions.mark}; strict=1 refuses such a run"


def of_ratios(ratios: Mapping[str, Ratio]) -> Iterable[str]:
    """The remarks about comparisons that this run was too short or too noisy for."""
    few = {name: ratio for name, ratio in ratios.items() if ratio.verdict is Verdict.OPEN}
    noisy = {name: ratio for name, ratio in ratios.items() if ratio.needed and name not in few}
    if few:
        yield _line(f"no verdict in {len(few)} of {several(len(ratios), 'comparison')}", few)
    if noisy and any(ratio.verdict is Verdict.SAME for ratio in noisy.values()):
        same = {name: ratio for name, ratio in noisy.items() if ratio.verdict is Verdict.SAME}
        smallest = next(iter(same.values())).smallest
        words = f"too noisy to see a difference of {smallest:.1%}"
        yield _line(f"{words} in {len(same)} of {several(len(ratios), 'comparison')}", same)


def _line(what: str, found: Mapping[str, Ratio]) -> str:
    names: Sequence[str] = sorted(found, key=lambda name: -(found[name].needed or 0))
    shown = [f"{name} (\u00b1{found[name].margin:.1%})" for name in names[:NAMED]]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    needed = found[names[0]].needed
    rounds = f"; about {needed} rounds would tell" if needed else ""
    return f"{what}: {', '.join(shown)}{more}{rounds}"
