"""Get the figures from the JSON records of a build: counts of code and of loads, and timings.

Reads `evidence/*.json` as plain JSON, field by field, and takes what is there: the records of an older commit
were written by an older layermatrix. A figure that was not measured is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from layermatrix.core.host import digest
from layermatrix.store.entries import TIMED, Figure

Json = Mapping[str, object]

# Figures of an operation: the name in the store -> the events in the record, whose sum it is.
COUNTED = {
    "instructions": ("instructions",),
    "branches": ("branches",),
    "mispredictions": ("mispredicted",),
    "l1_misses": ("i1_misses", "d1_misses"),
    "i1_misses": ("i1_misses",),
    "d1_misses": ("d1_misses",),
    "ll_misses": ("ll_misses",),
}
# Figures of a timing beside the speed: the name in the store -> unit, place in the record.
OF_TIMINGS = {
    "cpu_time": ("ns/{work}", "cpu_ns"),
    "peak_memory": ("KiB", "peak_kib"),
    "final_memory": ("KiB", "after_kib"),
    "minor_faults": ("faults", "usage.minor_faults"),
    "major_faults": ("faults", "usage.major_faults"),
    "voluntary_switches": ("switches", "usage.voluntary_switches"),
    "involuntary_switches": ("switches", "usage.involuntary_switches"),
    "hardware_cycles": ("per {work}", "hardware.cycles"),
    "hardware_instructions": ("per {work}", "hardware.instructions"),
    "hardware_cache_misses": ("per {work}", "hardware.cache_misses"),
    "hardware_branch_misses": ("per {work}", "hardware.branch_misses"),
}
OF_ENTRIES = (
    "instructions",
    "branches",
    "calls",
    "atomics",
    "spills",
    "bytes",
    "stack",
    "cache_lines",
    "lines",
)
OF_HITS = ("instructions", "branches", "bytes")
UNITS = {
    "bytes": "bytes",
    "stack": "bytes",
    "lines": "lines",
    "cache_lines": "lines",
    "text": "bytes",
    "tls": "bytes",
}


def load_digest(command: str, *conditions: str) -> str:
    """Identifies a timed load: its program with arguments, and what else applies to it."""
    return digest(command, *conditions)[:8]


def read(file: Path) -> Json:
    """The record in a file; empty if there is none, or if it is damaged."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def of_code(asm: Json, budget: Json) -> Iterator[Figure]:
    """The figures of the machine code: of the library, of each entry and of its hit path; the limits."""
    library = _inner(asm, "library")
    for name, figure in (("text", "code_size"), ("tls", "tls_size")):
        yield from _count("", figure, UNITS[name], library.get(name))
    for name, entry in _objects(asm, "entries"):
        for metric in OF_ENTRIES:
            yield from _count("", f"{name}.{metric}", _unit(metric), entry.get(metric))
        for metric in OF_HITS:
            yield from _count("", f"{name}.hit_{metric}", _unit(metric), _inner(entry, "hit").get(metric))
    figures = budget.get("figures")
    for limit in figures if isinstance(figures, (list, tuple)) else ():
        metric = str(limit.get("metric"))
        yield from _count("", f"{limit.get('entry')}.{metric}.limit", _unit(metric), limit.get("limit"))


def of_counters(record: Json, work: str) -> Iterator[Figure]:
    """The counts of each load. work: the name of an operation."""
    for name, load in _objects(record, "loads"):
        counts = _inner(load, "per_op")
        for figure, events in COUNTED.items():
            numbers = [number for event in events if (number := _number(counts.get(event))) is not None]
            if len(numbers) == len(events):
                total = round(sum(numbers), 6)
                yield from _count(name, figure, f"per {work}", total, str(load.get("args", "")))


def of_bench(record: Json, better: str, work: str, digests: Mapping[str, str]) -> Iterator[Figure]:
    """The timings of each load. better: of the speed, `higher` or `lower`. digests: load -> its digest."""
    for name, timing in _objects(record, "loads"):
        yield from of_timing(name, timing, better, work, digests.get(name, ""))


def of_timing(load: str, timing: Json, better: str, work: str, known: str) -> Iterator[Figure]:
    """The figures of one timing: speed, CPU time, and memory. known: the digest of the load."""
    low, median, high = (_number(timing.get(name)) for name in ("low", "median", "high"))
    samples = timing.get("samples")
    if low is not None and median is not None and high is not None:
        yield Figure(
            load=load,
            name="speed",
            unit=str(timing.get("unit", "")),
            median=median,
            low=low,
            high=high,
            kind=TIMED,
            better=better,
            load_digest=known,
            samples=tuple(samples) if isinstance(samples, (list, tuple)) else (),
        )
    for figure, (unit, place) in OF_TIMINGS.items():
        number = _number(_at(timing, place))
        if number is not None:
            unit = unit.format(work=work)
            yield Figure(load, figure, unit, number, number, number, TIMED, load_digest=known)


def _unit(metric: str) -> str:
    name = metric.removeprefix("hit_")
    return UNITS.get(name, name)


def _count(load: str, name: str, unit: str, value: object, known: str = "") -> Iterator[Figure]:
    number = _number(value)
    if number is not None:
        yield Figure(load, name, unit, number, number, number, load_digest=known)


def _number(value: object) -> float | None:
    """A number of the record; None for anything else, such as the reason why it was not measured."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _at(record: Json, place: str) -> object:
    """The value at a place such as `usage.minor_faults`; None if there is none."""
    outer, _, name = place.rpartition(".")
    return (_inner(record, outer) if outer else record).get(name)


def seed_of(record: Json) -> int | None:
    """What decided the random order of a timing; None if its order was not random."""
    found = record.get("seed")
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def conditions_of(record: Json) -> Json:
    """The conditions under which a timing was taken; empty if they were not watched."""
    return _inner(record, "conditions")


def _inner(record: Json, name: str) -> Json:
    found = record.get(name)
    return found if isinstance(found, dict) else {}


def _objects(record: Json, name: str) -> Iterator[tuple[str, Json]]:
    return ((key, value) for key, value in _inner(record, name).items() if isinstance(value, dict))
