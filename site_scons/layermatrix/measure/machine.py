"""Watch the machine during a timing: other processes, stolen time, frequency, throttling.

Reads /proc and /sys; returns `Conditions`. The load average alone cannot tell whether a machine is quiet: it
still counts the compilers that built the timed programs, and it counts the timed programs themselves. So the
judgement comes from the CPU time of all processes (/proc/stat) without that of this process and its
children. Frequency is read right after a timed program has ended, while its CPU still runs at that pace.
"""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from layermatrix.core import processor
from layermatrix.core.errors import RefusedError
from layermatrix.core.records import NotMeasured
from layermatrix.evidence.conditions import UNREADABLE, Conditions, Machine

SECONDS_BEFORE = 1.0  # how long a strict run observes the machine before its first program
NAMED = 3  # processes that an error names
CPUS = "sys/devices/system/cpu"


class BusyError(RefusedError):
    """A strict run is refused: str() says what was busy."""


@dataclass(frozen=True)
class _Moment:
    """Counts since the machine's start, in seconds of all CPUs. own: of this process and its children."""

    at: float
    busy: float | NotMeasured
    steal: float | NotMeasured
    everything: float
    own: float
    throttled: int | NotMeasured


def own_seconds() -> float:
    """The CPU time of this process and of the children that it waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


class Watch:
    """The conditions since its creation. root: the folder that contains proc and sys."""

    def __init__(
        self,
        root: Path = Path("/"),
        *,
        clock: Callable[[], float] = time.monotonic,
        own: Callable[[], float] = own_seconds,
    ) -> None:
        self._root, self._clock, self._own = root, clock, own
        self._machine = machine(root)
        self._load = _load(root)
        self._first = self._moment()
        self._mhz: list[float] = []
        self._processes = _processes(root)

    def sample(self) -> None:
        """Read the frequency, right after a timed program."""
        self._mhz += _mhz(self._root)

    def conditions(self) -> Conditions:
        """The conditions from the creation of this watch until now."""
        first, last = self._first, self._moment()
        return Conditions(
            machine=self._machine,
            load_before=self._load,
            load_after=_load(self._root),
            others=_others(first, last),
            steal=_steal(first, last),
            mhz=(min(self._mhz), max(self._mhz)) if self._mhz else UNREADABLE,
            throttled=_grown(first.throttled, last.throttled),
            seconds=last.at - first.at,
        )

    def check(self, when: str) -> None:
        """Raise BusyError if the machine has been busy so far. when: "before the first run", ..."""
        found = self.conditions()
        if found.is_busy:
            names = self._busiest()
            who = f" (busiest: {names})" if names else ""
            raise BusyError(
                f"strict=1: the machine was busy {when}: {found.mark.removeprefix('busy: ')}{who}; "
                "end the other work, or leave strict=1 out: the results are then marked"
            )

    def _busiest(self) -> str:
        """The other processes that used the most CPU time, in words."""
        spent = [
            (seconds - self._processes[pid][1] if pid in self._processes else seconds, name)
            for pid, (name, seconds) in _processes(self._root).items()
        ]
        busiest = sorted(spent, reverse=True)[:NAMED]
        return ", ".join(f"{name} {seconds:.1f} s" for seconds, name in busiest if seconds >= 0.05)

    def _moment(self) -> _Moment:
        busy, steal, everything = _cpu_seconds(self._root)
        return _Moment(self._clock(), busy, steal, everything, self._own(), _throttled(self._root))


def machine(root: Path = Path("/")) -> Machine:
    """This machine."""
    governor = _text(root / CPUS / "cpu0/cpufreq/scaling_governor").strip()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(
        cpu=processor.model(root / "proc/cpuinfo"),
        cores=cores,
        kernel=_text(root / "proc/sys/kernel/osrelease").strip() or platform.release(),
        governor=governor or UNREADABLE,
    )


def _others(first: _Moment, last: _Moment) -> float | NotMeasured:
    """The CPUs that other processes used. The kernel counts in hundredths of a second: a negative rest is
    rounding."""
    if isinstance(first.busy, NotMeasured) or isinstance(last.busy, NotMeasured):
        return UNREADABLE
    seconds = last.at - first.at
    rest = last.busy - first.busy - (last.own - first.own)
    return max(0.0, rest / seconds) if seconds > 0 else 0.0


def _steal(first: _Moment, last: _Moment) -> float | NotMeasured:
    if isinstance(first.steal, NotMeasured) or isinstance(last.steal, NotMeasured):
        return UNREADABLE
    everything = last.everything - first.everything
    return (last.steal - first.steal) / everything if everything > 0 else 0.0


def _grown(first: int | NotMeasured, last: int | NotMeasured) -> int | NotMeasured:
    return UNREADABLE if isinstance(first, NotMeasured) or isinstance(last, NotMeasured) else last - first


# --- the files of the kernel


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""  # the callers report what is missing


def _load(root: Path) -> float | NotMeasured:
    words = _text(root / "proc/loadavg").split()
    return float(words[0]) if words else UNREADABLE


def _cpu_seconds(root: Path) -> tuple[float | NotMeasured, float | NotMeasured, float]:
    """Seconds of all CPUs since the start: busy, stolen, and in total (proc_stat(5)). Time of guests is part
    of `user`."""
    found = re.search(r"^cpu +(.+)$", _text(root / "proc/stat"), re.MULTILINE)
    ticks = [int(word) for word in found[1].split()] if found else []
    if len(ticks) < 8:
        return UNREADABLE, UNREADABLE, 0.0
    user, nice, system, _idle, _iowait, irq, softirq, steal = ticks[:8]
    second = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq) / second, steal / second, sum(ticks[:8]) / second


def _mhz(root: Path) -> list[float]:
    """The frequency of the fastest CPU, in a list; an empty one if it is unknown."""
    files = sorted((root / CPUS).glob("cpu[0-9]*/cpufreq/scaling_cur_freq"))
    found = [int(text) / 1000 for text in map(_text, files) if text.strip().isdecimal()]
    if not found:
        shown = re.findall(r"^cpu MHz\s*:\s*([\d.]+)", _text(root / "proc/cpuinfo"), re.MULTILINE)
        found = [float(text) for text in shown]
    return [max(found)] if found else []


def _throttled(root: Path) -> int | NotMeasured:
    files = (root / CPUS).glob("cpu[0-9]*/thermal_throttle/*_throttle_count")
    counts = [int(text) for text in map(_text, files) if text.strip().isdecimal()]
    return sum(counts) if counts else UNREADABLE


def _processes(root: Path) -> Mapping[int, tuple[str, float]]:
    """The name and the CPU seconds of every other process by its number (proc_pid_stat(5)). Threads of the
    kernel change their names."""
    found = {}
    for folder in (root / "proc").glob("[0-9]*"):
        name, bracket, rest = _text(folder / "stat").partition("(")[2].rpartition(")")
        fields = rest.split()
        if bracket and len(fields) > 12 and int(folder.name) != os.getpid():
            seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            found[int(folder.name)] = (name, seconds)
    return found
