"""The command that starts a project's build, for messages."""

from __future__ import annotations

from pathlib import Path

WRAPPER = "sconsw"  # a project may have this script, which runs SCons with an environment of its own


def scons(*words: str) -> str:
    """The command with these words, in the folder of SConstruct: `./sconsw` if that script exists."""
    start = f"./{WRAPPER}" if Path(WRAPPER).is_file() else "scons"
    return " ".join((start, *words))
