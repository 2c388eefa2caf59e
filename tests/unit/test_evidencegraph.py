"""Which evidence a cell has, of what it is made, and that SCons is told of the modules that establish it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from layermatrix.evidence import graph, steps
from layermatrix.model.matrix import Cell
from layermatrix.spec.loader import load_project

LIBRARY = Path(graph.__file__).parent
BUILT = ["libtoy.so", "libtoy.a"]


class Environment(dict[str, Any]):
    """Stands in for a cell's environment in SCons: keeps what it is asked to make."""

    def __init__(self, project: Any, cell: Cell) -> None:
        build = SimpleNamespace(project=project, sources="src", asked=SimpleNamespace(soak=None))
        super().__init__(LAYERED=build, LAYERED_CELL=cell, BUILD_DIR=cell.build_dir, CCFLAGS=["-g"])
        self.steps: list[tuple[Any, list[Any], list[Any], list[str]]] = []

    def LayeredStep(  # noqa: N802
        self, _word: str, targets: Sequence[str], sources: Sequence[Any], step: Any, modules: Sequence[str]
    ) -> list[str]:
        self.steps.append((step, list(targets), list(sources), list(modules)))
        return list(targets)

    def __getattr__(self, name: str) -> Any:
        """File, Value, Glob and the builders: what they give is their first argument, in a list."""
        if name in ("File", "Value"):
            return lambda given: given
        if name == "LayeredHeader":
            return lambda: ["toy_gen.h", "toy_gen.h.layers.json"]
        return lambda *given, **_variables: [given[0]] if given else []


@pytest.fixture
def environment(project: Any) -> Any:
    def make(mode: str = "release", sanitizer: str = "none") -> Environment:
        loaded = load_project(project())
        return Environment(loaded, Cell(loaded.variants["base"], mode, "gcc", sanitizer))

    return make


def test_the_probe_is_counted_with_the_library_and_the_lines_of_each_layer(environment: Any) -> None:
    env = environment()
    graph.asm_evidence(env, BUILT)
    ((step, targets, sources, modules),) = env.steps
    assert (step, targets) == (steps.take_asm, ["#$BUILD_DIR/evidence/asm.json"])
    assert sources == [
        "#$BUILD_DIR/probe/probe.o",
        "#$BUILD_DIR/probe/probe.s",
        "toy_gen.h.layers.json",
        "libtoy.so",
    ]
    assert "evidence/asm.py" in modules


def test_what_a_sanitizers_cell_cannot_show_is_left_out_and_made_of_nothing(environment: Any) -> None:
    env = environment("debug", "asan")
    graph.asm_evidence(env, BUILT)
    graph.program_evidence(env, BUILT)
    graph.counter_evidence(env, BUILT, ["bench"], "src/null.c")
    assert [(step, sources) for step, _, sources, _ in env.steps] == [
        (steps.leave_out_asm, []),
        (steps.leave_out_programs, []),
        (steps.leave_out_counters, []),
    ]


def test_each_script_has_a_result_that_depends_on_what_it_names_in_data(environment: Any) -> None:
    def file(path: str, text: str = "") -> Any:
        return SimpleNamespace(path=path, dir=Path(path).parent, get_text_contents=lambda: text)

    class Node(str):
        """A file; one in build/baseline may be made by another cell."""

        def has_builder(self) -> bool:
            return self.endswith("/b.plain.json")

    scripts = [
        file("tests/a.sh", '. "data/common.sh"'),
        file("tests/b.sh", 'python3 "$data/load.py"'),
        file("tests/c.sh", "ls $LAYERED_CELL"),
    ]
    beside = [file("tests/data/common.sh"), file("tests/data/load.py")]
    needed: dict[str, list[Any]] = {}
    env = environment()
    env.File = Node
    env.Glob = lambda pattern: beside if "/data/" in pattern else scripts
    env.Depends = lambda made, others: needed.update({made[0]: others})
    graph.program_evidence(env, BUILT)
    folder = "#$BUILD_DIR/evidence/programs"
    results = [f"{folder}/{name}.json" for name in "abc"]
    plain = [f"#build/baseline/evidence/programs/{name}.plain.json" for name in "ab"]
    assert [(step, targets[0], sources) for step, targets, sources, _ in env.steps] == [
        (steps.run_plain, plain[0], [scripts[0]]),
        (steps.run_program, results[0], ["libtoy.so", scripts[0], plain[0]]),
        (steps.run_program, results[1], ["libtoy.so", scripts[1], plain[1]]),
        (steps.run_program, results[2], ["libtoy.so", scripts[2]]),
        (steps.gather_programs, f"{folder}.json", results),
    ]
    assert [needed[result][0] for result in results[:2]] == beside
    assert needed[plain[0]][0] is beside[0]


def test_layers_are_counted_only_where_they_count(environment: Any) -> None:
    env = environment()
    assert graph.layer_evidence(env, BUILT, ["bench"]) == []
    assert env.steps == []


def test_only_one_package_imports_scons() -> None:
    for file in LIBRARY.rglob("*.py"):
        if file.is_relative_to(LIBRARY / "scons"):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == "SCons"], file
