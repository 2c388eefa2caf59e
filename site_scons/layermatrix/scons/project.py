"""The project of this run: its spec and the command line, both checked.

Reads the spec through `layermatrix.spec` and the command line through `layermatrix.build.request`. What needs
no graph ends the run here: answers, and the jobs, which drive SCons themselves.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import SCons.Errors
import SCons.Script

from layermatrix.build import given, request, shell, toolchain
from layermatrix.build.buildstate import BuildState
from layermatrix.core import interrupt
from layermatrix.core.errors import SelectionError, SpecErrors
from layermatrix.emit import printer
from layermatrix.emit.closure import Closures
from layermatrix.jobs import job
from layermatrix.model import matrix
from layermatrix.scons import builders, run
from layermatrix.spec import loader

Env = Any
Values = Mapping[str, Mapping[str, Any]]  # of an axis -> construction variables to append


def project(
    env: Env,
    sources: str | None = None,
    modes: Values | None = None,
    sanitizers: Values | None = None,
    *,
    variables: Iterable[str] = (),
    default: str | None = "phases",
) -> None:
    """Read the spec and the command line of the project in the folder of this SConstruct or SConscript.

    sources, modes, sanitizers: LAYERED_SOURCES and so on, where they are given. variables: names that the
    command line may set besides, or SCons's Variables. default: the target of a plain `scons`; None, or a
    Default() before, leaves that to the rest of SConstruct.
    """
    ours = {"LAYERED_SOURCES": sources, "LAYERED_MODES": modes, "LAYERED_SANITIZERS": sanitizers}
    env.Replace(**{name: value for name, value in ours.items() if value is not None})
    root, others = _root(env), getattr(variables, "keys", lambda: variables)()
    targets = SCons.Script.COMMAND_LINE_TARGETS or ([] if SCons.Script.DEFAULT_TARGETS else [default or ""])
    try:
        (root / "build").mkdir(exist_ok=True)
        asked = request.parse(
            SCons.Script.ARGLIST,
            [target for target in targets if target],
            others=list(others),
            accept=bool(SCons.Script.GetOption("accept")),
        )
        loaded, compilers = _project_and_compilers(env, root, asked)
        if SCons.Script.GetOption("help"):
            env.Help(request.help_text(loaded, compilers, asked.given), append=True, local_only=True)
        _run_jobs(root, loaded, asked, compilers)
        selection = request.select_for_graph(loaded, asked, compilers)
    except (SpecErrors, SelectionError, request.RequestError) as error:
        run.refuse(str(error))
    except OSError as error:
        run.refuse(f"{error.filename}: {error.strerror}")
    for name in asked.named("answer"):
        run.answer(job.answer(name, root, loaded, selection))
    _keep(env, root, loaded, asked, compilers, selection, default)


def _root(env: Env) -> Path:
    """The project's folder: that of the SConstruct or SConscript which calls, whatever its variant_dir is."""
    folder = env.Dir(".").srcnode()
    if not folder.is_under(env.Dir("#")):
        raise SCons.Errors.UserError(f"LayeredProject: {folder} is not below the folder of SConstruct")
    return Path(folder.abspath)


def _project_and_compilers(
    env: Env, root: Path, asked: request.Request
) -> tuple[loader.Project, request.Compilers]:
    """The project, whose compilers are those of the matrix and those that the command line names."""
    loaded = loader.load_project(root)
    named = toolchain.commands(asked.axes.get("compiler", ""))
    names = dict.fromkeys((*loaded.matrix.axes["compiler"], *named))
    variables = {name: str(value) for name, value in env["ENV"].items()}
    compilers = toolchain.find_compilers(names, root / toolchain.CACHE, asked.given, variables)
    return matrix.with_compilers(loaded, compilers), compilers


def _run_jobs(
    root: Path, loaded: loader.Project, asked: request.Request, compilers: request.Compilers
) -> None:
    """Do the jobs that are asked for, and end the run. Cleaning and dry runs are left to the graph."""
    if not asked.jobs or run.is_dry() or SCons.Script.GetOption("help"):
        return
    unknown = [word for word in SCons.Script.Main.OptionsParser.largs if word.startswith("-")]
    if unknown:  # SCons itself complains only once SConstruct has been read, which is too late here
        raise request.RequestError(f"no such option: {unknown[0]}")
    sys.exit(job.run(job.Plan(root, loaded, asked, compilers, run.child())))


def _keep(
    env: Env,
    root: Path,
    loaded: loader.Project,
    asked: request.Request,
    compilers: request.Compilers,
    selection: request.Selection,
    default: str | None,
) -> None:
    """What the other methods need, in the environment."""
    generator = [builders.LIBRARY / name for name in builders.GENERATOR]
    closures = Closures(root / "build/.closures.json", root / "templates", printer.template_closure, generator)
    flags = {"mode": env["LAYERED_MODES"], "sanitizer": env["LAYERED_SANITIZERS"]}
    folder = env.Dir(".").srcnode().path
    top = "" if folder == "." else f"{folder}/"
    env["LAYERED"] = BuildState(
        root, loaded, asked, compilers, selection, f"{top}{env['LAYERED_SOURCES']}", flags, closures,
        shell.Shell(asked.verbose), top, default,
    )  # fmt: skip
    if "compiledb" in asked.targets:  # the tool costs time, and notes every object from now on
        env.Tool("compilation_db")
    interrupt.stop_programs_at_interrupt()
