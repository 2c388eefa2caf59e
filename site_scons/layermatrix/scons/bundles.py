"""Declare the bundle of a cell, and the result of another host that the cell uses.

Both are declared only where they are wanted, so that other builds do not get slower.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import SCons.Script

from layermatrix.build import dependencies
from layermatrix.hosts import cell_result
from layermatrix.hosts.cell_result import Declared
from layermatrix.scons import builders

if TYPE_CHECKING:
    from layermatrix.build.buildstate import BuildState

Env = Any
ALIAS = "bundles"


def declare(env: Env, declared: Sequence[Declared], *, wanted: bool) -> None:
    """Declare the bundle of a cell with these steps, and its alias. wanted: the cell uses results of other
    hosts, so declare its result, too."""
    build: BuildState = env["LAYERED"]
    env.Alias(ALIAS, [])
    if not declared or not (wanted or _is_requested(build)):
        return
    made = _bundle(env, declared)
    env.Alias(ALIAS, made[:1])
    if wanted:
        result = builders.step(env, "RESULT", [_place(cell_result.RESULT)], made[:1], cell_result.collect)
        folder = build.root / env["LAYERED_CELL"].build_dir
        env.Depends(result, env.Value(cell_result.stamp(build.root, folder)))


def _is_requested(build: BuildState) -> bool:
    names = build.request.names
    return ALIAS in names or any(name.endswith(f"/{cell_result.BUNDLE}") for name in names) or _cleans()


def _cleans() -> bool:
    return bool(SCons.Script.GetOption("clean"))


def _bundle(env: Env, declared: Sequence[Declared]) -> list[Any]:
    from layermatrix.hosts import cell_bundle  # what writes bundles takes time to import

    files = {node.abspath: node for one in declared for node in (*one.sources, *one.needs)}
    targets = [_place(name) for name in (cell_result.BUNDLE, cell_result.SUM)]
    made = builders.step(env, "BUNDLE", targets, list(files.values()), cell_bundle.Writer(declared).write)
    library = dependencies.library(env["LAYERED"].root)
    modules = {one.part.hosted.module for one in declared} | {one.part.ask.__module__ for one in declared}
    values = [*(library.digest(name) for name in sorted(modules)), *(f"{one.values}" for one in declared)]
    env.Depends(made, [env.Value(text) for text in values])
    return made


def _place(name: str) -> str:
    return f"#$BUILD_DIR/{name}"
