"""Run one benchmark once, and read its report.

The program's last line is a JSON object. `ops` and `seconds` give the speed in millions of operations per
second or, if lower is better, in nanoseconds per operation. Optional: `cpu_seconds`, the CPU time of all
threads; `peak_kib`, the peak resident memory in KiB; `after_kib`, the resident memory after all memory was
freed. Every run must prove which library it used (`core.library_use`); without proof, it counts as failed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from layermatrix.core import library_use, process
from layermatrix.model.catalogue import Better, Unit


@dataclass(frozen=True)
class Load:
    """A benchmark with its arguments. linked: see `library_use.run_with`. quiet: additional arguments of the
    untimed run, which then reports `after_kib`. environment, before: the variables of a run, and a command
    that starts it. parallel: it runs several threads; one that is not declared so is recognised by its CPU
    time."""

    name: str
    args: tuple[str, ...]
    unit: Unit
    linked: bool = False
    quiet: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    parallel: bool = False


@dataclass(frozen=True)
class Subject:
    """programs: load -> the benchmark program, for each load that it can run. library: the library that the
    programs must use; None for the system's. store: the subject's bench.json."""

    name: str
    programs: Mapping[str, Path]
    library: Path | None
    store: Path


class RunError(ValueError):
    """A failed run has no figure. Holds the reason."""


@dataclass(frozen=True)
class Figures:
    """The report of one run. seconds: of the timed part."""

    ops: float
    seconds: float
    speed: float
    peak_kib: int | None
    cpu_seconds: float | None
    after_kib: int | None
    usage: process.Usage | None = None
    whole: float = 0.0  # seconds of the whole process

    @property
    def cpu_ns(self) -> float | None:
        return None if self.cpu_seconds is None else self.cpu_seconds / self.ops * 1e9

    @property
    def threads(self) -> float:
        """The CPUs that it used at once, on average."""
        timed = (self.cpu_seconds or 0.0) / self.seconds
        return max(timed, self.usage.cpu_seconds / self.whole) if self.usage and self.whole else timed


def run_once(
    load: Load, subject: Subject, args: Sequence[str], before: Sequence[str], run: process.Run, timeout: float
) -> Figures:
    """Run the benchmark with these arguments, and return its report. before: the command that starts it.
    Raises RunError."""
    program = subject.programs.get(load.name)
    if program is None:
        raise RunError(f"there is no program for {load.name}")
    try:
        finished = library_use.run_with(
            subject.library, [str(program), *args], linked=load.linked, run=run, timeout=timeout,
            under=before, extra=load.environment,
        )  # fmt: skip
        if finished.failure:
            raise RunError(finished.failure)
        found = _read(process.reported(finished.stdout), load.unit)
        return replace(found, usage=finished.usage, whole=finished.seconds)
    except library_use.NotLoadedError as error:
        raise RunError(str(error)) from error
    except ValueError as error:
        raise RunError(f"{program.name}: {error}") from error


def _read(line: Mapping[str, object], unit: Unit) -> Figures:
    """The figures in a program's JSON line."""
    ops, seconds = _number(line, "ops"), _number(line, "seconds")
    cpu = _number(line, "cpu_seconds", least=0) if "cpu_seconds" in line else None
    return Figures(
        ops=ops,
        seconds=seconds,
        speed=ops / seconds * 1e-6 if unit.better is Better.HIGHER else seconds / ops * 1e9,
        peak_kib=_kib(line, "peak_kib"),
        cpu_seconds=cpu,
        after_kib=_kib(line, "after_kib"),
    )


def _kib(line: Mapping[str, object], name: str) -> int | None:
    return int(_number(line, name)) if name in line else None


def _is_figure(value: float, least: float | None) -> bool:
    return 0 < value < math.inf or value == least


def _number(line: Mapping[str, object], name: str, least: float | None = None) -> float:
    """A number above zero, or equal to `least`."""
    value = line.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and _is_figure(value, least):
        return float(value)
    raise RunError(f"{name!r} in its JSON line is {value!r}, not a number above zero")
