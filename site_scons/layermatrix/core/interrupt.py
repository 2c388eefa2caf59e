"""Stop running programs on Ctrl-C. They run in sessions of their own, so the terminal does not signal them.

On a signal, SCons waits until the running steps finish, and a test program could make it wait long. So this
module kills every program that `process.run` started; the interrupted steps write no record.
"""

from __future__ import annotations

import os
import signal
import threading

from layermatrix.core import process

_DEADLY = frozenset((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
_interrupted = threading.Event()


def interrupted() -> bool:
    """Whether this build has received a signal to stop."""
    return _interrupted.is_set()


def stop_programs_at_interrupt() -> None:
    """Start to watch for signals. Call this from the main thread.

    Python writes each signal's number to the wakeup file, whichever handler is installed for the signal.
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
