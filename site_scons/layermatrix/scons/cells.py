"""An environment for each cell: its compiler, flags, include path, and where its files go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from layermatrix.build import shell, toolchain
from layermatrix.build.buildstate import BASELINE
from layermatrix.model import matrix
from layermatrix.scons import builders, settings

if TYPE_CHECKING:
    from layermatrix.build.buildstate import BuildState

Env = Any


def cells(env: Env) -> list[Env]:
    """An environment for each selected cell: its compiler, flags, include path, and where its files go."""
    build: BuildState = env["LAYERED"]
    return [_cell(env, cell, cell.build_dir) for cell in build.selection.cells]


def baseline(env: Env) -> Env:
    """An environment for the benchmark programs that run on the system's own functions. The floor, where the
    matrix has one, is made in it."""
    build: BuildState = env["LAYERED"]
    usual = matrix.Cell(build.selection.cells[0].variant, "release", build.usual_compiler)
    made = _cell(env, usual, BASELINE)
    timed = build.project.matrix.peers
    if timed and timed.floor:
        builders.lone_library(made, timed.floor.source)
    return made


def _cell(env: Env, cell: matrix.Cell, folder: str) -> Env:
    build: BuildState = env["LAYERED"]
    compiler = build.compiler_of(cell)
    made = env.Clone(
        LAYERED_CELL=cell,
        LAYERED_MIN_ALIGN=cell.variant.min_align,
        LAYERED_CHECKS=cell.variant.checks_level,
        LAYERED_TLS=cell.variant.tls,
        LAYERED_IDENTITY=env.Value(compiler.identity),
        BUILD_DIR=folder,
        CC=list(compiler.command),
        CXX=list(compiler.cxx),
        CPPPATH=[f"#{folder}/gen", f"#{build.sources}"],
        SPAWN=build.shell.spawner(build.root / folder),
    )
    if compiler.name == "zig":  # may be the only tool chain there is
        made.Replace(**{tool.upper(): [*compiler.command[:-1], tool] for tool in ("ar", "ranlib")})
    for axis in ("mode", "sanitizer"):
        made.Append(**build.flags[axis].get(getattr(cell, axis), {}))
    if cell.counts_layers:
        made["LAYERED_TWIN"] = _twin(env, made)
    if not settings.is_dry():
        shell.failure_file(build.root / folder).unlink(missing_ok=True)  # this build will tell again
    return made


def _twin(env: Env, counting: Env) -> Env:
    """The environment of the library whose code the counts of a cell are about: the same variant in the mode
    that is shipped, with line tables."""
    cell = counting["LAYERED_CELL"]
    twin = _cell(env, cell.shipped, f"{cell.build_dir}/shipped")
    twin.Replace(SPAWN=counting["SPAWN"])
    twin.Append(CCFLAGS=list(toolchain.LINE_TABLES))
    return twin
