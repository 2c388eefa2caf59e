"""The features of this machine's processor, and its present load."""

from __future__ import annotations

import os
from pathlib import Path

from layermatrix.core import processor
from layermatrix.store.entries import digest


def cpu_flags(cpuinfo: Path = processor.CPUINFO) -> str:
    """A digest of the processor's features; "unknown" if the system does not list them. The C library chooses
    its functions by them, so they change what a program executes."""
    found = processor.features(cpuinfo)
    return digest(*found) if found else "unknown"


def load_average() -> tuple[float, ...]:
    """The load of the last 1, 5 and 15 minutes; empty if the system does not tell."""
    try:
        return tuple(round(value, 2) for value in os.getloadavg())
    except OSError:
        return ()
