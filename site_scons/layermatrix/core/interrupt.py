"""Ctrl-C for programs that a build has under way in sessions of their own.

SCons notes the signal and lets the running steps finish; a test program would keep it waiting. So whatever
`process.run` has started is killed when the signal comes, and what it would have recorded is not written.
"""

from __future__ import annotations

import os
import signal
import threading

from layermatrix.core import process

_DEADLY = frozenset((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
_interrupted = threading.Event()


def interrupted() -> bool:
    """Whether this build was told to stop."""
    return _interrupted.is_set()


def stop_programs_at_interrupt() -> None:
    """Watch for the signal from now on. To be called in the main thread.

    Python writes each signal's number to the wakeup file, whoever handles the signal then.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader,), name="interrupt", daemon=True).start()


def _watch(reader: int) -> None:
    while numbers := os.read(reader, 64):
        if _DEADLY.intersection(numbers):
            _interrupted.set()
            process.stop_all()
