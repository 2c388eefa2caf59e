"""The SCons tool `layered`: a layer spec becomes libraries, tests and evidence, one build folder a cell.

It gives an environment one method for each thing that a project is made of: `LayeredProject`, `LayeredCells`
and so on. Only this package imports SCons, which has no types: hence `Any` in it.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import SCons.Script

from layermatrix.evidence import graph
from layermatrix.scons.builders import compiled, compiler_text, lone_library, printed, step, templates
from layermatrix.scons.cells import baseline, cells
from layermatrix.scons.products import benches, fuzzers, header, libraries, tests
from layermatrix.scons.project import project
from layermatrix.scons.targets import compiledb, install, jobs, lint

Env = Any

METHODS: tuple[Callable[..., Any], ...] = (
    project, cells, baseline, header, libraries, benches, tests, fuzzers, *graph.METHODS,
    compiled, compiler_text, lone_library, printed, templates, step,
    compiledb, install, lint, jobs,
)  # fmt: skip


def exists(env: Env) -> bool:
    """SCons asks whether the tool can be used; it has no needs of its own."""
    return True


def generate(env: Env) -> None:
    """SCons calls this for `tools=["layered"]`."""
    env["ENV"] = dict(os.environ)  # the user's environment reaches compilers, launchers and caches
    env.PrependENVPath("PATH", str(Path(sys.executable).parent))
    for tool in ("cc", "cxx", "gnulink", "ar", "install"):
        env.Tool(tool)
    env["STATIC_AND_SHARED_OBJECTS_ARE_THE_SAME"] = True
    _options()
    for method in METHODS:
        env.AddMethod(method, "Layered" + method.__name__.title().replace("_", ""))


@functools.cache  # an option can be added once, however many environments have the tool
def _options() -> None:
    SCons.Script.AddOption("--accept", dest="accept", action="store_true", default=False)
