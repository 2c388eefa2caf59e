"""The evidence of a cell, and its inputs."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from layermatrix.build.dependencies import LIBRARY
from layermatrix.build.step import Step
from layermatrix.core.emulator import NATIVE, Emulator
from layermatrix.evidence import asm, budget, build_nodes, counters, layers, programs, registry
from layermatrix.evidence.builder import Node
from layermatrix.evidence.hosted import AnyPart
from layermatrix.model.axes import RunAxis, Running, RunValue
from layermatrix.model.cells import Cell
from layermatrix.model.matrix import Cells
from layermatrix.model.project import Project
from layermatrix.model.quarantine import Quarantine, Quarantined
from layermatrix.spec.loader import load_project


@dataclass(frozen=True)
class File:
    """A node of a build."""

    path: str
    sources: Sequence[Any] = ()

    @property
    def abspath(self) -> str:
        return f"/project/{self.path}"


@dataclass(frozen=True)
class Made:
    """A declared step: its action, its targets and sources by path, and its other dependencies."""

    how: Step
    targets: list[str]
    sources: list[str]
    needs: list[str]
    values: list[str] = field(default_factory=list)


@dataclass
class Build:
    """Replaces a cell's builder: records the declared steps."""

    project: Project
    cell: Cell
    of_baseline: bool = False
    libraries: Sequence[File] = (File("libtoy.so"), File("libtoy.a"))
    tests: Sequence[File] = (File("bin/test_a"),)
    benches: Sequence[File] = (File("bin/bench"),)
    empty: File | None = File("bin/null.so")
    header: File = File("gen/toy_gen.h")
    origins: File = File("gen/toy_gen.h.layers.json")
    templates: Sequence[File] = ()
    found: dict[str, Sequence[File]] = field(default_factory=dict)  # the results of glob
    made_by: list[Made] = field(default_factory=list)
    cells: Sequence[Cell] = ()
    soak: int | None = None
    short: bool = False
    runs: Sequence[Running] = ()
    emulator: Emulator = NATIVE
    sources: str = "src"
    folder: str = "build/cell"

    @property
    def shipped(self) -> Build:
        return Build(self.project, self.cell.shipped, libraries=(File("shipped/libtoy.so"),))

    def at(self, path: str) -> str:
        return f"#{path}"

    def source(self, name: str) -> File:
        return File(f"src/{name}")

    def file(self, path: str) -> File:
        return File(path)

    def glob(self, pattern: str) -> Sequence[File]:
        return self.found.get(pattern, ())

    def compiled(self, target: str, source: Node, *, copies: str = "", needs: Sequence[Node] = ()) -> File:
        return File(target, (source,))

    def compiler_text(self, target: str, source: Node, flags: str, word: str) -> File:
        return File(target, (source,))

    def printed(self, target: str, how: Step) -> File:
        return File(target)

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
        read, needed = ([one.path for one in files] for files in (sources, needs))
        self.made_by.append(Made(how, list(targets), read, needed, list(values)))
        return [File(target) for target in targets]

    def of(self, name: str) -> Made:
        """The step that makes the evidence of this name."""
        (found,) = (made for made in self.made_by if made.targets[0] == f"evidence/{name}.json")
        return found


Start = Callable[..., Build]


@pytest.fixture
def build(project: Any) -> Start:
    loaded = load_project(project())

    def make(mode: str = "release", sanitizer: str = "none", **more: Any) -> Build:
        return Build(loaded, Cell(loaded.variants["base"], mode, "gcc", sanitizer), **more)

    return make


def test_every_kind_of_the_registry_that_is_built_is_declared(build: Start) -> None:
    declared = build_nodes.declare(build())
    names = {Path(node.path).stem for node in declared.every if node.path.endswith(".json")}
    assert names == {kind.name for kind in registry.KINDS if kind.declare}
    stamps = {Path(node.path).stem for node in declared.every if node.path.endswith(".passed")}
    gates = {kind.name for kind in registry.KINDS if kind.declare and kind.is_gate}
    assert stamps <= gates
    assert {"tests", "programs", "guards"} <= stamps
    assert {Path(node.path).stem for node in declared.figures} >= {"asm", "code", "guards", "counters"}


def test_the_probe_is_counted_with_the_library_and_the_lines_of_each_layer(build: Start) -> None:
    made = build()
    build_nodes.declare(made)
    assert made.of("asm").how == asm.KIND.establish
    assert made.of("asm").sources == [
        "probe/probe.o",
        "probe/probe.s",
        "gen/toy_gen.h.layers.json",
        "libtoy.so",
    ]


def test_what_a_sanitizers_cell_cannot_show_is_left_out_and_made_of_nothing(build: Start) -> None:
    made = build("debug", "asan")
    build_nodes.declare(made)
    for kind in (asm.KIND, programs.KIND, counters.KIND):
        assert (made.of(kind.name).how, made.of(kind.name).sources) == (kind.leave_out, [])
    assert made.of("budget").how == budget.KIND.leave_out


def test_layers_are_counted_only_where_they_count(build: Start) -> None:
    made = build()
    build_nodes.declare(made)
    assert made.of("layers").how == layers.KIND.leave_out


@pytest.mark.parametrize(
    ("thorough", "sanitizer", "left"),
    [((), "none", True), ((), "asan", False), (("another",), "none", False)],
)
def test_long_tests_are_for_the_usual_cells_of_thorough_variants(
    build: Start, thorough: tuple[str, ...], sanitizer: str, left: bool
) -> None:
    made = build(tests=(File("bin/test_a"), File("bin/test_long")), short=True)
    suite = replace(made.project.matrix.tests, long=("test_long",), thorough=thorough)
    made.project = replace(made.project, matrix=replace(made.project.matrix, tests=suite))
    made.cell = replace(made.cell, sanitizer=sanitizer)
    build_nodes.declare(made)
    assert ("bin/test_long" in made.of("tests").sources) == left


def test_a_way_of_running_is_taken_again_when_it_or_the_quarantine_changes(build: Start) -> None:
    """Otherwise, a failure would stay quarantined after the last day of its entry."""

    def declared(variable: str = "2", **quarantine: Any) -> Made:
        way = Running((("threads", RunValue("two", environment={"THREADS": variable})),))
        cell = build(runs=(way,), tests=(File("bin/test_a"), File("bin/test_long")), short=True)
        suite = replace(cell.project.matrix.tests, long=("test_long",), thorough=("another",))
        axis = RunAxis("threads", "The threads.", {value.name: value for _, value in way.values})
        matrix = replace(cell.project.matrix, tests=suite, run={"threads": axis})
        cell.project = replace(cell.project, matrix=matrix, quarantine=Quarantine(**quarantine))
        build_nodes.declare(cell)
        return cell.of("runs/threads-two")

    entry = Quarantined(("test_a",), Cells(), "not known", owner="us", expires="2000-01-01")
    made = declared()
    assert made.sources == ["bin/test_a"], "tests=short leaves out long tests here, too"
    assert made.values != declared("4").values
    assert made.values != declared(quarantine=(entry,)).values
    assert made.values == declared().values


def test_the_baseline_has_its_counters_and_nothing_else(build: Start) -> None:
    made = build(of_baseline=True, libraries=())
    build_nodes.declare(made)
    assert [one.targets for one in made.made_by] == [["evidence/counters.json"]]
    assert made.of("counters").sources == ["bin/null.so", "bin/bench"]


def test_each_script_has_a_result_that_depends_on_what_it_names_in_data(
    build: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {
        "tests/a.sh": '. "data/common.sh"',
        "tests/b.sh": 'python3 "$data/load.py"',
        "tests/c.sh": "ls $LAYERED_CELL",
    }
    real = Path.read_text

    def read(path: Path, **how: str) -> str:
        return texts.get(str(path).removeprefix("/project/")) or real(path, **how)

    monkeypatch.setattr(Path, "read_text", read)
    made = build()
    made.found[f"#{made.project.matrix.programs.scripts}"] = [File(name) for name in texts]
    made.found["#tests/data/*"] = [File("tests/data/common.sh"), File("tests/data/load.py")]
    build_nodes.declare(made)
    plain = [f"#build/baseline/evidence/programs/{name}.plain.json" for name in "ab"]
    results = [f"evidence/programs/{name}.json" for name in "abc"]
    found = {one.targets[0]: one for one in made.made_by}
    assert [found[name].sources for name in plain] == [["tests/a.sh"], ["tests/b.sh"]]
    assert [found[name].sources for name in results] == [
        ["libtoy.so", "tests/a.sh", plain[0]],
        ["libtoy.so", "tests/b.sh", plain[1]],
        ["libtoy.so", "tests/c.sh"],
    ]
    assert [found[name].needs for name in results] == [["tests/data/common.sh"], ["tests/data/load.py"], []]
    assert made.of("programs").sources == results


def test_only_one_package_imports_scons() -> None:
    for file in LIBRARY.rglob("*.py"):
        if file.is_relative_to(LIBRARY / "scons"):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == "SCons"], file
