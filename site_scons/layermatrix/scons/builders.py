"""Declare how one file of a cell is made: by the compiler, from a template, or by a Python step.

SCons knows only the files that an action reads, and the action's own code. This module declares the other
dependencies of a file: the compiler's identity, the resolved variant, its templates, and a step's modules.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import SCons.Errors
from SCons.Action import Action
from SCons.Scanner import ScannerBase

from layermatrix.build import costs, dependencies, paths, shell
from layermatrix.build.shared_objects import Recipe
from layermatrix.build.step import Step, StepError, Task
from layermatrix.core import interrupt
from layermatrix.core.errors import SpecErrors
from layermatrix.hosts import cell_result
from layermatrix.scons import run

if TYPE_CHECKING:
    from layermatrix.build.buildstate import BuildState

Env = Any
Node = Any

# A step reads its sources and nothing else. SCons would look for the #include lines of C sources, which takes
# time, and would take a step to be out of date when a header changes that it does not read.
READS_NO_MORE = ScannerBase(lambda node, env, path: [], name="layermatrix step")


def own_value(env: Env, text: str) -> Node:
    """A value that files depend on, declared by this package."""
    node = env.Value(text)
    node.attributes.layered = True
    return node


def is_own(node: Node) -> bool:
    return bool(getattr(node.attributes, "layered", False))


def compiled(env: Env, target: str, source: Node) -> list[Node]:
    """One object file."""
    made = _identified(env, env.StaticObject(target, source))
    env["LAYERED"].shell.recipes[str(made[0])] = lambda: _recipe(env, made[0])
    return made


def _recipe(env: Env, node: Node) -> Recipe:
    """What an object is made from. SCons has computed the digests before it runs the command."""
    inputs = (
        (str(child) if hasattr(child, "abspath") else "", child.get_csig()) for child in node.all_children()
    )
    return Recipe(env.subst("$BUILD_DIR"), tuple(inputs))


def object_of(env: Env, source: Node) -> list[Node]:
    """One object file, usable in both kinds of library."""
    path = Path(source.path)
    for folder in (Path(env["BUILD_DIR"], "gen"), Path(env["LAYERED"].sources)):
        if path.is_relative_to(folder):
            path = path.relative_to(folder)
    return compiled(env, f"#$BUILD_DIR/obj/{path.with_suffix('.o')}", source)


def compiler_text(env: Env, target: str, source: Node, flags: str, word: str) -> list[Node]:
    """The file that the compiler prints with these flags instead of -c: assembly or preprocessed text."""
    command = Action(f"$CC {flags} -o $TARGET $CFLAGS $CCFLAGS $_CCCOMCOM $LAYERED_CFLAGS $SOURCES", word)
    return _identified(env, env.Command(target, source, command))


def _identified(env: Env, made: list[Node]) -> list[Node]:
    """Make a compiled file depend on the compiler's identity. SCons knows only the name of its command."""
    env.Depends(made, env["LAYERED_IDENTITY"])
    return made


def lone_library(env: Env, source: str) -> list[Node]:
    """A shared library from one file, for benchmark programs that link no library."""
    file = env.File(env["LAYERED"].at(source))
    target = f"#$BUILD_DIR/{paths.lone_library(source)}"
    flags = ["$LINKFLAGS", "-shared"]
    return list(env.SharedLibrary(target, object_of(env, file), SHLIBPREFIX="", SHLINKFLAGS=flags))


def printed(env: Env, names: Sequence[str], how: Step, folder: str = "gen") -> list[Node]:
    """Generated files. They depend on the resolved variant and on the templates that it uses."""
    variant = env["LAYERED_CELL"].variant
    targets, source = [f"#$BUILD_DIR/{folder}/{name}" for name in names], own_value(env, variant.as_value)
    made = step(env, "GENERATE", targets, [source], how)
    env.Depends(made, templates(env))
    return made


def templates(env: Env) -> list[Node]:
    """The templates that print the cell's variant. Computed once for all generated files of the cell."""
    if "LAYERED_TEMPLATES" not in env:
        try:
            names = env["LAYERED"].closures.of(env["LAYERED_CELL"].variant)
        except SpecErrors as errors:
            run.refuse(str(errors))
        build: BuildState = env["LAYERED"]
        env["LAYERED_TEMPLATES"] = [env.File(build.at(f"templates/{name}")) for name in names]
    found: list[Node] = env["LAYERED_TEMPLATES"]
    return found


def step(
    env: Env,
    word: str,
    targets: Sequence[str],
    sources: Sequence[Node],
    how: Step,
    module: str = "",
) -> list[Node]:
    """Files that a Python step makes. They are out of date when the step's module changes, or any module that
    it imports directly or indirectly; SCons itself tracks only the step's own code. module: the module to
    track, if it is not the one that defines the step."""
    made = env.Command(targets, sources, Action(_Execute(how), word), source_scanner=READS_NO_MORE)
    name = module or how.__module__
    digest = dependencies.library(env["LAYERED"].root).digest(name)
    env.Depends(made, own_value(env, f"{how.__qualname__} of {name} {digest}"))
    return list(made)


class _Execute:
    """The step as an object that SCons calls. The signature of a function would cover its code and everything
    that it refers to, which takes time. For an object, SCons uses only its __call__. `step` declares the real
    dependencies."""

    def __init__(self, how: Step) -> None:
        self.how = how

    def __call__(self, target: Sequence[Node], source: Sequence[Node], env: Env) -> None:
        _run_step(self.how, target, source, env)


def _run_step(how: Step, target: Sequence[Node], source: Sequence[Node], env: Env) -> None:
    """Run a step. A failed step fails the build. The cell's failure is recorded here unless the step has
    recorded it."""
    build: BuildState = env["LAYERED"]
    folder = Path(env.Dir("#$BUILD_DIR").abspath)
    task = Task(
        build.root, build.project, env["LAYERED_CELL"], folder, _paths(target), _paths(source),
        build.request.soak, is_baseline(env), build.emulator_of(env["LAYERED_CELL"]), interrupt.interrupted,
        cell_result.recorded(folder),
    )  # fmt: skip
    begin = time.monotonic()
    try:
        with build.shell.under_way(str(target[0])):
            how(task)
        costs.note(folder, str(target[0]), time.monotonic() - begin)
    except StepError as error:
        if not error.recorded:
            shell.note_failure(folder, how.__name__, str(error), str(target[0]))
        raise SCons.Errors.BuildError(target[0], str(error)) from None


def is_baseline(env: Env) -> bool:
    """Whether this is the environment of the programs that use the system's own functions."""
    build: BuildState = env["LAYERED"]
    return bool(env["BUILD_DIR"] == f"{build.top}{paths.BASELINE}")


def literal(path: str | Path) -> str:
    """A path that SCons does not expand, even if it contains `$`."""
    return str(path).replace("$", "$$")


def _paths(nodes: Sequence[Node]) -> tuple[Path, ...]:
    """The files among these nodes. A source can also be a value."""
    return tuple(Path(node.abspath) for node in nodes if hasattr(node, "abspath"))


def link(env: Env, path: str, name: str) -> list[Node]:
    """A symbolic link to the file of this name in the same folder."""
    made: list[Node] = env.Command(path, env.Value(name), Action(_make_link, "INSTALL"))
    return made


def _make_link(target: Sequence[Node], source: Sequence[Node], env: Env) -> None:
    point(Path(target[0].abspath), source[0].get_text_contents())


def point(path: Path, name: str) -> None:
    """Make the symbolic link at this path point to the file of this name."""
    path.unlink(missing_ok=True)
    path.symlink_to(name)


def write_text(target: Sequence[Node], source: Sequence[Node], env: Env) -> None:
    Path(target[0].abspath).write_text(source[0].get_text_contents(), encoding="utf-8")
