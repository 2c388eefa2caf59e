"""Detect that a process has opened a file, with the kernel's inotify (see inotify(7))."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

_IN_OPEN = 0x20
_EVENTS_AT_ONCE = 1 << 16  # bytes


@contextlib.contextmanager
def watch(file: Path) -> Iterator[Callable[[], bool | None]]:
    """Yield a function that returns whether a process opened the file since the context began; it returns
    None if inotify is not available."""
    notices = _notices_of(file)
    if notices is None:
        yield lambda: None
        return
    try:
        yield lambda: _has_some(notices)
    finally:
        os.close(notices)


def _notices_of(file: Path) -> int | None:
    """A descriptor for reading events; None without inotify, or if the limit of instances is reached."""
    import ctypes  # takes time, and few runs need it

    libc = ctypes.CDLL(None, use_errno=True)
    try:
        notices: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    except AttributeError:
        return None
    if notices < 0:
        return None
    if libc.inotify_add_watch(notices, os.fsencode(file), _IN_OPEN) < 0:
        os.close(notices)
        return None
    return notices


def _has_some(notices: int) -> bool:
    try:
        return bool(os.read(notices, _EVENTS_AT_ONCE))
    except BlockingIOError:
        return False
