"""The name and the version of this machine's C library."""

from __future__ import annotations

import platform
import re
import subprocess
from pathlib import Path

MUSL = "musl"
SECONDS = 10.0  # for the loader's answer


def version(root: Path = Path("/")) -> str:
    """Such as "glibc 2.36" or "musl 1.2.4"; "unknown" if there is neither. Python recognises glibc only.
    root: the folder that contains lib."""
    known = " ".join(platform.libc_ver()).strip()
    if known:
        return known
    loaders = sorted((root / "lib").glob("ld-musl-*.so.1"))
    return _musl(loaders[0]) if loaders else "unknown"


def _musl(loader: Path) -> str:
    """The version that musl's loader prints on stderr if it is started without a program."""
    try:
        done = subprocess.run(
            [loader], capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return MUSL
    found = re.search(r"^Version (\S+)", done.stderr, re.MULTILINE)
    return f"{MUSL} {found[1]}" if found else MUSL
