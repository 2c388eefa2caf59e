"""Declare the products of a cell: the generated header, the libraries, and the programs that use them.

Each function is a method of a cell's environment, `LayeredHeader` and so on; see `tool`.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from SCons.Action import Action

from layermatrix.build import paths, printing, unpacking
from layermatrix.core import process
from layermatrix.model.matrix import NATIVE
from layermatrix.scons import builders, run
from layermatrix.scons.builders import printed
from layermatrix.scons.settled import Settled

if TYPE_CHECKING:
    from layermatrix.build.buildstate import BuildState

Env = Any
Node = Any

NO_LIBRARIES = (
    "needs the cell's libraries as second argument: {program} is linked with them, "
    "as 'link' of its load in variants/matrix.yaml decides"
)
CXX_SUFFIXES = (".cc", ".cpp", ".cxx")
ORIGINS = ".layers.json"  # suffix after the header's name: the file that lists each layer's lines


def header(env: Env) -> list[Node]:
    """The generated header, and a file that lists each layer's lines in it. The templates that the variant
    uses print both."""
    name = env["LAYERED_CELL"].variant.system.header
    return printed(env, [name, f"{name}{ORIGINS}"], printing.print_header)


def libraries(env: Env) -> list[Node]:
    """The shared and the static library. Both use the same objects, except for files that only one of them
    has.

    If the catalogue has a soversion, the shared library's soname contains its first number, and a symbolic
    link with that name is created in the same folder.
    """
    cell = env["LAYERED_CELL"]
    system = cell.variant.system
    names = [system.shared, system.static]
    settled = Settled(env, (cell.id, cell.variant.as_value, str(env["LAYERED_IDENTITY"])))
    if left_out := settled.found(names):
        return left_out
    objects = [builders.object_of(env, source) for source in _library_sources(env)]
    shared_only, static_only = (
        [builders.object_of(env, env.File(f"#{env['LAYERED'].sources}/{name}")) for name in names]
        for names in (system.shared_only, system.static_only)
    )
    flags = ["$LINKFLAGS", "-shared", f"-Wl,-soname,{system.soname}", "$SHARED_LINKFLAGS"]
    shared = env.SharedLibrary(f"#$BUILD_DIR/{system.shared}", [*objects, *shared_only], SHLINKFLAGS=flags)
    if system.soversion:
        _link_beside(env, shared[0], system.soname)
    made = [*shared, *env.StaticLibrary(f"#$BUILD_DIR/{system.static}", [*objects, *static_only])]
    settled.record(made, [system.soname] if system.soversion else [])
    return made


def _link_beside(env: Env, shared: Node, name: str) -> None:
    """After each link of the library, create a symbolic link with its soname in the same folder."""

    def make(target: Sequence[Node], source: Sequence[Node], env: Env) -> None:
        library = Path(target[0].abspath)
        builders.point(library.with_name(name), library.name)

    env.AddPostAction(shared, Action(make, None))
    env.Clean(shared, f"#$BUILD_DIR/{name}")


def _library_sources(env: Env) -> list[Node]:
    """The C files of the library: the modules, or the unit that includes them, and the other sources."""
    cell, folder = env["LAYERED_CELL"], env["LAYERED"].sources
    system = cell.variant.system
    counting = system.stats.sources if cell.counts_layers else ()
    others = [*system.sources, *counting, *(() if cell.has_sanitizer else system.without_sanitizer)]
    apart = others if cell.variant.layout == "unity" else [*system.modules, *others]
    unit = printed(env, [system.unity], printing.print_unity) if cell.variant.layout == "unity" else []
    return [*unit, *(env.File(f"#{folder}/{name}") for name in apart)]


def benches(env: Env, pattern: str, built: Sequence[Node] = ()) -> list[Node]:
    """The benchmark programs, one for each C file that matches the pattern; and the traces that they replay.

    A program whose load is inlined is linked with `built`, the cell's libraries; the baseline has no such
    program. The other programs link no library.
    """
    if env["LAYERED_CELL"].has_sanitizer or env["LAYERED_CELL"].target != NATIVE:
        return []
    inlined = {load.program for load in env["LAYERED"].project.matrix.loads.values() if load.is_inlined}
    sources = _matching(env, [pattern])
    linked = [source for source in sources if Path(source.path).stem in inlined]
    if linked and not (built or builders.is_baseline(env)):
        run.refuse(f"LayeredBenches({pattern!r}) {NO_LIBRARIES.format(program=Path(linked[0].path).stem)}")
    made = _programs(env, [source for source in sources if source not in linked])
    if built:
        # a program that inlines everything calls no function of the library, but must still load it
        flags = [*env["LINKFLAGS"], "-Wl,--no-as-needed"]
        made += _programs(env, linked, LINKFLAGS=flags, **_shared(env, built[0]))
    return [*made, *_traces(env)]


def _traces(env: Env) -> list[Node]:
    """The traces of the project, unpacked once for all cells."""
    build: BuildState = env["LAYERED"]
    recorder, made = build.project.matrix.recorder, []
    for source in _matching(env, [f"{recorder.traces}/*{unpacking.SUFFIX}"]) if recorder else ():
        target = build.at(paths.trace(source.name.removesuffix(unpacking.SUFFIX)))
        if not env.File(target).has_builder():
            builders.step(env, "GENERATE", [target], [source], unpacking.unpack)
        made.append(env.File(target))
    return made


def _shared(env: Env, library: Node) -> dict[str, list[Any]]:
    """The link settings for the cell's shared library. They still work after the build folder is moved."""
    return {"LIBS": [library, *env.get("LIBS", [])], "RPATH": [env.Literal("\\$$ORIGIN/..")]}


def tests(env: Env, built: Sequence[Node], **variables: Any) -> list[Node]:
    """The test programs of the matrix file, with the linkage that it declares. `variables` are added.

    The runtime of a sanitizer is a library of its own kind. With a sanitizer, all tests are therefore linked
    statically, and tests that load the library themselves cannot be built.
    """
    build: BuildState = env["LAYERED"]
    wanted = build.project.matrix.tests
    shared, static = built
    env = env.Clone()
    env.Append(**variables)
    if env["LAYERED_CELL"].has_sanitizer:
        why = "not built with a sanitizer"
        linked = _matching(env, [*wanted.sources, *wanted.inside])
        others = _matching(env, [*wanted.static, *wanted.alone])
        return [
            *_programs(env, linked, LIBS=[static], LAYERED_NO_CXX=why),
            *(_stub(env, source, why) for source in others),
        ]
    return [
        *_programs(env, _matching(env, wanted.sources), **_shared(env, shared)),
        *_programs(env, _matching(env, [*wanted.static, *wanted.inside]), LIBS=[static]),
        *_programs(env, _matching(env, wanted.alone)),
    ]


def fuzzers(env: Env, **variables: Any) -> list[Node]:
    """The libFuzzer programs of the matrix file, in the asan cell of a clang; none in other cells.

    `variables` are added for the programs and for the library. The library is compiled a second time, because
    the fuzzer needs counters in its code to see what an input reaches.
    """
    cell, build = env["LAYERED_CELL"], env["LAYERED"]
    wanted = build.project.matrix.fuzz
    if wanted is None or (cell.family, cell.sanitizer) != ("clang", "asan"):
        return []
    env = env.Clone(BUILD_DIR=f"{env['BUILD_DIR']}/fuzz")
    env.Append(**variables)
    only = [env.File(f"#{build.sources}/{name}") for name in cell.variant.system.static_only]
    library = [builders.object_of(env, source) for source in (*_library_sources(env), *only)]
    sources = env.Glob(build.at(wanted.sources))
    return [
        env.Program(_program_path(source), [builders.object_of(env, source), *library]) for source in sources
    ]


def _matching(env: Env, patterns: Sequence[str]) -> list[Node]:
    """The files that match these patterns."""
    build: BuildState = env["LAYERED"]
    return [source for pattern in patterns for source in env.Glob(build.at(pattern))]


def _programs(env: Env, sources: Sequence[Node], **variables: Any) -> list[Node]:
    """A program for each of these files. Without a C++ compiler, a C++ file becomes a stub that reports why
    it was skipped."""
    no_cxx = variables.pop("LAYERED_NO_CXX", None)
    made = []
    for source in sources:
        why = (no_cxx or _no_cxx(env)) if source.get_suffix() in CXX_SUFFIXES else None
        if why:
            made += [_stub(env, source, why)]
        else:
            made += env.Program(_program_path(source), builders.object_of(env, source), **variables)
    return made


def _program_path(source: Node) -> str:
    return f"#$BUILD_DIR/{paths.program(Path(source.path).stem)}"


def _no_cxx(env: Env) -> str | None:
    """The reason why this cell has no C++ programs."""
    build: BuildState = env["LAYERED"]
    return env.get("LAYERED_NO_CXX") or build.cxx_missing(env["LAYERED_CELL"])


def _stub(env: Env, source: Node, why: str) -> Node:
    """A stub that prints why the program of this source was not built, and exits with 77, "not run"."""
    text = env.Value(f"#!/bin/sh\necho {shlex.quote(why)}\nexit {process.CANNOT_RUN}\n")
    return env.Command(_program_path(source), text, Action(_write_script, "GENERATE"))[0]


def _write_script(target: Sequence[Node], source: Sequence[Node], env: Env) -> None:
    builders.write_text(target, source, env)
    Path(target[0].abspath).chmod(0o755)
