"""The figures of a comparison with other libraries, in each unit in which a report can show them.

Reads a `PeerResults`; returns a `Field` for the speed and for each kind of memory: a reading for every load
and library. Tables and charts print the same readings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from layermatrix.core.records import NotMeasured
from layermatrix.evidence.bench import Timing
from layermatrix.evidence.columns import number
from layermatrix.measure.peer_results import PeerLoadResult, PeerResults

# Where the shades of a heat map change; 1.0 is as good as the best of the other libraries, more is better.
SHADES = (0.25, 0.5, 0.8, 0.95, 1.05, 1.25)


class Units(Enum):
    """The units of a figure: relative to the best of the other libraries, relative to the baseline, or as it
    was measured."""

    BEST = "best"
    BASE = "base"
    ABSOLUTE = "absolute"


@dataclass(frozen=True)
class Reading:
    """The figure of one library with one load, in each unit; a unit without a figure is left out. shades: how
    good it is, for the colour of a relative figure. exact: all of it in words, or the reason why there is
    none."""

    values: Mapping[Units, float]
    shades: Mapping[Units, float]
    exact: str

    def text(self, units: Units) -> str:
        value = self.values.get(units)
        if value is None:
            return "–"  # noqa: RUF001  an en dash stands for a figure that is not there
        if units is not Units.ABSOLUTE:
            return ratio_text(value)
        return number(value) if value >= 1000 else three_digits(value)

    def shade(self, units: Units) -> int | None:
        """The number of its shade, from 0 for the worst."""
        good = self.shades.get(units)
        return None if good is None else sum(good >= limit for limit in SHADES)


@dataclass(frozen=True)
class Row:
    """A load with the reading of each library."""

    load: str
    group: str
    doc: str
    readings: Mapping[str, Reading]


@dataclass(frozen=True)
class Field:
    """One figure of all loads and libraries. unit: of the absolute figures."""

    key: str
    title: str
    unit: str
    names: tuple[str, ...]
    rows: tuple[Row, ...]
    groups: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        return not any(reading.values for row in self.rows for reading in row.readings.values())


def names_of(found: PeerResults) -> tuple[str, ...]:
    """Every library, the variants of this project first and the baseline last."""
    return (*found.own, *found.rivals, found.baseline)


def groups_of(found: PeerResults) -> tuple[str, ...]:
    """The groups of the loads, in the order of the summaries."""
    used = {load.group for load in found.loads.values()}
    return tuple(group for group in found.summaries if group in used)


def fields(found: PeerResults) -> tuple[Field, ...]:
    """Speed, memory at the peak, and memory after everything was freed; one without figures is left out."""
    made = (
        _field(found, "speed", "Speed", speed_unit(found), _speed),
        _memory(found, "peak", "Peak memory", lambda timing: timing.peak_kib),
        _memory(found, "after", "Memory after everything was freed", lambda timing: timing.after_kib),
    )
    return tuple(field for field in made if not field.is_empty)


def speed_unit(found: PeerResults) -> str:
    """The unit in which the speed of the first load was measured."""
    timings = (one for load in found.loads.values() for one in load.figures.values())
    return next((one.unit for one in timings if isinstance(one, Timing)), "speed")


def three_digits(value: float) -> str:
    """A figure with a suitable number of digits. Loads differ by a factor of thousands."""
    return number(value, 1 if value >= 10 else 2 if value >= 1 else 4)


def ratio_text(value: float) -> str:
    return number(value, 1 if value >= 10 else 2)


_Read = Callable[[PeerResults, PeerLoadResult, str], Reading]


def _field(found: PeerResults, key: str, title: str, unit: str, read: _Read) -> Field:
    names = names_of(found)
    groups = groups_of(found)
    rows = [
        Row(name, load.group, load.doc, {one: read(found, load, one) for one in names})
        for name, load in found.loads.items()
    ]
    rows.sort(key=lambda row: groups.index(row.group) if row.group in groups else len(groups))
    return Field(key, title, unit, names, tuple(rows), groups)


def _speed(found: PeerResults, load: PeerLoadResult, name: str) -> Reading:
    timing, share = load.figures.get(name), load.shares.get(name)
    if isinstance(timing, NotMeasured):
        return Reading({}, {}, f"not measured: {timing.reason}")
    values: dict[Units, float] = {} if share is None else {Units.BEST: share}
    words = [] if share is None else [f"{share:.3f} of the speed of {load.best}"]
    if timing is not None:
        values[Units.ABSOLUTE] = timing.median
        base = 1.0 if name == found.baseline else getattr(timing.ratio, "median", None)
        values |= {} if base is None else {Units.BASE: base}
        low, high = three_digits(timing.low), three_digits(timing.high)
        words.insert(0, f"{three_digits(timing.median)} {timing.unit} ({low} to {high})")
        words += [] if base is None else [f"{base:.3f} of {found.baseline}"]
    shades: dict[Units, float] = {**values}
    shades.pop(Units.ABSOLUTE, None)
    return Reading(values, shades, "; ".join(words) or "not measured")


def _memory(found: PeerResults, key: str, title: str, of: Callable[[Timing], object]) -> Field:
    def kib(load: PeerLoadResult, name: str) -> int | None:
        timing = load.timing(name)
        value = of(timing) if timing else None
        return value if isinstance(value, int) else None

    def read(found: PeerResults, load: PeerLoadResult, name: str) -> Reading:
        own, base = kib(load, name), kib(load, found.baseline)
        others = [value for one in (found.baseline, *found.rivals) if (value := kib(load, one))]
        if not own:
            return Reading({}, {}, "not measured")
        values: dict[Units, float] = {Units.ABSOLUTE: float(own)}
        values |= {Units.BEST: own / min(others)} if others else {}
        values |= {Units.BASE: own / base} if base else {}
        shades: dict[Units, float] = {units: 1 / value for units, value in values.items()}
        del shades[Units.ABSOLUTE]
        return Reading(values, shades, "; ".join(_memory_words(found, values)))

    return _field(found, key, title, "KiB", read)


def _memory_words(found: PeerResults, values: Mapping[Units, float]) -> list[str]:
    words = [f"{number(values[Units.ABSOLUTE])} KiB"]
    if Units.BEST in values:
        words.append(f"{values[Units.BEST]:.3f} of the least of the others")
    if Units.BASE in values:
        words.append(f"{values[Units.BASE]:.3f} of {found.baseline}")
    return words
