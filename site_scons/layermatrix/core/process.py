"""Run one program until it ends or reaches its time limit, and keep its output.

Every module that runs a program of the build uses this one. Output goes to files instead of pipes, because a
child that outlives the program would keep a pipe open and make the reader wait.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import resource

CANNOT_RUN = 77  # the exit status that automake and others use for a skipped test
LOADING = ("LD_PRELOAD", "LD_AUDIT")  # each names libraries that are loaded into every program
KEPT_BYTES = 16 * 1024 * 1024  # of each output: its last bytes, which have the cause of a failure

_running: set[subprocess.Popen[bytes]] = set()
_running_lock = threading.Lock()
_stopped = threading.Event()  # `stop_all` was called: no program may outlive it


@dataclass(frozen=True)
class Usage:
    """What a program and the children that it waited for have used, as the kernel counts it (`wait4`).
    cpu_seconds: in user and system mode. peak_kib: the highest resident memory of one process; the kernel
    starts it at that of the process that started the program. voluntary, involuntary: context switches."""

    cpu_seconds: float
    peak_kib: int
    minor_faults: int
    major_faults: int
    voluntary: int
    involuntary: int


@dataclass(frozen=True)
class Finished:
    """A finished run. status: the exit status, or minus the number of the signal that ended it. usage: None
    if the program was not started."""

    command: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes
    seconds: float
    timed_out: bool = False
    usage: Usage | None = None

    @property
    def end(self) -> str:
        """How it ended, in words."""
        if self.timed_out:
            return f"still running after {self.seconds:.0f} s"
        if self.status >= 0:
            return f"exit status {self.status}"
        try:
            return f"killed by {signal.Signals(-self.status).name}"
        except ValueError:
            return f"killed by signal {-self.status}"

    @property
    def failure(self) -> str | None:
        """None after success; otherwise how it ended, and its last line."""
        if self.status == 0 and not self.timed_out:
            return None
        message = last_line(self.stderr) or last_line(self.stdout)
        return f"{self.end}: {message}" if message else self.end


class Run(Protocol):
    """The type of `run`. Tests pass a function of their own instead."""

    def __call__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        timeout: float,
        folder: Path | None = None,
    ) -> Finished: ...


def environment(**extra: str) -> dict[str, str]:
    """This process's environment without LOADING, plus `extra` variables; see `core.library_use`."""
    return {**without_loading(os.environ), **extra}


def without_loading(variables: Mapping[str, str]) -> dict[str, str]:
    """These environment variables without those that load a library into every program."""
    return {name: value for name, value in variables.items() if name not in LOADING}


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    timeout: float,
    folder: Path | None = None,
) -> Finished:
    """Run the command in a process group of its own, and kill the whole group after `timeout` seconds.

    A command that cannot be started has the status that a shell gives: 127 if it does not exist, otherwise
    126.
    """
    begin = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            child = subprocess.Popen(
                list(command), stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env=dict(environment), cwd=folder, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            status = 127 if isinstance(error, FileNotFoundError) else 126
            return Finished(tuple(command), status, b"", str(error).encode(), 0.0)
        timed_out, usage = _wait(child, timeout)
        seconds = time.monotonic() - begin
        status = child.returncode
        return Finished(tuple(command), status, _kept(out), _kept(err), seconds, timed_out, usage)


def _wait(child: subprocess.Popen[bytes], timeout: float) -> tuple[bool, Usage]:
    """Wait for the end; whether the time limit came first, and what was used. In every case, kill the rest of
    its group.

    The wait is one system call. `Popen.wait` with a time limit wakes up twenty times a second, which disturbs
    a program that is being timed, and does not tell what the program used.
    """
    overdue = threading.Event()

    def end() -> None:
        overdue.set()
        _kill_group(child)

    with _running_lock:
        _running.add(child)
        if _stopped.is_set():  # the interrupt came while this program was being started
            _kill_group(child)
    timer = threading.Timer(timeout, end)
    timer.daemon = True
    timer.start()
    try:
        _, status, found = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        return overdue.is_set(), _usage(found)
    finally:
        timer.cancel()
        with _running_lock:
            _running.discard(child)
        _kill_group(child)
        child.wait()


def _usage(found: resource.struct_rusage) -> Usage:
    return Usage(
        cpu_seconds=found.ru_utime + found.ru_stime,
        peak_kib=found.ru_maxrss,
        minor_faults=found.ru_minflt,
        major_faults=found.ru_majflt,
        voluntary=found.ru_nvcsw,
        involuntary=found.ru_nivcsw,
    )


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    # the group has the child's number, which the kernel does not reuse while the group has a member
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def own_peak_kib() -> int:
    """The highest resident memory of this process, at which the kernel starts the figure of its children."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def stop_all() -> None:
    """Kill every program that `run` is running, in any thread, and every later one.

    This is for an interrupt: the programs have sessions of their own, so Ctrl-C at the terminal does not
    reach them.
    """
    with _running_lock:
        _stopped.set()
        for child in _running:
            _kill_group(child)


def _kept(output: IO[bytes]) -> bytes:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - KEPT_BYTES))
    return output.read()


def text(output: bytes) -> str:
    """A program's output as text; bytes that are not UTF-8 are replaced."""
    return output.decode("utf-8", errors="replace")


def last_line(output: bytes) -> str:
    """The last line that is not blank; an empty string if there is none."""
    lines = [line.strip() for line in text(output[-4096:]).splitlines() if line.strip()]
    return lines[-1] if lines else ""


def reported(output: bytes) -> dict[str, object]:
    """The JSON object in the last line of a program's output. Raises ValueError if that line is not one."""
    line = last_line(output)
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ValueError(f"its last line is not a JSON object: {line[:80]!r}")
    return value
