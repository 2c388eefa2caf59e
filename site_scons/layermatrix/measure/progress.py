"""Show the progress of a timing: a line that changes on a terminal, or else a line every ten seconds."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from layermatrix.measure.runner import Step

WIDTH = 110
SECONDS_BETWEEN = 10.0  # if the output is not a terminal


@contextlib.contextmanager
def watch(output: TextIO | None = None) -> Iterator[Callable[[Step], None]]:
    """The function to call after each run."""
    output = output or sys.stdout
    if not output.isatty():
        yield _Log(output).step
        return
    try:
        yield lambda step: print(f"\r{line(step)[:WIDTH]:<{WIDTH}}", end="", flush=True, file=output)
    finally:
        print(f"\r{'':<{WIDTH}}\r", end="", flush=True, file=output)


def line(step: Step) -> str:
    """The progress so far, and the time that remains if the runs continue at the same pace."""
    what = "warming up" if step.round == 0 else f"round {step.round}"
    left = duration(step.left)
    return f"timing {step.done}/{step.total}, about {left} left: {what}, {step.load}, {step.subject}"


def duration(seconds: float) -> str:
    """A duration for readers."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


class _Log:
    """Print a step if the last one was printed long enough ago."""

    def __init__(self, output: TextIO) -> None:
        self.output = output
        self.printed = 0.0

    def step(self, step: Step) -> None:
        if step.seconds - self.printed >= SECONDS_BETWEEN:
            self.printed = step.seconds
            print(line(step), flush=True, file=self.output)
