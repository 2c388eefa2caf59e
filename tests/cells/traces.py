"""Traces of allocator operations: Hypothesis draws them, `test_trace` reads them as text and runs them.

The format is described in tests/csrc/trace/text.h, what is checked in tests/csrc/trace/trace.h. Every row of
operations is a valid trace, so a failing one shrinks by leaving operations out and making numbers smaller.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st

from layermatrix.core import process

Trace = list[str]  # a line an operation

LIMIT = 20.0  # seconds for one run
SLOTS = 24  # few, so that blocks are freed, resized and reused often
THREADS = 3
LINES = 50  # about half of them operations

# Beside every power of two, and around sizes where the way of a request changes; else anything.
EDGES = sorted({(1 << power) + offset for power in range(3, 21) for offset in (-1, 0, 1)} | {0})
SIZES = st.one_of(st.integers(0, 1100), st.sampled_from(EDGES), st.integers(0, 60_000))


def _blocks() -> st.SearchStrategy[str]:
    return st.integers(0, SLOTS - 1).map("b{}".format)


def _operations() -> st.SearchStrategy[str]:
    """An operation without its thread."""
    allocations = st.builds("malloc {} {}".format, _blocks(), SIZES)
    return st.one_of(
        allocations,
        st.builds("free {}".format, _blocks()),
        st.builds("realloc {} {}".format, _blocks(), SIZES),
        st.builds("calloc {} {} {}".format, _blocks(), st.integers(1, 9), SIZES),
        st.builds("aligned {} {} {}".format, _blocks(), st.sampled_from([2**n for n in range(17)]), SIZES),
        allocations,
        st.sampled_from(["exit", "trim"]),
    )


def traces() -> st.SearchStrategy[Trace]:
    """Traces of a few threads: rows of fixed length, since an allocator's mistakes need a state to show, in
    which some lines are empty, so that they shrink."""
    lines = st.builds("t{} {}".format, st.integers(0, THREADS - 1), _operations())
    rows = st.lists(st.one_of(st.none(), lines), min_size=LINES, max_size=LINES)
    return rows.map(lambda row: [line for line in row if line is not None])


def run(program: Path, file: Path, environment: Mapping[str, str]) -> str | None:
    """None if every operation of the trace in the file is served; otherwise the program's message, and how
    it ended."""
    variables = {**process.environment(), **environment}
    done = process.run([str(program), str(file)], environment=variables, timeout=LIMIT)
    if done.failure is None:
        return None
    return "\n".join([*process.text(done.stderr).splitlines(), done.end])


def write(trace: Trace, file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in trace), encoding="ascii")
    return file


class BrokenTraceError(AssertionError):
    """A trace that was not served. file: the shortest one that was found; str(): what is wrong, the trace,
    and the command that replays it."""

    def __init__(self, file: Path, command: str, message: str) -> None:
        super().__init__(f"{message}\n{file.read_text(encoding='ascii')}replay: {command}")
        self.file = file


def check(program: Path, folder: Path, examples: int, environment: Mapping[str, str] | None = None) -> None:
    """Try so many traces. One that fails is made as short as can be, saved in the folder, and raised."""
    variables = dict(environment or {})
    draft = folder / f"draft-{os.getpid()}.trace"
    shortest: tuple[Trace, str] | None = None

    @settings(
        max_examples=examples, derandomize=True, database=None, deadline=None, verbosity=Verbosity.quiet,
        report_multiple_bugs=False, phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(traces())
    def is_served(trace: Trace) -> None:
        nonlocal shortest
        message = run(program, write(trace, draft), variables)
        if message is not None:
            shortest = (trace, message)  # the last one that fails is the shortest
            raise AssertionError(message)

    try:
        is_served()
    except Exception as error:
        if shortest is None:
            raise
        raise _saved(shortest, program, folder, variables) from error
    finally:
        draft.unlink(missing_ok=True)


def _saved(
    shortest: tuple[Trace, str], program: Path, folder: Path, environment: Mapping[str, str]
) -> BrokenTraceError:
    trace, _ = shortest
    digest = hashlib.sha256("\n".join(trace).encode()).hexdigest()[:12]
    file = write(trace, folder / f"{digest}.trace")
    words = [f"{name}={value}" for name, value in environment.items()]
    command = shlex.join([*words, str(program), str(file)])
    return BrokenTraceError(file, command, run(program, file, environment) or "it fails at times only")
