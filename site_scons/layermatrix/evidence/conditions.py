"""The conditions of a timing: the machine, and what else it was doing during the run.

Pure data. `measure.machine` reads them; the records of timings keep them; every table that shows the timings
of a busy machine says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from layermatrix.core.records import NotMeasured

# A run is marked as busy above these. A process that needs a tenth of one CPU now and then is normal; steal
# is time that a virtual machine wanted and did not get.
OTHERS_LIMIT = 0.1  # CPUs that other processes use
STEAL_LIMIT = 0.02  # share of the time of all CPUs
PREFIX = "busy: "  # of a mark
UNREADABLE = NotMeasured("this machine does not show it")


@dataclass(frozen=True)
class Machine:
    """What a timing depends on. cores: the CPUs that this process may use. governor: how the kernel chooses
    the CPUs' frequency."""

    cpu: str
    cores: int
    kernel: str
    governor: str | NotMeasured = UNREADABLE


@dataclass(frozen=True)
class Conditions:
    """load_before, load_after: the load average of the last minute, in runnable processes; it includes the
    timed programs and builds just before them. others: the CPUs that other processes used on average during
    the run. steal: the share of the CPUs' time that the host of a virtual machine gave to others. mhz: the
    lowest and highest frequency of the fastest CPU. throttled: how often a CPU was slowed down because it
    was too hot. seconds: the observed time."""

    machine: Machine
    load_before: float | NotMeasured
    load_after: float | NotMeasured
    others: float | NotMeasured
    steal: float | NotMeasured
    mhz: tuple[float, float] | NotMeasured
    throttled: int | NotMeasured
    seconds: float

    @property
    def disturbances(self) -> tuple[str, ...]:
        """What disturbed the run, in words; empty on a quiet machine."""
        found = []
        if isinstance(self.others, float) and self.others > OTHERS_LIMIT:
            found.append(f"other processes used {self.others:.1f} of {self.machine.cores} CPUs")
        if isinstance(self.steal, float) and self.steal > STEAL_LIMIT:
            found.append(f"the host took {self.steal:.0%} of the CPUs' time")
        if isinstance(self.throttled, int) and self.throttled > 0:
            found.append(f"a CPU was throttled {self.throttled} times")
        return tuple(found)

    @property
    def is_busy(self) -> bool:
        return bool(self.disturbances)

    @property
    def mark(self) -> str:
        """The mark of a run on a busy machine, such as "busy: load 3.1 on 2 CPUs, ..."; empty if it was
        quiet."""
        if not self.is_busy:
            return ""
        loads = [one for one in (self.load_before, self.load_after) if isinstance(one, float)]
        load = [f"load {max(loads):.1f} on {self.machine.cores} CPUs"] if loads else []
        return f"{PREFIX}{', '.join([*load, *self.disturbances])}"

    @property
    def described(self) -> str:
        """The machine and its state in one line."""
        mhz = "" if isinstance(self.mhz, NotMeasured) else f", {self.mhz[0]:.0f}-{self.mhz[1]:.0f} MHz"
        return f"{self.machine.cpu}, {self.machine.cores} CPUs, Linux {self.machine.kernel}{mhz}"


def marks(found: Iterable[Conditions | None]) -> tuple[str, ...]:
    """The notes for a table of these runs: each mark once."""
    return tuple(dict.fromkeys(one.mark for one in found if one is not None and one.is_busy))
