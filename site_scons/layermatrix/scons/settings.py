"""How SCons works in this run: its database, the number of jobs, and what it shows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import SCons.Script

from layermatrix.core import interrupt

if TYPE_CHECKING:
    from layermatrix.build.buildstate import BuildState

Env = Any

DATABASE = "build/.sconsign"


def apply(env: Env) -> None:
    """Set what this run needs of SCons."""
    build: BuildState = env["LAYERED"]
    number_of_jobs()
    SCons.Script.SetOption("no_progress", True)  # a line for each step says more
    (build.root / "build").mkdir(exist_ok=True)
    env.SConsignFile(DATABASE)
    env["PRINT_CMD_LINE_FUNC"] = build.shell.show
    for tool in ("CC", "CXX", "LINK", "SHLINK", "AR", "RANLIB"):
        env[f"{tool}COMSTR"] = tool.removeprefix("SH")
    env["INSTALLSTR"] = "INSTALL"
    if "compiledb" in build.asked.names:
        env.Tool("compilation_db")
    interrupt.stop_programs_at_interrupt()


def number_of_jobs() -> int:
    """-j, or as many as there are processors for us."""
    ours = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    SCons.Script.SetOption("num_jobs", ours)  # -j on the command line has precedence
    return int(SCons.Script.GetOption("num_jobs"))


def is_help() -> bool:
    return bool(SCons.Script.GetOption("help"))


def is_dry() -> bool:
    """Whether this run makes nothing."""
    return any(SCons.Script.GetOption(option) for option in ("clean", "no_exec", "help"))
