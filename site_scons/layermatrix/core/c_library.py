"""The name and the version of this machine's C library."""

from __future__ import annotations

import os
from pathlib import Path

MUSL = "musl"
SECONDS = 10.0  # for the loader's answer


def version(root: Path = Path("/")) -> str:
    """Such as "glibc 2.36" or "musl 1.2.4"; "unknown" if there is neither. root: the folder with lib."""
    try:
        known = os.confstr("CS_GNU_LIBC_VERSION")
    except (OSError, ValueError):
        known = None
    if known:
        return known
    loaders = sorted((root / "lib").glob("ld-musl-*.so.1"))
    return _musl(loaders[0]) if loaders else "unknown"


def _musl(loader: Path) -> str:
    """The version that musl's loader prints on stderr if it is started without a program. The import is here
    because hosts with glibc need none."""
    import subprocess

    try:
        done = subprocess.run(
            [loader], capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return MUSL
    lines = (line.split() for line in done.stderr.splitlines())
    return next((f"{MUSL} {words[1]}" for words in lines if words[:1] == ["Version"] and words[1:]), MUSL)
