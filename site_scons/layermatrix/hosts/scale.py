"""Measure what the driver and an executor cost for each cell, with bundles that do next to nothing.

    layermatrix scale [executor=local:4|dask|dask:tcp://HOST:PORT|slurm:...] [cells=10,100,1000]

Makes the bundles in a temporary folder, runs them, and prints a line for each number of cells.
`executor=dask` starts a scheduler and four workers on this machine. What a real bundle costs beyond that is
its own work.
"""

from __future__ import annotations

import hashlib
import os
import resource
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from layermatrix.hosts import driver
from layermatrix.hosts.driver_results import Results
from layermatrix.hosts.executors import registry
from layermatrix.hosts.executors.base import Executor, ExecutorError, Work

USUAL = (10, 100, 1000)
WORKERS = 4
OWN_CLUSTER = "dask"
# It writes the text of a result itself, because importing `json` would take as long as all the rest.
TRIVIAL = """
import hashlib, sys
with open(sys.argv[0], "rb") as file:
    digest = hashlib.sha256(file.read()).hexdigest()
content = (
    '"bundle":"%s","finished":"","format":"layermatrix-result","host":{{}},"started":"","steps":[]' % digest
)
total = hashlib.sha256(('{{' + content + ',"version":1}}').encode()).hexdigest()
with open(sys.argv[1], "w") as file:
    file.write('{{' + content + ',"version":1,"sum":"%s"}}' % total)
# cell {number}
"""
HEADER = "   cells  seconds  ms a cell  CPU ms a cell  of the driver  driver MB  results KB"


@dataclass(frozen=True)
class Cost:
    """What a run of so many cells took. seconds: of wall time. cpu: seconds of the driver's process alone.
    all_cpu: those of every process on this machine. peak_kib: the highest memory that the driver's process
    had so far. bytes: of all results."""

    cells: int
    seconds: float
    cpu: float
    all_cpu: float
    peak_kib: int
    bytes: int

    @property
    def milliseconds(self) -> float:
        """The wall time of a cell."""
        return 1000 * self.seconds / self.cells

    @property
    def line(self) -> str:
        """A row of the table."""
        cpu, own = 1000 * self.all_cpu / self.cells, 1000 * self.cpu / self.cells
        return (
            f"{self.cells:>8} {self.seconds:>8.2f} {self.milliseconds:>10.1f} {cpu:>14.1f} {own:>14.2f} "
            f"{self.peak_kib / 1024:>10.0f} {self.bytes / 1024:>11.0f}"
        )


def run(value: str, counts: Sequence[int], say: Callable[[str], None]) -> list[Cost]:
    """Measure each number of cells. value: as for `executor=`. Raises RequestError, ExecutorError, or
    RuntimeError if Dask does not start."""
    with tempfile.TemporaryDirectory(prefix="layermatrix-scale-") as name:
        root = Path(name)
        with _executor(value, root) as executor:
            _measure(executor, root / "first", executor.slots)  # every worker has imported what it needs
            say(HEADER)
            found = []
            for count in counts:
                found.append(_measure(executor, root / str(count), count))
                say(found[-1].line)
            return found


@contextmanager
def _executor(value: str, root: Path) -> Iterator[Executor]:
    if value != OWN_CLUSTER:
        executor = registry.parse(value).connect(root)
        try:
            yield executor
        finally:
            executor.shutdown()
        return
    registry.parse(f"{OWN_CLUSTER}:tcp://127.0.0.1:1")  # is the extra installed?
    from layermatrix.hosts.executors.dask_cluster import Cluster

    with Cluster(root / "cluster") as cluster:
        for number in range(WORKERS):
            cluster.add(f"worker{number}")
        with _executor(f"{OWN_CLUSTER}:{cluster.address}", root) as executor:
            _wait_for_workers(executor)
            yield executor


def _wait_for_workers(executor: Executor) -> None:
    end = time.monotonic() + 60
    while len(executor.places or ()) < WORKERS:
        if time.monotonic() > end:
            raise ExecutorError(f"fewer than {WORKERS} workers started within a minute")
        time.sleep(0.2)


def _measure(executor: Executor, root: Path, count: int) -> Cost:
    works = [_trivial(root, number) for number in range(count)]
    results = Results(root)
    begin, used, everywhere = time.monotonic(), time.process_time(), _cpu_of_all()
    summary = driver.run(works, executor, results, say=lambda line: None)
    seconds, cpu = time.monotonic() - begin, time.process_time() - used
    if not summary.is_complete:
        raise ExecutorError(f"{len(summary.not_run)} of {count} bundles were not run: {summary.not_run}")
    everywhere = _cpu_of_all() - everywhere
    size = sum(file.stat().st_size for file in results.folder.iterdir())
    return Cost(count, seconds, cpu, everywhere, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, size)


def _cpu_of_all() -> float:
    """The CPU seconds of this process, of its living children, and of all children that these waited for."""
    ticks = 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = file.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        parent, own = int(words[1]), int(file.parent.name) == os.getpid()
        if own or parent == os.getpid():
            ticks += sum(
                int(word) for word in words[11:15]
            )  # user and system time, and those of its children
    return ticks / os.sysconf("SC_CLK_TCK")


def _trivial(root: Path, number: int) -> Work:
    """A bundle that writes a result without steps."""
    file = root / f"{number}.pyz"
    root.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as made:
        entry = zipfile.ZipInfo("__main__.py", (1980, 1, 1, 0, 0, 0))
        made.writestr(entry, TRIVIAL.format(number=number))
    return Work(f"cell{number}", hashlib.sha256(file.read_bytes()).hexdigest(), file, 60.0)


def machine() -> str:
    """A line about the conditions."""
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    return f"{cores} CPUs, load {load:.1f} at the start"
