"""Hold a cell's counts against the budget of its variant.

Reads a record `asm` and the limits; returns the record `budget`. A limit whose figure could not be taken is
broken, too: what nobody has seen is not kept. Each broken one comes with what every layer has of it, beside
the same of the variant's ancestor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from layermatrix.core import records

LIBRARY = "library"
HIT = "hit_"
FRAME = "frame"
SHOWN_INSTEAD = "instructions"  # of the layers, where a figure is not the sum of theirs


class Limit(Protocol):
    """The most that a figure may be, and where that is written."""

    @property
    def most(self) -> int: ...

    @property
    def place(self) -> str: ...


Limits = Mapping[str, Mapping[str, Limit]]  # entry or `library` -> metric -> limit


def judge(
    asm: records.Record,
    limits: Limits,
    ancestor: tuple[str, records.Record] | None,
    origins: Mapping[str, str],
) -> records.Record:
    """The record `budget`. ancestor: a cell and its record `asm`; origins: where each layer is written."""
    if not limits:
        return records.not_measured("budget", "no budget is set for this cell")
    figures = list(_figures(asm, limits))
    broken = [_explained(asm, figure, ancestor, origins) for figure in figures if _is_broken(figure)]
    failures = [figure["sentence"] for figure in broken]
    return records.measured(
        "budget", figures=figures, broken=broken, failures=failures, log="\n".join(_log(broken))
    )


def sentence(figure: records.Record) -> str:
    """What is wrong with a broken limit, on one line."""
    name = f"{figure['entry']} {figure['metric']}"
    limit = f"{figure['limit']:,} is the most ({figure['place']})"
    if figure["value"] is None:
        return f"{name} is not known, and {limit}: {figure['reason']}"
    return f"{name} is {figure['value']:,}, and {limit}"


def value(asm: records.Record, entry: str, metric: str) -> tuple[int | None, str | None]:
    """A figure of a record `asm`, or why there is none."""
    if not records.is_measured(asm):
        return None, asm["reason"]
    if entry == LIBRARY:
        return (asm.get("library") or {}).get(metric), asm.get("library_reason")
    found = asm["entries"].get(entry)
    if found is None:
        return None, f"entry {entry!r} was not counted"
    return _metric(found, metric), found.get("hit_reason" if metric.startswith(HIT) else f"{metric}_reason")


def _metric(counted: records.Record, metric: str) -> int | None:
    """A metric of an entry or of a layer's share in it."""
    if metric.startswith(HIT):
        counted, metric = counted.get("hit") or {}, metric.removeprefix(HIT)
    found = counted.get(metric)
    return found if isinstance(found, int) else None


def _figures(asm: records.Record, limits: Limits) -> Iterator[records.Record]:
    for entry, metrics in limits.items():
        for metric, limit in metrics.items():
            found, reason = value(asm, entry, metric)
            why = (reason or "nobody counts it") if found is None else None
            yield {
                "entry": entry,
                "metric": metric,
                "limit": limit.most,
                "place": limit.place,
                "value": found,
                "reason": why,
            }


def _is_broken(figure: records.Record) -> bool:
    return figure["value"] is None or figure["value"] > figure["limit"]


def _explained(
    asm: records.Record,
    figure: records.Record,
    ancestor: tuple[str, records.Record] | None,
    origins: Mapping[str, str],
) -> records.Record:
    """A broken figure with the layers that it consists of, those of the ancestor beside them."""
    entry, metric = figure["entry"], figure["metric"]
    own = _shares(asm, entry, metric)
    other = _shares(ancestor[1], entry, metric) if ancestor else {}
    layers = [
        {"layer": name, "value": own.get(name, 0), "ancestor": other.get(name, 0), "from": origins.get(name)}
        for name in dict.fromkeys((*own, *other))
    ]
    return {
        **figure,
        "sentence": sentence(figure),
        "ancestor": ancestor[0] if ancestor else None,
        "ancestor_value": value(ancestor[1], entry, metric)[0] if ancestor else None,
        "shares": _shared_metric(metric),
        "layers": layers,
    }


def _shared_metric(metric: str) -> str:
    """What is shown of the layers: the metric, or instructions where theirs do not add up to it."""
    hit, name = (HIT, metric.removeprefix(HIT)) if metric.startswith(HIT) else ("", metric)
    return metric if name not in ("stack", "cache_lines") else f"{hit}{SHOWN_INSTEAD}"


def _shares(asm: records.Record, entry: str, metric: str) -> dict[str, int]:
    """Layer -> what it has of a metric; the layers that have nothing are left out."""
    if not records.is_measured(asm) or entry == LIBRARY:
        return {}
    layers = asm["entries"].get(entry, {}).get("layers") or {}
    shares = {name: _metric(share, _shared_metric(metric)) for name, share in layers.items()}
    return {name: count for name, count in shares.items() if count}


def _log(figures: Iterable[records.Record]) -> Iterator[str]:
    """Every broken limit, for whoever sees no table; the same layers only once."""
    shown = set()
    for broken in figures:
        yield f"over budget: {broken['sentence']}"
        if broken["ancestor_value"] is not None:
            yield f"  {broken['ancestor']} has {broken['ancestor_value']:,}"
        if (broken["entry"], broken["shares"]) not in shown:
            yield from _layers(broken)
        shown.add((broken["entry"], broken["shares"]))


def _layers(broken: records.Record) -> Iterator[str]:
    if broken["layers"]:
        before = broken["ancestor"] or "(no ancestor was built)"
        yield f"  {broken['shares']} by layer, beside {before}:"
    width = max((len(share["layer"]) for share in broken["layers"]), default=0)
    for share in broken["layers"]:
        change = f"{share['value'] - share['ancestor']:+6}" if broken["ancestor"] else " " * 6
        origin = f"  {share['from']}" if share["from"] else ""
        yield f"    {share['layer']:<{width}} {share['value']:>6} {change}{origin}"
