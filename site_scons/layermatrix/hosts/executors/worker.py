"""What a worker does with a bundle: it starts Python with it, and returns the result file.

The text of this module is sent with each bundle, so that a worker needs neither layermatrix nor the Python
version of the driver. So it imports only the standard library, and returns only plain values.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

SHOWN = 400  # characters of a message
# Runs a zip application as `python FILE.pyz` does, without the modules that this imports: they take a third
# of the time of an empty bundle.
START = """
import sys, zipimport
del sys.argv[0]
sys.path.insert(0, sys.argv[0])
loader = zipimport.zipimporter(sys.argv[0])
names = {"__name__": "__main__", "__loader__": loader, "__builtins__": __builtins__}
exec(loader.get_code("__main__"), names)
"""

_groups: set[int] = set()  # the process groups of running bundles


def run(bundle: bytes, seconds: float, tools: Mapping[str, str]) -> tuple[bytes | None, str]:
    """The bytes of the result, and an empty text; or None, and the reason why this host cannot run the
    bundle. seconds: the longest time that it may take. tools: the commands that it needs, each with its
    package."""
    missing = [command for command in tools if not shutil.which(command)]
    if missing:
        packages = " ".join(sorted({tools[command] for command in missing}))
        return None, f"not installed there: {', '.join(missing)}; apt install {packages}"
    with tempfile.TemporaryDirectory(prefix="layermatrix-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        program, result = folder / "bundle.pyz", folder / "result.json"
        program.write_bytes(bundle)
        command = [sys.executable or "python3", "-I", "-S", "-c", START, str(program), str(result)]
        with (folder / "log").open("w+b") as log:
            status = _status(command, log, seconds)
            if status == 0 and result.is_file():
                return result.read_bytes(), ""
            return None, _reason(status, seconds, _last_line(log))


def _status(command: Sequence[str], log: IO[bytes], seconds: float) -> int | None:
    """The exit status of the command; None if it was killed after these seconds. Nothing of its process group
    is left."""
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )
    _groups.add(child.pid)
    late = threading.Event()

    def end() -> None:
        late.set()
        _kill(child.pid)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        # one system call; with a time limit, `wait` looks twenty times a second and notices the end late
        child.wait()
    finally:
        timer.cancel()
        _kill(child.pid)
        _groups.discard(child.pid)
    return None if late.is_set() else child.returncode


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def stop() -> None:
    """Kill the bundles that this process runs."""
    for group in tuple(_groups):
        _kill(group)


def _last_line(log: IO[bytes]) -> str:
    log.seek(max(0, log.seek(0, os.SEEK_END) - 4096))
    lines = log.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip()[:SHOWN] if lines else ""


def _reason(status: int | None, seconds: float, message: str) -> str:
    if status is None:
        return f"it was still running after {seconds:g} s"
    if status == 0:
        return "it wrote no result"
    if status < 0:
        return f"signal {-status} ended it" + (f": {message}" if message else "")
    return message or f"exit status {status}"
