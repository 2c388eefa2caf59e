"""Quantities of the command line: a duration such as 3m, a share such as 1%."""

from __future__ import annotations

import re

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """The seconds of a duration: 90, 90s, 2.5m, 1h. Raises ValueError, which says what is expected."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    found = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if found <= 0:
        raise ValueError("expected a duration above zero, such as 90s, 3m or 1h")
    return found


def share(text: str) -> float:
    """The share that 1% or 0.01 means. Raises ValueError, which says what is expected."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", text)
    found = float(match[1]) / (100 if match[2] else 1) if match else 0.0
    if not 0 < found < 1:
        raise ValueError("expected a share between 0 and 1, such as 1% or 0.01")
    return found
