"""The SCons tool `layered`: builds libraries, tests and evidence from a layer spec, one folder per cell.

The tool adds methods such as `LayeredProject` and `LayeredCells` to an environment; docs/scons-tool.md
describes them. Only this package imports SCons, which has no type hints, so its objects have the type `Any`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import SCons.Errors
import SCons.Script

from layermatrix.core.errors import hint_for, quote
from layermatrix.scons.cells import baseline, cells
from layermatrix.scons.evidence import evidence
from layermatrix.scons.products import benches, fuzzers, header, libraries, tests
from layermatrix.scons.project import project
from layermatrix.scons.targets import compiledb, install, jobs, lint

Env = Any
Method = Callable[..., Any]

METHODS_OF_A_PROJECT: tuple[Method, ...] = (cells, baseline, compiledb, install, lint, jobs)
METHODS_OF_A_CELL: tuple[Method, ...] = (header, libraries, benches, tests, fuzzers, evidence)
# They declare nothing for `scons libs`: these are most of a graph, and of a build with nothing to do.
BESIDE_LIBRARIES = (benches, tests, fuzzers, evidence)

# The tools whose builders are used -> a construction variable that is set if the tool is loaded. Loading a
# tool twice would reset what the project has changed since the first time.
TOOLS = {"cc": "CCCOM", "cxx": "CXXCOM", "gnulink": "SHLINKCOM", "ar": "ARCOM", "install": "INSTALL"}

# The settings that the tool's keyword arguments and the project may set as LAYERED_<NAME>.
DEFAULTS: Mapping[str, Any] = {
    "sources": "src",
    "modes": {
        "release": {"CCFLAGS": ["-O2"], "CPPDEFINES": ["NDEBUG"]},
        "debug": {"CCFLAGS": ["-O1", "-g", "-fno-omit-frame-pointer"]},
    },
    "sanitizers": {
        "asan": {"CCFLAGS": ["-fsanitize=address"], "LINKFLAGS": ["-fsanitize=address"]},
        "ubsan": {"CCFLAGS": ["-fsanitize=undefined"], "LINKFLAGS": ["-fsanitize=undefined"]},
        "tsan": {"CCFLAGS": ["-fsanitize=thread"], "LINKFLAGS": ["-fsanitize=thread"]},
    },
}


def exists(env: Env) -> bool:
    """SCons calls this to check that the tool can be used. The requirements were checked when SCons found
    it."""
    return True


def generate(env: Env, **settings: Any) -> None:
    """SCons calls this for `tools=["layered"]`, and with settings for `tools=[("layered", {...})]`."""
    for name in settings:
        if name not in DEFAULTS:
            raise SCons.Errors.UserError(
                f"layered: unknown keyword {quote(name)}; {hint_for(name, DEFAULTS)}"
            )
    for tool, variable in TOOLS.items():
        if variable not in env:
            env.Tool(tool)
    env.SetDefault(**{f"LAYERED_{name.upper()}": value for name, value in {**DEFAULTS, **settings}.items()})
    _options()
    _add(env, project)
    for method in METHODS_OF_A_PROJECT:
        _add(env, method, "LAYERED", "call env.LayeredProject() first")
    for method in METHODS_OF_A_CELL:
        _add(env, method, "LAYERED_CELL", "it is a method of the environments of env.LayeredCells()")


@functools.cache  # an option can be added only once, even if several environments have the tool
def _options() -> None:
    SCons.Script.AddOption("--accept", dest="accept", action="store_true", default=False)


def _add(env: Env, method: Method, needed: str | None = None, hint: str = "") -> None:
    """Add a method under its public name. needed: a construction variable that the method requires."""
    name = "Layered" + method.__name__.title().replace("_", "")

    @functools.wraps(method)
    def checked(env: Env, *arguments: Any, **keywords: Any) -> Any:
        if needed and needed not in env:
            raise SCons.Errors.UserError(f"{name}: {hint}")
        if method in BESIDE_LIBRARIES and env["LAYERED"].builds_libraries_only:
            return []
        return method(env, *arguments, **keywords)

    env.AddMethod(checked, name)
