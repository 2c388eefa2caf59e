"""The present load of this machine."""

from __future__ import annotations

import os


def load_average() -> tuple[float, ...]:
    """The load of the last 1, 5 and 15 minutes; empty if the system does not tell."""
    try:
        return tuple(round(value, 2) for value in os.getloadavg())
    except OSError:
        return ()
