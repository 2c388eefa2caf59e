"""Targets of the whole project: `compiledb`, `install`, `lint`, and the jobs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import SCons.Script
from SCons.Action import Action
from SCons.Node.Alias import default_ans

from layermatrix.build import pkgconfig, targets
from layermatrix.jobs import registry
from layermatrix.scons import settings
from layermatrix.scons.builders import write_text

if TYPE_CHECKING:
    from layermatrix.build.buildstate import BuildState

Env = Any
Node = Any


def compiledb(env: Env, path: str) -> None:
    """The alias `compiledb`: how each file of the first selected cell is compiled, for editors."""
    alias = env.Alias("compiledb", [])
    if "compiledb" not in env["LAYERED"].asked.names:  # the tool costs time, and notes every object
        return
    folder = env["LAYERED"].selection.cells[0].build_dir
    env["COMPILATIONDB_PATH_FILTER"] = f"{folder}/*"
    env["COMPILATIONDB_COMSTR"] = "COMPILEDB"
    env.Depends(alias, [*env.CompilationDatabase(path), "headers"])


def install(env: Env, built: Sequence[Node], headers: Sequence[str], private: Sequence[str] = ()) -> None:
    """The alias `install`: the libraries of a cell, the headers that programs include, and what pkg-config
    says of them. private: flags that programs need which are linked statically."""
    build: BuildState = env["LAYERED"]
    prefix = str(Path(build.asked.prefix).absolute())
    system = build.project.catalogue.system
    place = (build.asked.destdir + prefix).replace("$", "$$")
    text = env.Value(pkgconfig.render(system, prefix, private))
    pc_file = f"{place}/lib/pkgconfig/{system.libname}.pc"
    described = env.Command(pc_file, text, Action(write_text, "INSTALL"))
    wanted = [*env.Install(f"{place}/lib", built), *env.Install(f"{place}/include", headers), *described]
    env.Alias("install", wanted)


def lint(env: Env, commands: Sequence[str]) -> None:
    """The alias `lint`: each command is run, and all have to succeed."""
    env.AlwaysBuild(env.Alias("lint", [], Action(lambda target, source, env: _lint(env, commands), "LINT")))


def _lint(env: Env, commands: Sequence[str]) -> int:
    bad = [line for line in commands if subprocess.run(line, shell=True, env=env["ENV"]).returncode]
    for line in bad:
        print(f"failed: {line}", file=sys.stderr)
    return len(bad)


def jobs(env: Env) -> None:
    """The jobs as targets, for `-c`: it removes the report, and every cell, whichever are selected. And `-h`,
    which shows the targets that are declared by now: to be called last."""
    build: BuildState = env["LAYERED"]
    if settings.is_help():
        SCons.Script.Help(targets.help_text(build.project, build.compilers, registry.TARGETS, default_ans))
        return
    folder = build.root / "build"
    folders = [str(path) for path in folder.iterdir() if path.is_dir()]
    for job in registry.JOBS:
        if job.kind is targets.Kind.JOB and job.name not in default_ans:
            env.Clean(env.Alias(job.name), folders if job.name != "report" else f"{folder}/report")
    env.Default(registry.JOBS[0].name)
