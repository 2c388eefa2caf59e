"""Take single figures out of a cell's record; None where one was not measured.

Reads cell records (and the baseline's, which has counters and timings only); the story, the tables and the
charts get the same figure for the same question from here.
"""

from __future__ import annotations

import re
from typing import Any

Record = dict[str, Any]
Interval = tuple[float, float, float]  # low, middle, high


def quoted_range(text: str | None) -> tuple[float, float] | None:
    """The figures in a quoted text: '23.6' is (23.6, 23.6) and '40-50' is (40.0, 50.0)."""
    numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", text or "")]
    return (min(numbers), max(numbers)) if numbers else None


def entry_names(cell: Record) -> list[str]:
    """The entries of the fast path whose code was counted, in the order of the evidence."""
    return list(cell.get("asm", {}).get("entries", {}))


def alloc_instructions(cell: Record, _load: str | None = None) -> Interval | None:
    """Decoded instructions of the first entry of the fast path."""
    names = entry_names(cell)
    value = cell["asm"]["entries"][names[0]].get("instructions") if names else None
    return _point(value)


def per_op(record: Record, load: str | None) -> Record | None:
    """The counters an operation of a load, the benchmark's own share taken off."""
    return _counted(record, load, "per_op")


def _counted(record: Record, load: str | None, key: str) -> Record | None:
    """What was counted for a load; without a name, for the only one."""
    loads = record.get("counters", {}).get("loads", {})
    only = next(iter(loads.values())) if load is None and len(loads) == 1 else {}
    found: Record | None = loads.get(load, only).get(key)
    return found


def is_counted(record: Record) -> bool:
    """Whether any load was counted."""
    return bool(record.get("counters", {}).get("loads"))


def l1_misses(cell: Record, load: str | None = None) -> Interval | None:
    """Misses of both first-level caches an operation; the quoted figures do not tell them apart."""
    return _l1(per_op(cell, load))


def raw_l1_misses(cell: Record, load: str | None = None) -> Interval | None:
    """The same with the benchmark's own share."""
    return _l1(_counted(cell, load, "raw"))


def _l1(counted: Record | None) -> Interval | None:
    if not counted or counted.get("i1_misses") is None or counted.get("d1_misses") is None:
        return None
    return _point(counted["i1_misses"] + counted["d1_misses"])


def mispredictions(cell: Record, load: str | None = None) -> Interval | None:
    """Branches an operation that the model of a predictor gets wrong."""
    counted = per_op(cell, load)
    return _point(counted.get("mispredicted")) if counted else None


def op_instructions(cell: Record, load: str | None = None) -> Interval | None:
    """Instructions that one operation executes."""
    counted = per_op(cell, load)
    return _point(counted.get("instructions")) if counted else None


def speed_ratio(cell: Record, load: str | None) -> Interval | None:
    """Speed as a multiple of the baseline's, both timed in turn in one run."""
    ratio = cell.get("bench", {}).get("loads", {}).get(load or "", {}).get("ratio")
    return (ratio["low"], ratio["median"], ratio["high"]) if ratio else None


def _point(value: float | None) -> Interval | None:
    return None if value is None else (value, value, value)
