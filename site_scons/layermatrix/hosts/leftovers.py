"""Clean up after a bundle whose process was killed: end its programs, and remove its folder.

A killed process (SIGKILL) cannot clean up itself, and its programs have sessions of their own, so killing its
process group does not end them. A small process waits for its end and then does both. Uses only the standard
library.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
ROUNDS = 3  # a program may start another one while it is looked for


@contextlib.contextmanager
def removed(folder: Path) -> Iterator[None]:
    """If this process ends inside the context without leaving it, end every program that uses the folder,
    and remove the folder. Enter it before threads are started."""
    reader, writer = os.pipe()  # a program that is started does not inherit them
    watcher = os.fork()
    if watcher == 0:
        os.close(writer)
        _watch(reader, folder)
    os.close(reader)
    try:
        yield
    finally:
        os.write(writer, b".")
        os.close(writer)
        os.waitpid(watcher, 0)


def _watch(reader: int, folder: Path) -> None:
    """Wait until the pipe has a byte, or its other end is closed because its process has ended."""
    os.setsid()  # a signal to the group of the bundle must not reach this process
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):  # a caller may wait for the end of the output
        os.dup2(nothing, descriptor)
    try:
        if not os.read(reader, 1):
            for _ in range(ROUNDS):
                end_programs(folder)
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os._exit(0)


def end_programs(folder: Path) -> None:
    """Kill every process that runs in this folder or has its path in the environment."""
    for process in PROC.glob("[0-9]*"):
        if int(process.name) != os.getpid() and _uses(process, folder):
            with contextlib.suppress(OSError):
                os.kill(int(process.name), signal.SIGKILL)


def _uses(process: Path, folder: Path) -> bool:
    try:
        inside = (process / "cwd").readlink().is_relative_to(folder)
        return inside or os.fsencode(folder) in (process / "environ").read_bytes()
    except OSError:  # it has ended, or belongs to another user
        return False
