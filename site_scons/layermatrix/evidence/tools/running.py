"""Run a test program or a script in a new folder, and check the result.

A program that cannot run on this machine exits with 77 and prints the reason in its last line. Its status is
"not run", which is different from "passed".
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from layermatrix.core import library_use, process
from layermatrix.evidence.check import Check, Status

CELL_VARIABLE = "LAYERED_CELL"  # holds the cell's folder, for test programs and scripts
LOG_LINES = 40


@contextlib.contextmanager
def temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder).absolute()


def environment(folder: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """An environment that does not depend on the user's settings and language."""
    fixed = {"HOME": os.fspath(folder), "TMPDIR": os.fspath(folder), "LC_ALL": "C.UTF-8"}
    return {**process.environment(), **fixed, **extra}


def judge(name: str, finished: process.Finished, where: str = "") -> Check:
    """The check of a run, from its exit status only."""
    log = tail(finished)
    if finished.status == process.CANNOT_RUN and not finished.timed_out:
        reason = process.last_line(finished.stdout) or "it gave no reason"
        return result(name, Status.NOT_RUN, finished, reason, log)
    if finished.failure is None:
        return result(name, Status.PASSED, finished, None, log)
    message = finished.failure.removeprefix(finished.end)
    return result(name, Status.FAILED, finished, f"{finished.end}{where}{message}", log)


def proved(check: Check, prove: Callable[[], None]) -> Check:
    """The check of a run. A passed run becomes failed if `prove` raises NotLoadedError: it did not use the
    library."""
    if check.status is not Status.PASSED:
        return check
    try:
        prove()
    except library_use.NotLoadedError as error:
        return replace(check, status=Status.FAILED, reason=str(error))
    return check


def result(name: str, status: Status, finished: process.Finished, reason: str | None, log: str) -> Check:
    command = shlex.join(finished.command)
    return Check(name, status, reason, log, command, round(finished.seconds, 3))


def tail(finished: process.Finished) -> str:
    """The last lines of the output."""
    return "\n".join(process.text(finished.stdout + finished.stderr).splitlines()[-LOG_LINES:])


def portable(check: Check, root: Path | None = None, work: Path | None = None) -> Check:
    """The check without this machine's folders, so that every host records the same text: paths are relative
    to the project (root), `$TMPDIR` stands for the temporary folder of the run (work), and `python3` for the
    running Python."""
    names = {sys.executable: "python3"}
    if root is not None:
        names |= {f"{root}{os.sep}": "", f"{root}": "."}
    if work is not None:
        names[f"{work}"] = "$TMPDIR"
    folders = sorted((name for name in names if name and name != os.sep), key=len, reverse=True)
    pattern = re.compile(rf"(?<![\w.-])({'|'.join(map(re.escape, folders))})")

    def shown(text: str) -> str:
        return pattern.sub(lambda found: names[found[0]], text)

    reason = None if check.reason is None else shown(check.reason)
    return replace(check, reason=reason, log=shown(check.log), command=shown(check.command))
