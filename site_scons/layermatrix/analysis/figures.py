"""Get single figures from the records of a cell; `NotMeasured` with the reason if one was not taken.

Reads the records of a cell, of the baseline, or of a side of a comparison. The story, the tables and the
charts all get their figures here, so that they agree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, Protocol, TypeVar

from layermatrix.core.records import Measured, NotMeasured
from layermatrix.evidence import asm, bench, counters
from layermatrix.evidence.counters import CountedLoad
from layermatrix.evidence.kind import Kind

R = TypeVar("R", bound=Measured)


class Interval(NamedTuple):
    """A figure with its spread; a count has none."""

    low: float
    middle: float
    high: float


Value = Interval | NotMeasured


class Evidence(Protocol):
    """An object with records of evidence."""

    def of(self, kind: Kind[R]) -> R | NotMeasured: ...


def reported_range(text: str | None) -> tuple[float, float] | None:
    """The figures in a reported text: '23.6' is (23.6, 23.6) and '40-50' is (40.0, 50.0)."""
    numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", text or "")]
    return (min(numbers), max(numbers)) if numbers else None


def entry_names(cell: Evidence) -> list[str]:
    """The entries of the fast path whose code was counted, in the order of the evidence."""
    record = cell.of(asm.KIND)
    return [] if isinstance(record, NotMeasured) else list(record.entries)


def entry_instructions(cell: Evidence, _load: str | None = None) -> Value:
    """Decoded instructions of the first entry of the fast path."""
    record = cell.of(asm.KIND)
    if isinstance(record, NotMeasured):
        return record
    return record.first if isinstance(record.first, NotMeasured) else _point(record.first.instructions)


def counted(record: Evidence, load: str | None) -> CountedLoad | NotMeasured:
    """The counts of a load; without a name, of the only load."""
    found = record.of(counters.KIND)
    return found if isinstance(found, NotMeasured) else found.load(load)


def per_op(record: Evidence, load: str | None) -> Mapping[str, float]:
    """Event -> events per operation of a load; empty if it was not counted."""
    found = counted(record, load)
    return {} if isinstance(found, NotMeasured) else found.per_op


def l1_misses(record: Evidence, load: str | None = None) -> Value:
    """The misses of both first-level caches per operation; reported figures do not separate them."""
    found = counted(record, load)
    return found if isinstance(found, NotMeasured) else _l1(found.per_op)


def raw_l1_misses(record: Evidence, load: str | None = None) -> Value:
    """The L1 misses per operation, including the benchmark's own share."""
    found = counted(record, load)
    return found if isinstance(found, NotMeasured) else _l1(found.raw)


def _l1(counts: Mapping[str, float]) -> Value:
    return _point(counters.l1_misses(counts))


def mispredictions(record: Evidence, load: str | None = None) -> Value:
    """The branches per operation that the simulated predictor mispredicts."""
    return _per_op(record, load, "mispredicted")


def op_instructions(record: Evidence, load: str | None = None) -> Value:
    """Instructions that one operation executes."""
    return _per_op(record, load, "instructions")


def _per_op(record: Evidence, load: str | None, event: str) -> Value:
    found = counted(record, load)
    if isinstance(found, NotMeasured):
        return found
    value = found.per_op.get(event)
    return NotMeasured("this is not counted") if value is None else _point(value)


def timing(record: Evidence, load: str | None) -> bench.Timing | NotMeasured:
    """The speed of a load."""
    found = record.of(bench.KIND)
    return found if isinstance(found, NotMeasured) else found.load(load or "")


def speed_ratio(cell: Evidence, load: str | None) -> Value:
    """The speed as a multiple of the baseline's; one run timed both in interleaved rounds."""
    found = timing(cell, load)
    if isinstance(found, NotMeasured):
        return found
    if found.ratio is None:
        return NotMeasured("there is no baseline beside it")
    if isinstance(found.ratio, NotMeasured):
        return found.ratio
    return Interval(found.ratio.low, found.ratio.median, found.ratio.high)


def _point(value: float) -> Interval:
    return Interval(value, value, value)
