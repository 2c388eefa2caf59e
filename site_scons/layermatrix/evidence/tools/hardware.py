"""Count events of the real processor with `perf stat`, if the machine has counters and permits their use.

Reads a program and a library. These counts differ between machines and between runs. Reports show
them next to the simulated ones, but no check uses them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from layermatrix.core import library_use, process
from layermatrix.evidence.tools.cachegrind import Counted, CountersError, Events

# our name -> perf's event in user mode, which ordinary users may count
EVENTS = {
    "instructions": "instructions:u",
    "l1d_load_misses": "L1-dcache-load-misses:u",
    "mispredicted": "branch-misses:u",
}


@dataclass(frozen=True)
class Perf:
    """perf: its path. timeout: seconds per run."""

    perf: str
    run: process.Run = process.run
    timeout: float = 600.0

    def count(self, command: Sequence[str], library: Path | None, *, linked: bool = False) -> Counted:
        """Run this command with the library (None: without one). linked: see `library_use.run_with`. Raises
        CountersError, with perf's message, or NotLoadedError."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder, "out")
            perf = [self.perf, "stat", "-x", ",", "-e", ",".join(EVENTS.values()), "-o", str(out), "--"]
            finished = library_use.run_with(
                library, command, run=self.run, timeout=self.timeout, linked=linked, under=perf,
                extra={"LC_ALL": "C"},
            )  # fmt: skip
            if finished.failure:
                raise CountersError(f"perf: {_cause(finished)}")
            if not out.exists():
                raise CountersError("perf wrote no counts")
            text = out.read_text(encoding="utf-8", errors="replace")
        return Counted((parse(text),), finished.stdout)


def _cause(finished: process.Finished) -> str:
    """The first meaningful line of perf's message, which is long."""
    lines = [line.strip() for line in process.text(finished.stderr).splitlines()]
    return next((line for line in lines if line and line != "Error:"), finished.end)


def parse(out: str) -> Events:
    """Our events from the lines `count,unit,event,...` of `perf stat -x ,`."""
    counted = {}
    for line in out.splitlines():
        count, *rest = line.split(",")
        if len(rest) > 1 and not line.startswith("#"):
            counted[rest[1]] = count
    return {ours: _number(counted, theirs) for ours, theirs in EVENTS.items()}


def _number(counted: dict[str, str], event: str) -> int:
    # some versions print the event without its ":u" where the machine does not have it
    count = counted.get(event, counted.get(event.removesuffix(":u"), "not counted"))
    if not count.isdecimal():
        raise CountersError(f"perf: {event}: {count.strip('<>')}")
    return int(count)
