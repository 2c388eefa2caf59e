"""What the system says about this machine's processor."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
NAMES, FEATURES = ("model name", "cpu model", "hardware"), ("flags", "features")  # x86, and other machines


def model(cpuinfo: Path = CPUINFO) -> str:
    """The processor's name for people."""
    return next(_values(cpuinfo, NAMES), None) or os.uname().machine


def features(cpuinfo: Path = CPUINFO) -> tuple[str, ...]:
    """The features that the first processor has, sorted; empty if the system does not list them."""
    return tuple(sorted(next(_values(cpuinfo, FEATURES), "").split()))


def _values(cpuinfo: Path, keys: tuple[str, ...]) -> Iterator[str]:
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip().lower() in keys:
            yield value.strip()
