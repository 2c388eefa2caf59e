"""The project of this run: its spec and the command line, both checked.

Reads the spec through `layermatrix.spec` and the command line through `layermatrix.build.request`. What needs
no graph ends the run here: answers, and the jobs, which drive SCons themselves.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import SCons.Script

from layermatrix.build import request, shell, targets, toolchain
from layermatrix.build.buildstate import BuildState
from layermatrix.core.errors import SelectionError, SpecErrors
from layermatrix.emit import printer
from layermatrix.emit.closure import Closures
from layermatrix.jobs import base, registry
from layermatrix.scons import builders, settings
from layermatrix.scons.stop import answer, refuse
from layermatrix.spec import loader

Env = Any


def project(env: Env, sources: str, modes: Mapping[str, Any], sanitizers: Mapping[str, Any]) -> None:
    """Read the spec and the command line, both checked.

    The run ends here when something is wrong with them, and after what needs no graph: `list`, `explain`, and
    the jobs, which drive SCons themselves. modes, sanitizers: construction variables that are
    appended for each value.
    """
    root = Path(env.Dir("#").abspath)
    try:
        loaded = loader.load_project(root)
        compilers = toolchain.find_compilers(loaded.matrix.axes["compiler"], root / toolchain.CACHE)
        asked = _asked()
        plan = base.Plan(root, loaded, asked, compilers, _child())
        texts = base.answers(plan)
        if texts:
            answer("\n".join(texts))
        _run_jobs(plan)
        selection = _selected(plan)
    except (SpecErrors, SelectionError, request.RequestError) as error:
        refuse(str(error))
    generator = [builders.LIBRARY / name for name in builders.GENERATOR]
    remembered = root / "build/.closures.json"
    closures = Closures(remembered, root / "templates", printer.template_closure, generator)
    flags = {"mode": modes, "sanitizer": sanitizers}
    env["LAYERED"] = BuildState(
        root, loaded, asked, compilers, selection, sources, flags, closures, shell.Shell(asked.verbose)
    )
    settings.apply(env)


def _asked() -> request.Request:
    """The command line; for `-h` nothing but the default."""
    script = SCons.Script
    if settings.is_help():
        return request.parse([], [], registry.TARGETS)
    accept = bool(script.GetOption("accept"))
    return request.parse(script.ARGLIST, script.COMMAND_LINE_TARGETS, registry.TARGETS, accept=accept)


def _selected(plan: base.Plan) -> request.Selection:
    """The cells of the graph. `-h` needs them, too: which targets there are, the rest of SConstruct says."""
    try:
        return request.select(plan.project, plan.asked, plan.compilers)
    except request.RequestError as error:
        if settings.is_help():
            answer(f"{targets.help_text(plan.project, plan.compilers, registry.TARGETS)}\n\n{error}")
        raise


def _run_jobs(plan: base.Plan) -> None:
    """Do the jobs that are asked for, and end the run. Help and cleaning are left to the graph."""
    if not plan.asked.of_kind(targets.Kind.JOB) or settings.is_help() or SCons.Script.GetOption("clean"):
        return
    unknown = [word for word in SCons.Script.Main.OptionsParser.largs if word.startswith("-")]
    if unknown:  # SCons itself complains only once SConstruct has been read, which is too late here
        raise request.RequestError(f"no such option: {unknown[0]}")
    sys.exit(base.run(plan, dry=bool(SCons.Script.GetOption("no_exec"))))


def _child() -> list[str]:
    """How a job starts SCons again: this one's interpreter, number of jobs, and script."""
    files = [f"--file={script}" for script in SCons.Script.GetOption("file") or ()]
    return [sys.executable, "-m", "SCons", "-Q", f"-j{settings.number_of_jobs()}", *files]
