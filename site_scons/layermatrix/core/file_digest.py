"""A digest of a file's content, which tells one build of a library from another."""

from __future__ import annotations

import hashlib
from pathlib import Path


def file_digest(path: Path | None) -> str:
    """The SHA-256 of a file, as hexadecimal digits; empty if there is none."""
    if path is None or not path.is_file():
        return ""
    return hashlib.sha256(path.read_bytes()).hexdigest()
