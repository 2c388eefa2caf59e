"""The name and the version of this machine's C library."""

from __future__ import annotations

import platform
from pathlib import Path

MUSL = "musl"
_LOADERS = Path("/lib")


def version() -> str:
    """Such as "glibc 2.36". Python recognises glibc only; musl has no version here."""
    known = " ".join(platform.libc_ver()).strip()
    return known or (MUSL if any(_LOADERS.glob("ld-musl-*")) else "unknown")
