"""The conditions of a timing, read from made-up files of the kernel, and what makes a machine busy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from layermatrix.core.records import NotMeasured, parse, write
from layermatrix.evidence import conditions
from layermatrix.evidence.conditions import UNREADABLE, Conditions
from layermatrix.measure import machine
from layermatrix.measure.machine import BusyError, Watch

SECOND = os.sysconf("SC_CLK_TCK")


class Kernel:
    """Files as in /proc and /sys, and a clock."""

    def __init__(self, root: Path) -> None:
        self.root, self.now, self.own = root, 0.0, 0.0
        self.busy = self.idle = self.steal = 0.0
        self.processes: dict[tuple[int, str], float] = {}
        self.file("proc/cpuinfo", "model name\t: Made-up CPU\ncpu MHz\t\t: 2000.0\ncpu MHz\t\t: 2600.5\n")
        self.file("proc/sys/kernel/osrelease", "6.1.0-made-up\n")
        self.load("0.25")
        self.passes(0)

    def file(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def load(self, average: str) -> None:
        self.file("proc/loadavg", f"{average} 0.10 0.05 1/200 4711\n")

    def passes(self, seconds: float, *, own: float = 0.0, others: float = 0.0, steal: float = 0.0) -> None:
        """Time passes, in which these CPU seconds are used."""
        self.now, self.own = self.now + seconds, self.own + own
        self.busy, self.steal = self.busy + own + others, self.steal + steal
        self.idle += 2 * seconds - own - others - steal
        ticks = [int(value * SECOND) for value in (self.busy, 0, 0, self.idle, 0, 0, 0, self.steal, 0, 0)]
        self.file("proc/stat", f"cpu  {' '.join(map(str, ticks))}\ncpu0 1 2 3\nctxt 5\n")

    def process(self, pid: int, name: str, seconds: float) -> None:
        fields = ["S", *["0"] * 10, str(int(seconds * SECOND)), "0", *["0"] * 30]
        self.file(f"proc/{pid}/stat", f"{pid} ({name}) {' '.join(fields)}\n")

    def watch(self) -> Watch:
        return Watch(self.root, clock=lambda: self.now, own=lambda: self.own)


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


def test_a_quiet_machine_is_described(kernel: Kernel) -> None:
    watch = kernel.watch()
    kernel.passes(10, own=10, others=0.3)
    watch.sample()
    kernel.load("1.10")
    found = watch.conditions()
    assert (found.load_before, found.load_after, found.seconds) == (0.25, 1.10, 10)
    assert found.others == pytest.approx(0.03)
    assert (found.steal, found.mhz, found.throttled) == (0.0, (2600.5, 2600.5), UNREADABLE)
    assert found.machine.cpu == "Made-up CPU"
    assert found.machine.kernel == "6.1.0-made-up"
    assert (found.is_busy, found.mark) == (False, "")
    assert found.described.endswith("Linux 6.1.0-made-up, 2600-2600 MHz")
    watch.check("during the run")


def test_what_this_process_and_its_children_use_does_not_make_a_machine_busy(kernel: Kernel) -> None:
    kernel.load("3.1")  # of the compilers that have just built what is timed
    watch = kernel.watch()
    kernel.passes(10, own=19.9)
    assert not watch.conditions().is_busy


def test_other_work_stolen_time_and_throttling_make_a_machine_busy(kernel: Kernel) -> None:
    counts = "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count"
    kernel.file(counts, "5\n")
    kernel.load("3.1")
    watch = kernel.watch()
    kernel.passes(10, own=9, others=8, steal=1)
    kernel.file(counts, "7\n")
    found = watch.conditions()
    cores = found.machine.cores
    assert found.mark == (
        f"busy: load 3.1 on {cores} CPUs, other processes used 0.8 of {cores} CPUs, "
        "the host took 5% of the CPUs' time, a CPU was throttled 2 times"
    )
    assert conditions.marks([None, found, found]) == (found.mark,)


def test_a_strict_run_names_what_was_busy(kernel: Kernel) -> None:
    kernel.process(11, "cc1", 1)
    kernel.process(12, "kworker/0:1", 9)
    watch = kernel.watch()
    kernel.passes(2, others=1.5)
    kernel.process(11, "cc1", 2)
    kernel.process(12, "kworker/0:1-events", 9)  # the same, under another name
    kernel.process(13, "ld (gold)", 0.5)
    with pytest.raises(BusyError) as error:
        watch.check("before the first run")
    text = str(error.value)
    assert text.startswith("strict=1: the machine was busy before the first run: load 0.2 on ")
    assert "other processes used 0.8 of" in text or "other processes used 0.7 of" in text
    assert "(busiest: cc1 1.0 s, ld (gold) 0.5 s)" in text
    assert "leave strict=1 out" in text


def test_a_frequency_comes_from_cpufreq_where_the_kernel_has_it(kernel: Kernel) -> None:
    for cpu, khz in enumerate((1_200_000, 3_400_000)):
        kernel.file(f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq", f"{khz}\n")
    kernel.file("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n")
    watch = kernel.watch()
    watch.sample()
    kernel.file("sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "2900000\n")
    watch.sample()
    found = watch.conditions()
    assert found.machine.governor == "performance"
    assert found.mhz == (2900.0, 3400.0)


def test_a_machine_that_shows_nothing_is_not_called_quiet_by_a_figure(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    watch.sample()
    found = watch.conditions()
    for name in ("load_before", "others", "steal", "mhz", "throttled"):
        assert getattr(found, name) == NotMeasured("this machine does not show it")
    assert not found.is_busy


def test_conditions_are_stored_and_read_as_they_were(kernel: Kernel) -> None:
    watch = kernel.watch()
    kernel.passes(1, others=1)
    found = watch.conditions()
    file = kernel.root / "conditions.json"
    write(file, found)
    assert parse(Conditions, file.read_text(encoding="utf-8")) == found


def test_this_machine_can_be_read() -> None:
    found = Watch().conditions()
    assert found.machine == machine.machine()
    assert found.machine.cores >= 1
    assert isinstance(found.load_before, float)
    assert isinstance(found.others, float)
