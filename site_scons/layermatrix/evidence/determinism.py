"""Which fields of a record are the same on every host and in every run; a record without the other fields.

    deterministic      names, statuses, reasons and commands of checks; instructions and branches in the
                       simulated processor; what is read from code (asm, budget, code, guards, layers).
    not deterministic  seconds and logs of checks; simulated misses, which depend on addresses and differ by a
                       few events; counts of programs with threads; the machine's own counters; timings.

Counts are equal only for equal binaries, processor features and C libraries. Reads and returns the JSON of
records; pure functions, which use only the standard library.
"""

from __future__ import annotations

from typing import Any

# kind -> the fields that differ between runs: "*" stands for each element of a list
VARYING: dict[str, tuple[tuple[str, ...], ...]] = {
    "tests": (("programs", "*", "seconds"), ("programs", "*", "log")),
    "runs": (("programs", "*", "seconds"), ("programs", "*", "log")),
    "programs": (("programs", "*", "seconds"), ("programs", "*", "log")),
    "counters": (("hardware",),),
    "bench": (("loads",), ("conditions",), ("seed",), ("rounds",), ("stopped",)),
    "samples": (("series",), ("conditions",), ("seed",), ("rounds",), ("stopped",)),
}

EXACT = ("instructions", "branches")  # the simulated events that are the same in each run


def canonical(record: Any) -> Any:
    """The deterministic part of a record's JSON, as new values."""
    kind = record.get("kind", "") if isinstance(record, dict) else ""
    for place in VARYING.get(kind, ()):
        record = _without(record, place)
    if kind == "counters" and isinstance(record.get("loads"), dict):
        loads = {name: _repeated(load) for name, load in record["loads"].items()}
        record = {**record, "loads": loads}
    return record


def _repeated(load: Any) -> Any:
    """A counted load with the counts that every run repeats."""
    if not isinstance(load, dict):
        return load
    kept = EXACT if load.get("repeats", True) else ()
    return {
        name: {event: value[event] for event in kept if event in value} if isinstance(value, dict) else value
        for name, value in load.items()
    }


def _without(value: Any, place: tuple[str, ...]) -> Any:
    """The value without the field at this place."""
    name, *rest = place
    if name == "*":
        return [_without(one, tuple(rest)) for one in value] if isinstance(value, list) else value
    if not isinstance(value, dict) or name not in value:
        return value
    if not rest:
        return {key: inner for key, inner in value.items() if key != name}
    return {key: _without(inner, tuple(rest)) if key == name else inner for key, inner in value.items()}
