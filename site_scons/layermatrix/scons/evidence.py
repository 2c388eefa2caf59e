"""Create SCons nodes for the evidence of a cell, as `layermatrix.evidence` declares it.

`CellBuilder` is the interface between the kinds of evidence and a cell's environment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layermatrix.build.step import Step
from layermatrix.build.toolchain import LINE_TABLES
from layermatrix.evidence import build_nodes
from layermatrix.evidence.hosted import name_of
from layermatrix.hosts import cell_result
from layermatrix.hosts.cell_result import Declared
from layermatrix.scons import builders, bundles, products

if TYPE_CHECKING:
    from layermatrix.build.buildstate import BuildState
    from layermatrix.core.emulator import Emulator
    from layermatrix.evidence.hosted import AnyPart
    from layermatrix.model.cells import Cell

Env = Any
Node = Any

TABLES = re.compile(r"-g(\d|gdb\d?|dwarf(-\d)?)?")  # compiler flags for debugging tables


def evidence(
    env: Env,
    built: Sequence[Node] = (),
    tests: Sequence[Node] = (),
    benches: Sequence[Node] = (),
    empty: str | None = None,
) -> list[Node]:
    """Declare every kind of evidence of a cell, or of the baseline. Also creates the aliases `evidence` and
    `figures`; `figures` is the evidence that comparisons need. built: the libraries. tests, benches: the
    programs. empty: the C file of a library that does almost nothing, which shows the cost of the benchmark
    itself."""
    cell = CellBuilder(env, built, tests, benches, empty)
    declared = build_nodes.declare(cell)
    bundles.declare(env, cell.hosted, wanted=cell.is_hosted)
    if cell.cell.is_counted and cell.empty:
        env.Alias("benches", cell.empty)  # for jobs that count a benchmark outside the build
    if not builders.is_baseline(env):
        env.Alias("figures", declared.figures)
    env.Alias("evidence", declared.every)
    return list(declared.every)


class CellBuilder:
    """A cell's environment as `evidence.builder.Builder`."""

    def __init__(
        self,
        env: Env,
        libraries: Sequence[Node],
        tests: Sequence[Node] = (),
        benches: Sequence[Node] = (),
        empty: str | None = None,
    ) -> None:
        self.env = env
        self.libraries, self.tests, self.benches = libraries, tests, benches
        self._empty = empty
        self._build: BuildState = env["LAYERED"]
        self.project = self._build.project
        self.cell: Cell = env["LAYERED_CELL"]
        self.cells = self._build.selection.cells
        self.soak = self._build.request.soak
        self.runs = self._build.runs
        self.short = self._build.request.is_short
        self.folder: str = env["BUILD_DIR"]
        self.sources = self._build.sources
        self.of_baseline = builders.is_baseline(env)
        self._readers: dict[str, Env] = {}
        self.hosted: list[Declared] = []

    @cached_property
    def _printed(self) -> list[Node]:
        return products.header(self.env)

    @property
    def header(self) -> Node:
        return self._printed[0]

    @property
    def origins(self) -> Node:
        return self._printed[1]

    @cached_property
    def is_hosted(self) -> bool:
        """Whether the cell uses results of other hosts."""
        root = self._build.root
        return not self.of_baseline and cell_result.is_hosted(root, root / self.cell.build_dir)

    @property
    def templates(self) -> Sequence[Node]:
        return builders.templates(self.env)

    @cached_property
    def emulator(self) -> Emulator:
        return self._build.emulator_of(self.cell)

    @cached_property
    def empty(self) -> Node | None:
        return builders.lone_library(self.env, self._empty)[0] if self._empty else None

    @cached_property
    def shipped(self) -> CellBuilder:
        shipped = self.env["LAYERED_SHIPPED"]
        return CellBuilder(shipped, products.libraries(shipped))

    def at(self, path: str) -> str:
        return self._build.at(path)

    def source(self, name: str) -> Node:
        return self.env.File(f"#{self.sources}/{name}")

    def file(self, path: str) -> Node:
        return self.env.File(self._place(path))

    def glob(self, pattern: str) -> Sequence[Node]:
        found: list[Node] = self.env.Glob(self._place(pattern))
        return found

    def _place(self, path: str) -> str:
        return path if path.startswith("#") else f"#$BUILD_DIR/{path}"

    def compiled(self, target: str, source: Node, *, copies: str = "", needs: Sequence[Node] = ()) -> Node:
        env = self._reading(copies) if copies else self._traced
        made = builders.compiled(env, self._place(target), source)
        self.env.Depends(made, list(needs))
        return made[0]

    def compiler_text(self, target: str, source: Node, flags: str, word: str) -> Node:
        made = builders.compiler_text(self._plain, self._place(target), source, flags, word)
        self.env.Depends(made, self.header)  # SCons would not wait for the header to be printed
        return made[0]

    # One environment for all files that are compiled in the same way: SCons looks for the headers of a file
    # once for each environment.

    @cached_property
    def _plain(self) -> Env:
        return self.env.Clone(**self._flags())

    @cached_property
    def _traced(self) -> Env:
        return self.env.Clone(**self._flags(*LINE_TABLES))

    def _reading(self, copies: str) -> Env:
        """The environment in which the compiler reads copies. SCons itself looks for headers in CPPPATH."""
        if copies not in self._readers:
            self._readers[copies] = self._traced.Clone(**self._of_copies(copies))
        return self._readers[copies]

    def _of_copies(self, copies: str) -> dict[str, Any]:
        sources, generated = self.sources, f"{self.folder}/gen"
        to = {
            generated: self._place(f"{copies}/gen"),
            sources: self._place(f"{copies}/src/{sources.removeprefix(self._build.top)}"),
        }

        def copy_of(target: Any, source: Sequence[Node], env: Env, for_signature: bool) -> str:
            path = Path(source[0].path)
            (original,) = (folder for folder in to if path.is_relative_to(folder))
            return str(env.File(f"{to[original]}/{path.relative_to(original)}"))

        commands = {name: self.env[name].replace("$SOURCES", "$LAYERED_COPY") for name in ("CCCOM", "CXXCOM")}
        return {
            **commands,
            "LAYERED_COPY": copy_of,
            "LAYERED_COPIES": [
                to.get(str(folder).removeprefix("#"), folder) for folder in self.env["CPPPATH"]
            ],
            "_CPPINCFLAGS": self.env["_CPPINCFLAGS"].replace("CPPPATH", "LAYERED_COPIES"),
        }

    def _flags(self, *more: str) -> dict[str, list[Any]]:
        """The cell's flags without debugging tables, which are not code, plus `more`."""
        return {
            name: [
                *(flag for flag in self.env.Flatten([self.env[name]]) if not TABLES.fullmatch(str(flag))),
                *added,
            ]
            for name, added in (("CCFLAGS", more), ("LAYERED_CFLAGS", ()))
        }

    def printed(self, target: str, how: Step) -> Node:
        path = Path(target)
        return builders.printed(self.env, [path.name], how, folder=path.parent.as_posix())[0]

    def made(
        self,
        word: str,
        targets: Sequence[str],
        sources: Sequence[Node],
        how: Step,
        *,
        module: str = "",
        needs: Sequence[Node] = (),
        values: Sequence[str] = (),
        after: Sequence[Node] = (),
        once: bool = False,
        folder: str = "",
        hosted: AnyPart | None = None,
    ) -> Sequence[Node]:
        places = [self._place(target) for target in targets]
        files = [self.env.File(place) for place in places]
        if once and all(file.has_builder() for file in files):
            return files
        made = builders.step(self.env, word, places, sources, how, module)
        self.env.Depends(made, [*needs, *(self.env.Value(text) for text in values)])
        if hosted and not self.of_baseline:
            used = tuple(sources[: hosted.sources])
            self.hosted.append(Declared(name_of(targets[0]), hosted, used, tuple(needs), tuple(values)))
            if self.is_hosted:
                self.env.Depends(made, self.file(cell_result.RESULT))
        self.env.Requires(made, list(after))
        if folder:
            self.env.Clean(made, self._place(folder))
        return made
