"""Count events of the processor with `perf stat` during the untimed run, where the machine has counters.

The timed runs stay without perf, because opening and reading counters takes time.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from layermatrix.core import process
from layermatrix.core.records import NotMeasured
from layermatrix.evidence.bench import Hardware

# our name -> perf's event in user mode, which ordinary users may count
EVENTS = {
    "cycles": "cycles:u",
    "instructions": "instructions:u",
    "cache_misses": "cache-misses:u",
    "branch_misses": "branch-misses:u",
}
NO_PERF = "perf is not installed (Debian: linux-perf)"
_SECONDS = 60.0


@dataclass(frozen=True)
class Perf:
    """`perf stat` on this machine. words: the command in front of a program; empty if nothing can be
    counted. out: the file that perf writes. reason: why nothing can be counted."""

    words: tuple[str, ...] = ()
    out: Path | None = None
    reason: str = NO_PERF

    def read(self, ops: float) -> Hardware | NotMeasured:
        """The events of the last run for each of its operations."""
        if self.out is None:
            return NotMeasured(self.reason)
        counts = parse(_text(self.out))
        per_op = {
            name: count if isinstance(count, NotMeasured) else count / ops for name, count in counts.items()
        }
        return Hardware(**per_op)


@contextlib.contextmanager
def counting(run: process.Run = process.run) -> Iterator[Perf]:
    """The perf of this machine, after a trial: a machine may have perf and no counters, or forbid them. It
    can be used inside the context."""
    perf = shutil.which("perf")
    if perf is None:
        yield Perf()
        return
    with tempfile.TemporaryDirectory(prefix="layermatrix-perf-") as folder:
        out = Path(folder, "perf.csv")
        words = (perf, "stat", "-x", ",", "-e", ",".join(EVENTS.values()), "-o", str(out), "--")
        finished = run([*words, "true"], environment=process.environment(LC_ALL="C"), timeout=_SECONDS)
        reasons = [count.reason for count in parse(_text(out)).values() if isinstance(count, NotMeasured)]
        if finished.failure:
            yield Perf(reason=_cause(finished))
        elif len(reasons) == len(EVENTS):
            yield Perf(reason=f"perf: {reasons[0]}")
        else:
            yield Perf(words, out, "")


def _text(out: Path) -> str:
    return out.read_text(encoding="utf-8", errors="replace") if out.is_file() else ""


def _cause(finished: process.Finished) -> str:
    """The first meaningful line of perf's message, which is long."""
    lines = [line.strip() for line in process.text(finished.stderr).splitlines()]
    return "perf: " + next((line for line in lines if line and line != "Error:"), finished.end)


def parse(text: str) -> dict[str, int | NotMeasured]:
    """Our events from the lines `count,unit,event,...` of `perf stat -x ,`."""
    counted = {}
    for line in text.splitlines():
        words = line.split(",")
        if len(words) > 2 and not line.startswith("#"):
            counted[words[2].removesuffix(":u")] = words[0]
    return {ours: _count(counted, event.removesuffix(":u")) for ours, event in EVENTS.items()}


def _count(counted: dict[str, str], event: str) -> int | NotMeasured:
    count = counted.get(event, "not counted")
    return int(count) if count.isdecimal() else NotMeasured(f"{event}: {count.strip('<>')}")
