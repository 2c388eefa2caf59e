"""Create an SCons environment for each cell: its compiler, flags, include path and build folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import SCons.Subst

from layermatrix.build import failure, link_options, paths, target_compilers, toolchain
from layermatrix.model.cells import Cell
from layermatrix.scons import builders, run

if TYPE_CHECKING:
    from layermatrix.build.buildstate import BuildState
    from layermatrix.model.axes import AxisValue
    from layermatrix.model.variants import Variant

ANY_PROCESSOR = "-mcpu=baseline"  # of zig: code for every processor of the target
NO_FRAME_POINTER = "-fomit-frame-pointer"  # of zig, which keeps it in optimised code too
Env = Any

# The names that SCons gives to actions, for the lines that show them.
WORDS = {"CC": "CC", "CXX": "CXX", "LINK": "LINK", "SHLINK": "LINK", "AR": "AR", "RANLIB": "RANLIB"}


def cells(env: Env) -> list[Env]:
    """An environment for each selected cell."""
    build: BuildState = env["LAYERED"]
    return [_cell(env, cell, cell.build_dir) for cell in build.selection.cells]


def baseline(env: Env) -> Env:
    """An environment for the benchmark programs that run on the system's own functions. If the matrix has a
    floor or a recorder, this environment builds it."""
    build: BuildState = env["LAYERED"]
    usual = Cell(build.selection.cells[0].variant, "release", build.usual_compiler)
    made = _cell(env, usual, paths.BASELINE)
    timed = build.project.matrix.peers
    if timed and timed.floor:
        builders.lone_library(made, timed.floor.source)
    if build.project.matrix.recorder:
        builders.lone_library(made, build.project.matrix.recorder.source)
    return made


def _settings_of(variant: Variant) -> dict[str, str | int]:
    """The variant's settings as construction variables: LAYERED_<NAME>, and LAYERED_<NAME>_NUMBER with the
    number that C code uses."""
    values = {f"LAYERED_{name.upper()}": value for name, value in variant.settings.items()}
    return {**values, **{f"LAYERED_{name.upper()}_NUMBER": one for name, one in variant.numbers.items()}}


def _cell(env: Env, cell: Cell, folder: str) -> Env:
    """folder: the folder of its files, relative to the project's."""
    build: BuildState = env["LAYERED"]
    compiler = build.compiler_of(cell)
    path = f"{build.top}{folder}"
    made = env.Clone(
        LAYERED_CELL=cell,
        **_settings_of(cell.variant),
        LAYERED_IDENTITY=builders.own_value(env, f"{compiler.identity}{cell.environment or ''}"),
        BUILD_DIR=path,
        CC=_words(compiler.command),
        CXX=_words(compiler.cxx),
        CPPPATH=[f"#{path}/gen", f"#{build.sources}"],
        SPAWN=build.shell.spawner(build.root / folder),
        PRINT_CMD_LINE_FUNC=build.shell.show,
        STATIC_AND_SHARED_OBJECTS_ARE_THE_SAME=True,
        **{f"{tool}COMSTR": word for tool, word in WORDS.items()},
    )
    # Objects depend on LAYERED_IDENTITY, which also has the environment of own axes: SCons tracks neither.
    # Otherwise, SCons would expand every command to find the program's file.
    made.SetDefault(IMPLICIT_COMMAND_DEPENDENCIES=False)
    for axis in ("mode", "sanitizer"):
        made.Append(**build.flags[axis].get(getattr(cell, axis), {}))
    for choice in cell.own:
        _add_choice(made, choice.value)
    _reproducible(made)
    _given_flags(made)
    if compiler.family == "zig":
        _zig(made, compiler)
    elif compiler.target:
        made.Replace(**{name.upper(): target_compilers.archiver(compiler, name) for name in ("ar", "ranlib")})
    if cell.counts_layers:
        made["LAYERED_SHIPPED"] = _shipped(env, made)
    if not run.is_dry():
        failure.file_of(build.root / folder).unlink(missing_ok=True)  # this build records its own failure
    return made


def _add_choice(made: Env, value: AxisValue) -> None:
    """Append the flags and the environment of an own axis's value."""
    made.Append(
        CCFLAGS=_words((*value.flags, *value.compile)),
        LINKFLAGS=_words((*value.flags, *value.link)),
        CPPDEFINES=[(name, builders.literal(word)) for name, word in value.defines.items()],
    )
    made["ENV"] = {**made["ENV"], **value.environment}


def _words(command: tuple[str, ...]) -> list[str]:
    return [builders.literal(word) for word in command]


def _reproducible(made: Env) -> None:
    """Keep this machine's folders and clock out of built files. Compilers copy the folder name from PWD into
    debugging tables."""
    made["ENV"]["PWD"] = "/proc/self/cwd"
    made.Replace(ARFLAGS=["rcD"], RANLIBFLAGS=["-D"])


def _given_flags(made: Env) -> None:
    """Append the user's flags last, so that they override the project's."""
    given = made["LAYERED"].request.compiler_variables
    c_flags, cxx_flags, link_flags = (
        _words(tuple(given.words(name))) for name in ("CFLAGS", "CXXFLAGS", "LDFLAGS")
    )
    preprocessor = _words(tuple(given.words("CPPFLAGS")))
    made.Replace(LAYERED_CFLAGS=[*preprocessor, *c_flags], LAYERED_CXXFLAGS=[*preprocessor, *cxx_flags])
    made.Append(LINKFLAGS=link_flags)
    for language, command in (("C", "CCCOM"), ("CXX", "CXXCOM")):
        own, every = f"$_CCCOMCOM $LAYERED_{language}FLAGS", f"LAYERED_ALL_{language}FLAGS"
        usual = f"${language}FLAGS $CCFLAGS {own}"  # in a command that the project has not changed
        made[every] = _ExpandedOnce(usual)
        made[command] = made[command].replace("$_CCCOMCOM", own).replace(usual, f"${every}")


class _ExpandedOnce:
    """The flags of the compiler, as a construction variable. SCons would expand each flag for each object to
    see whether its command has changed, which takes a tenth of a run that builds nothing. Flags that do not
    name the object or its source are expanded once for an environment. SCons compares commands only after all
    SConscripts have been read, so an environment no longer changes."""

    def __init__(self, flags: str) -> None:
        self.flags = flags
        # The environments stay alive, so that no other one gets their ids.
        self._same: dict[int, tuple[Env, str | None]] = {}

    def __call__(self, target: Any, source: Any, env: Env, for_signature: bool) -> str:
        if not for_signature:
            return self.flags
        if id(env) not in self._same:
            one, general = self._expanded(env, target, source), self._expanded(env)
            self._same[id(env)] = env, one if one == general else None
        text = self._same[id(env)][1]
        return self.flags if text is None else text

    def _expanded(self, env: Env, target: Any = None, source: Any = None) -> str:
        return str(env.subst(self.flags, SCons.Subst.SUBST_SIG, target=target, source=source))


def _zig(made: Env, compiler: toolchain.Toolchain) -> None:
    """Settings for zig. It may be the only tool chain, it keeps a cache in HOME, it lacks some linker
    options, and unlike other compilers, it would compile for this machine's processor only, and spend an
    instruction on the frame pointer in each function."""
    frame = [] if made["LAYERED_CELL"].mode == "debug" else [NO_FRAME_POINTER]
    made.Prepend(CCFLAGS=[ANY_PROCESSOR, *frame], LINKFLAGS=[ANY_PROCESSOR])
    start = (
        compiler.command[: compiler.command.index("cc")]
        if "cc" in compiler.command
        else compiler.command[:-1]
    )
    made.Replace(**{tool.upper(): _words((*start, tool)) for tool in ("ar", "ranlib")})
    made["ENV"].setdefault("HOME", str(Path.home()))
    build: BuildState = made["LAYERED"]
    top, cache = Path(made.Dir("#").abspath), build.root / toolchain.CACHE
    for name in ("LINKFLAGS", "SHARED_LINKFLAGS"):
        flags = made.Flatten([made.get(name, [])])
        made[name], refused = link_options.split(compiler, flags, top, cache)
        for option in refused:
            link_options.warn(compiler.name, option)


def _shipped(env: Env, counting: Env) -> Env:
    """The environment of the library whose code the counts of a cell refer to: the same variant in the mode
    that is shipped, with line tables."""
    cell = counting["LAYERED_CELL"]
    shipped = _cell(env, cell.shipped, f"{cell.build_dir}/shipped")
    shipped.Replace(SPAWN=counting["SPAWN"])
    shipped.Append(CCFLAGS=list(toolchain.LINE_TABLES))
    return shipped
