"""The features of this machine's processor, and its present load."""

from __future__ import annotations

import os
from pathlib import Path

from layermatrix.store.entries import digest

CPUINFO = Path("/proc/cpuinfo")


def cpu_flags(cpuinfo: Path = CPUINFO) -> str:
    """A digest of the features that the first processor has; "unknown" if the system does not list them. The
    C library chooses its functions by them, so they change what a program executes."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip().lower() in ("flags", "features"):
            return digest(*sorted(value.split()))
    return "unknown"


def load_average() -> tuple[float, ...]:
    """The load of the last 1, 5 and 15 minutes; empty if the system does not tell."""
    try:
        return tuple(round(value, 2) for value in os.getloadavg())
    except OSError:
        return ()
