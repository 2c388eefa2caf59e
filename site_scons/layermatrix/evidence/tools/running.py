"""Run a test program or a script, alone in a new folder, and judge what came of it.

A program that cannot run on this machine says so with exit status 77 and the reason in its last line; it is
"not run", which is not "passed".
"""

from __future__ import annotations

import contextlib
import os
import shlex
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from layermatrix.core import preload, process
from layermatrix.evidence.kind import Check, Status

CELL_VARIABLE = "LAYERED_CELL"  # where test programs and scripts find the cell's folder
LOG_LINES = 40


@contextlib.contextmanager
def temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder).absolute()


def environment(folder: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """One in which the user's own settings and language do not matter."""
    fixed = {"HOME": os.fspath(folder), "TMPDIR": os.fspath(folder), "LC_ALL": "C.UTF-8"}
    return {**process.environment(), **fixed, **extra}


def judge(name: str, finished: process.Finished, where: str = "") -> Check:
    """The result of a run that is judged by its exit status alone."""
    log = tail(finished)
    if finished.status == process.CANNOT_RUN and not finished.timed_out:
        reason = process.last_line(finished.stdout) or "it gave no reason"
        return result(name, Status.NOT_RUN, finished, reason, log)
    if finished.failure is None:
        return result(name, Status.PASSED, finished, None, log)
    said = finished.failure.removeprefix(finished.end)
    return result(name, Status.FAILED, finished, f"{finished.end}{where}{said}", log)


def proved(check: Check, prove: Callable[[], None]) -> Check:
    """The result of a run; failed where it passed without the library: `prove` raises NotLoadedError then."""
    if check.status is not Status.PASSED:
        return check
    try:
        prove()
    except preload.NotLoadedError as error:
        return replace(check, status=Status.FAILED, reason=str(error))
    return check


def result(name: str, status: Status, finished: process.Finished, reason: str | None, log: str) -> Check:
    command = shlex.join(finished.command)
    return Check(name, status, reason, log, command, round(finished.seconds, 3))


def tail(finished: process.Finished) -> str:
    """The end of what it printed."""
    return "\n".join(process.text(finished.stdout + finished.stderr).splitlines()[-LOG_LINES:])
