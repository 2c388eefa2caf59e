"""Targets of the whole project: `compiledb`, `install`, `lint`, and the jobs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import SCons.Script
from SCons.Action import Action
from SCons.Node.Alias import default_ans

from layermatrix.build import paths, pkgconfig, request, targets
from layermatrix.jobs import registry
from layermatrix.scons import builders, run
from layermatrix.scons.builders import write_text

if TYPE_CHECKING:
    from layermatrix.build.buildstate import BuildState

Env = Any
Node = Any


def compiledb(env: Env, path: str) -> None:
    """The alias `compiledb`: the compile command of each file in the first selected cell, for editors."""
    alias = env.Alias("compiledb", [])
    build: BuildState = env["LAYERED"]
    if (
        "compiledb" not in build.request.names
    ):  # loading the tool takes time, and it then records every object
        return
    folder = build.selection.cells[0].build_dir
    made = env.CompilationDatabase(
        path, COMPILATIONDB_PATH_FILTER=f"{build.top}{folder}/*", COMPILATIONDB_COMSTR="COMPILEDB",
        PRINT_CMD_LINE_FUNC=build.shell.show,
    )  # fmt: skip
    env.Depends(alias, [*made, "headers"])


def install(env: Env, built: Sequence[Node], headers: Sequence[str], private: Sequence[str] = ()) -> None:
    """The alias `install`: the libraries of a cell, the headers that programs include, and the pkg-config
    file. private: flags that only statically linked programs need."""
    build: BuildState = env["LAYERED"]
    try:
        prefix, destdir = build.request.prefix, build.request.destdir
    except request.RequestError as error:
        run.refuse(str(error))
    env = env.Clone(INSTALLSTR="INSTALL", PRINT_CMD_LINE_FUNC=build.shell.show)
    place = builders.literal(destdir + prefix)
    system = build.project.catalogue.system
    text = env.Value(pkgconfig.render(system, prefix, private))
    pc_file = f"{place}/lib/pkgconfig/{system.library}.pc"
    described = env.Command(pc_file, text, Action(write_text, "INSTALL"))
    found = [node for header in headers for node in env.Glob(build.at(header))]
    wanted = [*_installed_libraries(env, f"{place}/lib", built), *env.Install(f"{place}/include", found)]
    env.Alias("install", [*wanted, *described])


def _installed_libraries(env: Env, folder: str, built: Sequence[Node]) -> list[Node]:
    """The libraries. With a soversion, the shared library has its full name, and the links that the loader
    and the linker look for are created."""
    shared, *others = built
    system = env["LAYERED"].project.catalogue.system
    made: list[Node] = env.Install(folder, others)
    if not system.soversion:
        return [*made, *env.Install(folder, shared)]
    full = f"{system.shared}.{system.soversion}"
    made += env.InstallAs(f"{folder}/{full}", shared)
    for name in dict.fromkeys((system.soname, system.shared)):
        if name != full:
            made += builders.link(env, f"{folder}/{name}", full)
    return made


def lint(env: Env, commands: Sequence[str]) -> None:
    """The alias `lint`: run each command. All must succeed."""
    env.AlwaysBuild(env.Alias("lint", [], Action(lambda target, source, env: _lint(env, commands), "LINT")))


def _lint(env: Env, commands: Sequence[str]) -> int:
    path = os.pathsep.join([str(Path(sys.executable).parent), env["ENV"].get("PATH", os.defpath)])
    variables = {**env["ENV"], "PATH": path}  # linters that are installed beside SCons come first
    bad = [line for line in commands if subprocess.run(line, shell=True, env=variables).returncode]
    for line in bad:
        print(f"failed: {line}", file=sys.stderr)
    return len(bad)


def jobs(env: Env) -> None:
    """The jobs as targets, for `-c`; and the help of `-h`, which shows the targets declared so far. Call this
    last."""
    build: BuildState = env["LAYERED"]
    if run.is_help():
        text = targets.help_text(
            build.project, build.compilers, registry.TARGETS, default_ans, build.request.compiler_variables
        )
        env.Help(
            builders.literal(text), append=SCons.Script.help_text is not None
        )  # keep the project's own help
        return
    _check_targets(env)
    for job in registry.JOBS:
        if job.kind is targets.Kind.JOB and job.name not in default_ans:
            env.Clean(env.Alias(job.name), [builders.literal(path) for path in _made_by(build, job.name)])
    if build.default:
        env.Default(registry.JOBS[0].name)


def _check_targets(env: Env) -> None:
    """Refuse unknown targets that are not declared so far, unless the rest of SConstruct may declare
    them."""
    build: BuildState = env["LAYERED"]
    if not build.default or SCons.Script.DEFAULT_TARGETS:
        return
    files = [name for name in build.request.names if env.Entry(builders.literal(f"#{name}")).has_builder()]
    names = [*(target.name for target in registry.TARGETS), *default_ans, *files]
    try:
        request.check_targets(build.request, names)
    except request.RequestError as error:
        run.refuse(str(error))


def _made_by(build: BuildState, job: str) -> list[str]:
    """The build folders of this job's cells, and the report. For a plain `-c`, all that exist."""
    report = str(build.root / paths.REPORT)
    if job == "report":
        return [report]
    if not (SCons.Script.COMMAND_LINE_TARGETS or build.request.axes):
        return [str(path) for path in (build.root / "build").iterdir() if path.is_dir()]
    return [*(str(build.root / cell.build_dir) for cell in build.selection.cells), report]
