"""Recording a program: what the recorder and the replayer are given, and what each failure reports."""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from layermatrix.build import request
from layermatrix.core import process
from layermatrix.jobs import record, registry
from layermatrix.jobs.base import Plan
from layermatrix.measure.tracing import Recording, RecordingError, Trace, take
from layermatrix.spec.loader import load_project

ROOT = Path(__file__).parents[2]
COUNTS = {"version": 1, "file_bytes": 6, "events": 1200, "threads": 1, "end": "exit", "sizes": {}}


@dataclass
class Machine:
    """Stands for the program and the replayer. writes: what the program writes into its trace."""

    writes: bytes | None = b"trace\n\0\0\0"
    status: int = 0
    stderr: bytes = b""
    counts: bytes = json.dumps(COUNTS).encode()
    calls: list[tuple[tuple[str, ...], Mapping[str, str]]] = field(default_factory=list)

    def run(
        self, command: Sequence[str], *, environment: Mapping[str, str], timeout: float,
        folder: Path | None = None,
    ) -> process.Finished:  # fmt: skip
        self.calls.append((tuple(command), environment))
        if "--print" in command:
            return process.Finished(tuple(command), 0, self.counts, b"", 0.1)
        if self.writes is not None:
            Path(environment["TRACE_RECORDER_FILE"]).write_bytes(self.writes)
        return process.Finished(tuple(command), self.status, b"", self.stderr, 0.1)


def wanted(folder: Path, only: str = "") -> Recording:
    return Recording(folder / "recorder.so", folder / "bench_replay", ("cook", "-a"), 500, only)


def test_the_program_runs_with_the_recorder_and_its_trace_is_compressed(tmp_path: Path) -> None:
    machine = Machine()
    trace = take(wanted(tmp_path, "cc1"), tmp_path / "traces", run=machine.run)
    assert lzma.decompress(trace.content) == b"trace\n"  # the rest of the file is not part of the trace
    (program, given), (replayer, plain) = machine.calls
    assert program == ("cook", "-a")
    assert given["LD_PRELOAD"].endswith("/recorder.so")
    assert (given["TRACE_RECORDER_EVENTS"], given["TRACE_RECORDER_PROGRAM"]) == ("500", "cc1")
    assert Path(given["TRACE_RECORDER_FILE"]).is_absolute()
    assert replayer[1:] == ("--trace", given["TRACE_RECORDER_FILE"], "--print", "counts")
    assert "LD_PRELOAD" not in plain
    assert not any((tmp_path / "traces").iterdir())


@pytest.mark.parametrize(
    ("machine", "only", "what"),
    [
        (Machine(status=3, stderr=b"no salt\n"), "", "cook: exit status 3: no salt"),
        (Machine(writes=None), "", "cook did not load the recorder: a static program, or one with more"),
        (
            Machine(writes=None),
            "cc1",
            "cook started no process whose program has the file name cc1; process=",
        ),
        (Machine(writes=None, stderr=b"trace_recorder: no\n"), "", "cook: trace_recorder: no"),
        (Machine(counts=b'{"events": 0, "file_bytes": 6}'), "", "cook called none of the recorded functions"),
        (Machine(counts=b"what"), "", "bench_replay: its last line is not a JSON object"),
    ],
)
def test_a_recording_that_fails_says_why(tmp_path: Path, machine: Machine, only: str, what: str) -> None:
    with pytest.raises(RecordingError) as found:
        take(wanted(tmp_path, only), tmp_path, run=machine.run)
    assert str(found.value).startswith(what)


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"end": "limit"}, "  it ends before the program did: events=500 was reached"),
        ({"end": "no space"}, "  it ends before the program did: the disk or the memory was full"),
        ({"threads": 4}, "  it has 4 threads; the benchmark replays traces of one thread"),
    ],
)
def test_what_a_trace_lacks_is_said(tmp_path: Path, changed: dict[str, object], line: str) -> None:
    whole = record.lines(Trace(b"x" * 2048, COUNTS), wanted(tmp_path), "cook", "traces/cook.trace.xz")
    assert whole == [
        "traces/cook.trace.xz: 2 KiB compressed",
        "  file_bytes 6, events 1,200, threads 1",
        "  a load replays it with args: [--trace, cook]",
    ]
    lines = record.lines(Trace(b"", {**COUNTS, **changed}), wanted(tmp_path), "cook", "traces/cook.trace.xz")
    assert line in lines


def test_a_command_line_without_program_or_name_is_refused() -> None:
    project = load_project(ROOT, "csrc")
    for words, what in (
        ({"trace": "a"}, "record needs program=, the command to record: program='sqlite3 :memory: .help'"),
        ({"trace": "a", "program": "ls '"}, "program=ls ': No closing quotation"),
        ({"trace": "a", "program": "/no/such"}, "program=/no/such: there is no program /no/such"),
        ({"program": "ls"}, "trace=: expected a name of lower-case letters, digits and _, such as trace=sql"),
        ({"program": "ls", "trace": "a/b"}, "trace=a/b: expected a name of lower-case letters"),
    ):
        asked = request.parse(words.items(), ["record"], registry.TARGETS)
        with pytest.raises(request.RequestError) as found:
            record.prepare(Plan(ROOT, project, asked, {}, ()))
        assert str(found.value).startswith(what)
