"""The project of this run: its spec and the command line, both checked.

Reads the spec through `layermatrix.spec` and the command line through `layermatrix.build.request`. What needs
no graph ends the run here: help, answers, and the jobs, which drive SCons themselves.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import SCons.Script

from layermatrix.build import request, shell, toolchain
from layermatrix.build.buildstate import BuildState
from layermatrix.core.errors import SelectionError, SpecErrors
from layermatrix.emit import printer
from layermatrix.emit.closure import Closures
from layermatrix.jobs import job
from layermatrix.scons import builders, settings
from layermatrix.scons.stop import answer, refuse
from layermatrix.spec import loader

Env = Any


def project(env: Env, sources: str, modes: Mapping[str, Any], sanitizers: Mapping[str, Any]) -> None:
    """Read the spec and the command line, both checked.

    The run ends here when something is wrong with them, and after what needs no graph: help, `list`,
    `explain`, and the jobs, which drive SCons themselves. modes, sanitizers: construction variables that are
    appended for each value.
    """
    root = Path(env.Dir("#").abspath)
    try:
        loaded = loader.load_project(root)
        compilers = toolchain.find_compilers(loaded.matrix.axes["compiler"], root / toolchain.CACHE)
        if SCons.Script.GetOption("help"):
            answer(request.help_text(loaded, compilers))
        accept = bool(SCons.Script.GetOption("accept"))
        asked = request.parse(SCons.Script.ARGLIST, SCons.Script.COMMAND_LINE_TARGETS, accept=accept)
        _run_jobs(root, loaded, asked, compilers)
        chosen = request.every_cell if asked.named("job") else request.select  # a job is left for -c and -n
        selection = chosen(loaded, asked, compilers)
    except (SpecErrors, SelectionError, request.RequestError) as error:
        refuse(str(error))
    for name in asked.named("answer"):
        answer(job.answer(name, root, loaded, selection))
    generator = [builders.LIBRARY / name for name in builders.GENERATOR]
    remembered = root / "build/.closures.json"
    closures = Closures(remembered, root / "templates", printer.template_closure, generator)
    flags = {"mode": modes, "sanitizer": sanitizers}
    env["LAYERED"] = BuildState(
        root, loaded, asked, compilers, selection, sources, flags, closures, shell.Shell(asked.verbose)
    )
    settings.apply(env)


def _run_jobs(
    root: Path, loaded: loader.Project, asked: request.Request, compilers: request.Compilers
) -> None:
    """Do the jobs that are asked for, and end the run. Cleaning and dry runs are left to the graph."""
    if not asked.jobs or settings.is_dry():
        return
    unknown = [word for word in SCons.Script.Main.OptionsParser.largs if word.startswith("-")]
    if unknown:  # SCons itself complains only once SConstruct has been read, which is too late here
        raise request.RequestError(f"no such option: {unknown[0]}")
    sys.exit(job.run(job.Plan(root, loaded, asked, compilers, _child())))


def _child() -> list[str]:
    """How a job starts SCons again: this one's interpreter, number of jobs, and script."""
    files = [f"--file={script}" for script in SCons.Script.GetOption("file") or ()]
    return [sys.executable, "-m", "SCons", "-Q", f"-j{settings.number_of_jobs()}", *files]
