"""Read and check the project of this run: its spec and the command line.

Reads the spec through `layermatrix.spec` and the command line through `layermatrix.build.request`. Answers
and jobs need no build graph, so they run here and end the process.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import SCons.Errors
import SCons.Script

from layermatrix.build import (
    compiler_variables,
    dependencies,
    launchers,
    printing,
    project_cache,
    request,
    shell,
    targets,
    toolchain,
)
from layermatrix.build.buildstate import BuildState
from layermatrix.build.shared_objects import SharedObjects
from layermatrix.core import interrupt
from layermatrix.core.errors import SelectionError, SpecErrors
from layermatrix.emit import printer
from layermatrix.emit.closure import Closures
from layermatrix.jobs import base, registry
from layermatrix.model import cells
from layermatrix.model.project import Project
from layermatrix.scons import run

NOTHING_TO_DO = 3  # the exit status if every selected cell is left out
Env = Any
Values = Mapping[str, Mapping[str, Any]]  # of an axis -> construction variables to append


def project(
    env: Env,
    sources: str | None = None,
    modes: Values | None = None,
    sanitizers: Values | None = None,
    *,
    variables: Iterable[str] = (),
    default: bool | None = None,
) -> None:
    """Read the spec and the command line of the project in the folder of this SConstruct or SConscript.

    If either has an error, the run ends here. It also ends here after an answer (`list`, `explain`) or a job,
    because these need no build graph.

    sources, modes, sanitizers: set LAYERED_SOURCES and so on, if given. variables: names of additional
    command-line variables, or SCons's Variables. default: whether a plain `scons` runs the job `phases`. If
    `default` is not given, it does so in an SConstruct that has not called Default().
    """
    ours = {"LAYERED_SOURCES": sources, "LAYERED_MODES": modes, "LAYERED_SANITIZERS": sanitizers}
    env.Replace(**{name: value for name, value in ours.items() if value is not None})
    root, top = _folders(env)
    library = dependencies.library(root)
    if default is None:
        default = not top and not SCons.Script.DEFAULT_TARGETS
    try:
        loaded = project_cache.load_project(root, env["LAYERED_SOURCES"], library)
        command_line = _request(getattr(variables, "keys", lambda: variables)(), default, loaded)
        loaded, compilers = _with_compilers(env, root, loaded, command_line)
        runs = request.runnings(loaded, command_line)
        loaded = replace(loaded, matrix=loaded.matrix.with_ways(runs))
        plan = base.Plan(
            root, loaded, command_line, compilers, run.child(), registry.TARGETS, env["LAYERED_SOURCES"]
        )
        texts = base.answers(plan)
        if texts:
            run.answer("\n".join(texts))
        _make_folder(root / "build")
        _run_jobs(plan)
        selection = _selected(plan)
    except request.NothingToDoError as error:
        run.refuse(str(error), NOTHING_TO_DO)
    except (SpecErrors, SelectionError, request.RequestError) as error:
        run.refuse(str(error))
    except OSError as error:
        run.refuse(run.words_of(error))
    generator = library.digest(printing.__name__)
    shared = SharedObjects(root)
    closures = Closures(
        root / "build/.closures.json", root / "templates", printer.template_closure, generator
    )
    env["LAYERED"] = BuildState(
        root, loaded, command_line, compilers, selection, f"{top}{env['LAYERED_SOURCES']}",
        {"mode": env["LAYERED_MODES"], "sanitizer": env["LAYERED_SANITIZERS"]},
        closures, shell.Shell(command_line.verbose, shared=shared), top, default, runs,
    )  # fmt: skip
    if "compiledb" in command_line.names:  # loading the tool takes time, and it then records every object
        env.Tool("compilation_db")
    interrupt.stop_programs_at_interrupt()
    run.guard_database()
    run.collect_rarely()


def _make_folder(folder: Path) -> None:
    """Raise OSError if the folder is not writable, before SCons fails to write its database there."""
    folder.mkdir(exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, "cannot be written to", str(folder))


def _folders(env: Env) -> tuple[Path, str]:
    """The project's folder, and its path from the top folder: empty, or ending with a slash. The project's
    folder is that of the calling SConstruct or SConscript, even if that file has a variant_dir."""
    folder = env.Dir(".").srcnode()
    if not folder.is_under(env.Dir("#")):
        raise SCons.Errors.UserError(f"LayeredProject: {folder} is not below the folder of SConstruct")
    return Path(folder.abspath), "" if folder is env.Dir("#") else f"{folder.path}/"


def _request(others: Iterable[str], default: bool, loaded: Project) -> request.Request:
    """The checked command line. With `-h`, only its compiler and flags."""
    script = SCons.Script
    if run.is_help():
        given = compiler_variables.read(script.ARGUMENTS, os.environ)
        return replace(request.parse([], [], registry.TARGETS), compiler_variables=given)
    return request.parse(
        script.ARGLIST,
        script.COMMAND_LINE_TARGETS,
        registry.TARGETS,
        others=others,
        default=default,
        accept=bool(script.GetOption("accept")),
        axes=loaded.matrix.axes.names,
        runs=tuple(loaded.matrix.run),
        presets=loaded.matrix.presets,
    )


def _with_compilers(
    env: Env, root: Path, loaded: Project, command_line: request.Request
) -> tuple[Project, request.Compilers]:
    """The project, with the compilers of the matrix and those that the command line names."""
    named = toolchain.commands(command_line.axes.get("compiler", ""))
    names = dict.fromkeys((*loaded.matrix.axes["compiler"], *named))
    launching = launchers.variables(command_line.compiler_variables.words("CC"), os.environ)
    for name, text in launching.items():
        env["ENV"].setdefault(name, text)
    own = {name: str(value) for name, value in env["ENV"].items()}
    variables = {"HOME": str(Path.home()), **own}  # zig keeps what it compiles for itself there
    compilers = toolchain.find_compilers(
        names, root / toolchain.CACHE, command_line.compiler_variables, variables
    )
    return cells.with_compilers(loaded, compilers), compilers


def _selected(plan: base.Plan) -> request.Selection:
    """The cells of the graph. `-h` needs them too, because the rest of SConstruct declares the targets."""
    try:
        return request.select(plan.project, plan.request, plan.compilers)
    except request.RequestError as error:
        if run.is_help():
            run.answer(f"{targets.help_text(plan.project, plan.compilers, registry.TARGETS)}\n\n{error}")
        raise


def _run_jobs(plan: base.Plan) -> None:
    """Run the requested jobs and end the process. The build graph handles `-h` and `-c`."""
    if not plan.request.of_kind(targets.Kind.JOB) or run.is_help() or SCons.Script.GetOption("clean"):
        return
    unknown = [word for word in SCons.Script.Main.OptionsParser.largs if word.startswith("-")]
    if unknown:  # SCons itself reports them only after SConstruct has been read, which is too late here
        raise request.RequestError(f"no such option: {unknown[0]}")
    sys.exit(base.run(plan, dry=bool(SCons.Script.GetOption("no_exec"))))
