"""Bind the programs of one-thread loads to one CPU, so that the scheduler does not move them.

A child inherits the CPUs of the thread that starts it. So this module changes those of the calling thread for
the time of a run and restores them afterwards: no code runs in the child between fork and exec.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


def usual_cpu() -> int | None:
    """The CPU for pinned programs: the last one that this process may use, since interrupts mostly go to the
    first. None if the system cannot pin, or there is only one CPU."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    ours = sorted(os.sched_getaffinity(0))
    return ours[-1] if len(ours) > 1 else None


@contextlib.contextmanager
def pinned(cpu: int | None) -> Iterator[int | None]:
    """Start programs on this CPU only, inside the context; None starts them on every CPU. Yields the CPU, or
    None if the system refuses."""
    if cpu is None:
        yield None
        return
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {cpu})
    except OSError:  # a container or a cpuset may forbid it: the record then has no CPU
        yield None
        return
    try:
        yield cpu
    finally:
        os.sched_setaffinity(0, before)
