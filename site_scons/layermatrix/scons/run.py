"""This run of SCons: whether it makes anything, how it is started again, how it ends before there is a graph.

SCons's own errors name a place in SConstruct. Those that end a run here are mistakes in other files, or none.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import SCons.Script


def refuse(message: str) -> NoReturn:
    """Nothing can be built."""
    print(message, file=sys.stderr)
    sys.exit(2)


def answer(text: str) -> NoReturn:
    """The question is answered."""
    print(text)
    sys.exit(0)


def is_help() -> bool:
    return bool(SCons.Script.GetOption("help"))


def is_dry() -> bool:
    """Whether this run makes nothing."""
    return any(SCons.Script.GetOption(option) for option in ("clean", "no_exec", "help"))


def child() -> list[str]:
    """The command that starts SCons again in the project's folder, without variables and targets.

    -u looks for SConstruct in the folders above, too.
    """
    files = [f"--file={script}" for script in SCons.Script.GetOption("file") or ()]
    jobs = SCons.Script.GetOption("num_jobs")
    return [sys.executable, "-m", "SCons", "-Q", "-u", f"-j{jobs}", *files]
