"""Record what a real program asks of the library's functions, as a trace that a benchmark replays.

Runs the program with the recorder, and the replaying benchmark, which checks the trace and prints
what is in it. Writes the compressed trace.

The recorder gets three variables: the path of the trace, the number of events after which it stops, and the
file name of the program to record (empty: the first process). The benchmark gets `--trace PATH --print
counts`, and prints one JSON line. This module knows no more of the format than the fields of that line:

    file_bytes  the length of the trace; its file may be longer
    events, threads, end  the number of events and of threads, and why the trace ends: exit, limit, no space
    ignored     optional: calls that were not recorded
"""

from __future__ import annotations

import lzma
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from layermatrix.core import library_use, process, records

LIMIT = 3600.0  # seconds for the program
SECONDS = 300.0  # for reading its trace
PRESET = 6 | lzma.PRESET_EXTREME  # a larger preset needs ten times the memory, and a trace is small


class RecordingError(ValueError):
    """There is no trace. str() is one line."""


@dataclass(frozen=True)
class Recording:
    """What to record. library: the recorder. replayer: the benchmark. words: the program's command. events:
    the limit. process: the file name of the process to record; empty: the first one."""

    library: Path
    replayer: Path
    words: tuple[str, ...]
    events: int
    process: str = ""


@dataclass(frozen=True)
class Trace:
    """A recorded trace. content: the file, compressed. counts: the benchmark's JSON line."""

    content: bytes
    counts: Mapping[str, object]

    def text(self, name: str) -> str:
        """A count as text, with thousands separators."""
        value = self.counts.get(name)
        return f"{value:,}" if isinstance(value, int) else str(value)


def take(wanted: Recording, folder: Path, *, run: process.Run = process.run) -> Trace:
    """Run the program and return its trace. folder: where the trace is written before it is compressed.
    Raises RecordingError if there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".recording-", dir=folder) as own:
        file = Path(own, "trace")
        _run_program(wanted, file.absolute(), run)
        counts = _counts(wanted.replayer, file, run)
        size = counts.get("file_bytes")
        if not isinstance(size, int) or counts.get("events") == 0:
            raise RecordingError(f"{wanted.words[0]} called none of the recorded functions")
        with file.open("rb") as stream:
            content = stream.read(size)
    return Trace(lzma.compress(content, preset=PRESET), counts)


def _run_program(wanted: Recording, file: Path, run: process.Run) -> None:
    with library_use.link_to(wanted.library) as link:
        variables = library_use.environment(
            link,
            TRACE_RECORDER_FILE=str(file),
            TRACE_RECORDER_EVENTS=str(wanted.events),
            TRACE_RECORDER_PROGRAM=wanted.process,
        )
        done = run(wanted.words, environment=variables, timeout=LIMIT)
    if done.failure:
        raise RecordingError(f"{wanted.words[0]}: {done.failure}")
    if not file.exists():
        raise RecordingError(_why_nothing(wanted, process.last_line(done.stderr)))


def _why_nothing(wanted: Recording, message: str) -> str:
    if message.startswith("trace_recorder: "):
        return f"{wanted.words[0]}: {message}"
    if wanted.process:
        return (
            f"{wanted.words[0]} started no process whose program has the file name {wanted.process}; "
            "process= takes the name without links, as in /proc/<pid>/exe"
        )
    return f"{wanted.words[0]} did not load the recorder: a static program, or one with more privileges"


def _counts(replayer: Path, file: Path, run: process.Run) -> dict[str, object]:
    command = [str(replayer), "--trace", str(file), "--print", "counts"]
    done = run(command, environment=process.environment(), timeout=SECONDS)
    if done.failure:
        raise RecordingError(done.failure)
    try:
        return process.reported(done.stdout)
    except ValueError as error:
        raise RecordingError(f"{replayer.name}: {error}") from None


def write(trace: Trace, path: Path) -> None:
    """Write the compressed trace."""
    records.write_bytes(path, trace.content)
