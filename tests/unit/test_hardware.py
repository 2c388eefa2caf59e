"""`perf stat`: its counts, and its message when it cannot count."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from layermatrix.core import process
from layermatrix.evidence.tools import hardware
from layermatrix.evidence.tools.cachegrind import CountersError

OUT = """\
# started on Mon Jan  1 00:00:00 2024

123456,,instructions:u,1000,100.00,,
78,,L1-dcache-load-misses:u,1000,100.00,,
9,,branch-misses:u,1000,100.00,,
"""
REFUSED = b"""Error:
Access to performance monitoring and observability operations is limited.
Consider adjusting /proc/sys/kernel/perf_event_paranoid setting ...
"""


class Perf:
    """Replaces `process.run`: writes `out` as perf would."""

    def __init__(self, out: str | None, status: int = 0, stderr: bytes = b"") -> None:
        self.out, self.status, self.stderr = out, status, stderr
        self.command: Sequence[str] = ()
        self.environment: Mapping[str, str] = {}
        self.preloaded: Path | None = None

    def __call__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        timeout: float,
        folder: Path | None = None,
    ) -> process.Finished:
        self.command, self.environment = command, environment
        if "LD_PRELOAD" in environment:
            self.preloaded = Path(environment["LD_PRELOAD"]).readlink()
        if self.out is not None:
            Path(command[command.index("-o") + 1]).write_text(self.out, encoding="utf-8")
        line = json.dumps({"ops": 4, "library": environment.get("LD_PRELOAD")}).encode()
        return process.Finished(tuple(command), self.status, line, self.stderr, 1.0)


def test_the_counts_of_the_program_with_the_library_are_read() -> None:
    run = Perf(OUT)
    counted = hardware.Perf("perf", run).count(["/bench", "--ops", "4"], Path("/lib.so"))
    assert counted.events == ({"instructions": 123456, "l1d_load_misses": 78, "mispredicted": 9},)
    assert list(run.command)[-4:] == ["--", "/bench", "--ops", "4"]
    assert json.loads(counted.stdout) == {"ops": 4, "library": run.environment["LD_PRELOAD"]}
    assert run.preloaded == Path("/lib.so")


def test_an_event_that_the_machine_lacks_is_named() -> None:
    out = OUT.replace("78,,L1-dcache-load-misses:u", "<not supported>,,L1-dcache-load-misses")
    with pytest.raises(CountersError, match=r"^perf: L1-dcache-load-misses:u: not supported$"):
        hardware.Perf("perf", Perf(out)).count(["/bench"], None)


def test_an_event_that_perf_left_out_is_not_counted() -> None:
    with pytest.raises(CountersError, match=r"^perf: instructions:u: not counted$"):
        hardware.parse("")


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (Perf(None, 255, REFUSED), "perf: Access to performance monitoring and observability operations is"),
        (Perf(None, 129), "perf: exit status 129"),
        (Perf(None), "perf wrote no counts"),
    ],
)
def test_a_refusal_is_reported_with_the_message_of_perf(run: Perf, reason: str) -> None:
    with pytest.raises(CountersError, match=reason):
        hardware.Perf("perf", run).count(["/bench"], None)
