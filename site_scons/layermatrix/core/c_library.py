"""The name and the version of this machine's C library."""

from __future__ import annotations

import os
from pathlib import Path

MUSL = "musl"
_LOADERS = Path("/lib")


def version() -> str:
    """Such as "glibc 2.36". Only glibc states its version; musl has none here."""
    try:
        known = os.confstr("CS_GNU_LIBC_VERSION")
    except (OSError, ValueError):
        known = None
    return known or (MUSL if any(_LOADERS.glob("ld-musl-*")) else "unknown")
