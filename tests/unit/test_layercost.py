"""The cost of a layer, and of the path without it: the estimate and the count."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from layermatrix.analysis import layer_path, layercost
from layermatrix.analysis.layercost import LayerCosts
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import asm, layers
from layermatrix.evidence.binary.counts import Entry, Share, Sums
from layermatrix.evidence.kind import Check, Status
from layermatrix.evidence.layers import Instructions, LayerCounts, Layers, LoadCounts
from layermatrix.model.cells import Cell
from layermatrix.model.project import Project
from layermatrix.model.variants import Variant
from layermatrix.profiles.malloc.profile import MALLOC
from layermatrix.report import explain
from layermatrix.spec.loader import load_project

STATS = "sentinel: 'toy:'\n  stats: {mode: stats, of: release, env: TOY_COUNTS}"
COUNTERS = ("entries", "hits", "misses", "offered", "accepted", "refused")
MOVES = ("refilled", "topped_up", "taken_in", "handed_up", "spilled", "drained")
RATES = {"hit_rate": 0.5, "share": 0.25, "kept_rate": None, "held_bytes": 0, "peak_bytes": 2048}


def figures(**given: Any) -> LayerCounts:
    return LayerCounts(**{**dict.fromkeys((*COUNTERS, *MOVES), 0), **RATES, "classes": {}, **given})


def load(costs: dict[str, float] | None, counts: dict[str, LayerCounts]) -> LoadCounts:
    """A load of 100 requests."""
    instructions: Instructions | NotMeasured = NotMeasured("valgrind is not installed")
    if costs is not None:
        total = round(sum(costs.values()) + 5.0, 4)
        instructions = Instructions(costs, frame=2.0, elsewhere=3.0, total=total)
    return LoadCounts(100, 100, 0, {"ended": 1, "running": 0}, counts, instructions)


# The stack served 40 blocks of C1 and kept 30. The list had 60 requests, and 70 blocks were offered to it.
STACK = figures(entries=70, offered=70, classes={"C1": {"hits": 40, "accepted": 30}})
LIST = figures(entries=60, offered=70)
REFILL = figures(entries=5, hits=5)
SUMS = {part.name: 0 for part in fields(Sums)}
COSTS = {"stack": 10.0, "list": 6.5, "refill": 0.5}


@pytest.fixture
def toy(project: Callable[..., Path], request: pytest.FixtureRequest) -> Project:
    catalogue = request.getfixturevalue("layers")
    return load_project(project(layers=catalogue("sentinel: 'toy:'", STATS)))


def put(root: Path, cell: str, costs: dict[str, float] | None, **counts: LayerCounts) -> None:
    record = Layers(
        layers=tuple(counts),
        classes={"C0": 8, "C1": 16, "C2": 32, "C3": 64},
        programs=(Check("mixed", Status.PASSED, command="bench"),),
        loads={"mixed": load(costs, counts)},
    )
    layers.KIND.format.write(root / f"build/{cell}/evidence/layers.json", record)


def of_cell(toy: Project, root: Path, mode: str = "release") -> LayerCosts | NotMeasured:
    return layercost.of_cell(Cell(toy.variants["base"], mode, "gcc"), root)


def joined(toy: Project, root: Path, mode: str = "release") -> LayerCosts:
    record = of_cell(toy, root, mode)
    assert isinstance(record, LayerCosts)
    return record


def test_without_a_layer_its_own_instructions_are_saved_and_the_next_one_has_more_to_do(
    toy: Project, tmp_path: Path
) -> None:
    put(tmp_path, "base-stats-gcc", COSTS, stack=STACK, list=LIST, refill=REFILL)
    stack = joined(toy, tmp_path).loads["mixed"].layers["stack"]
    assert stack.cost == 10.0
    mean_of_list = 6.5 * 100 / (60 + 70)
    assert stack.without.estimate == pytest.approx(-10.0 + (40 + 30) * mean_of_list / 100)
    assert stack.without.measured is None


def test_a_build_without_the_layer_gives_the_change_that_was_counted(toy: Project, tmp_path: Path) -> None:
    put(tmp_path, "base-stats-gcc", COSTS, stack=STACK, list=LIST, refill=REFILL)
    put(tmp_path, "base_without_stack-stats-gcc", {"list": 14.0, "refill": 0.5}, list=LIST, refill=REFILL)
    library = tmp_path / "build/base-stats-gcc/libtoy.so"
    library.write_bytes(b"")
    os.utime(library, (1, 1))
    stack = joined(toy, tmp_path).loads["mixed"].layers["stack"]
    assert stack.without.measured == pytest.approx(19.5 - 22.0)
    os.utime(library)
    os.utime(tmp_path / "build/base_without_stack-stats-gcc/evidence/layers.json", (1, 1))
    stack = joined(toy, tmp_path).loads["mixed"].layers["stack"]
    assert stack.without.measured is None, "it was counted before this library was built"


def test_a_layer_that_others_need_cannot_be_left_out(toy: Project, tmp_path: Path) -> None:
    put(tmp_path, "base-stats-gcc", COSTS, stack=STACK, list=LIST, refill=REFILL)
    without = joined(toy, tmp_path).loads["mixed"].layers["list"].without
    assert (without.estimate, without.reason) == (None, "layer 'refill' needs 'list'")


def test_where_the_next_layer_did_nothing_there_is_no_estimate(toy: Project, tmp_path: Path) -> None:
    idle = {"list": figures(), "refill": figures()}
    put(tmp_path, "base-stats-gcc", COSTS, stack=STACK, **idle)
    without = joined(toy, tmp_path).loads["mixed"].layers["stack"].without
    assert without.estimate is None
    assert "was not used in this load" in str(without.reason)


def test_what_was_not_counted_shows_how_to_count_it(toy: Project, tmp_path: Path) -> None:
    command = "./sconsw variant=base compiler=gcc layers"
    assert of_cell(toy, tmp_path) == NotMeasured(f"not counted yet: {command}")
    put(tmp_path, "base-stats-gcc", COSTS, list=LIST, refill=REFILL)
    assert of_cell(toy, tmp_path) == NotMeasured(f"counted with other layers: {command}")


def test_a_project_without_such_builds_reports_it(project: Callable[..., Path], tmp_path: Path) -> None:
    base = load_project(project()).variants["base"]
    record = layercost.of_cell(Cell(base, "release", "gcc"), tmp_path)
    assert record == NotMeasured("this project has no builds in which layers count")


def test_without_valgrind_there_are_counts_but_no_costs(toy: Project, tmp_path: Path) -> None:
    put(tmp_path, "base-stats-gcc", None, stack=STACK, list=LIST, refill=REFILL)
    stack = joined(toy, tmp_path).loads["mixed"].layers["stack"]
    assert (stack.entries, stack.cost) == (70, None)
    assert stack.without.reason == "valgrind is not installed"


def test_the_code_of_each_layer_comes_from_the_evidence_of_the_shipped_cell(
    toy: Project, tmp_path: Path
) -> None:
    put(tmp_path, "base-stats-gcc", COSTS, stack=STACK, list=LIST, refill=REFILL)
    record = joined(toy, tmp_path)
    assert record.code_reason == "there is no asm.json of this cell"
    unknown = NotMeasured("not of interest")
    shares = {"frame": Share(**SUMS | {"instructions": 3}, hit=unknown)}
    shares["stack"] = Share(**SUMS | {"instructions": 21}, hit=unknown)
    entry = Entry(
        **SUMS, stack=0, cache_lines=1, function="take", probe="probe_take",
        lines=unknown, hit=unknown, layers=shares,
    )  # fmt: skip
    record_of_code = asm.Asm("x86_64", {"alloc": entry}, unknown)
    asm.KIND.format.write(tmp_path / "build/base-release-gcc/evidence/asm.json", record_of_code)
    record = joined(toy, tmp_path)
    assert record.code_reason is None
    found = {name: layer.code for name, layer in record.loads["mixed"].layers.items()}
    assert found == {"stack": 21, "list": None, "refill": None}


def test_a_failure_is_the_counting_cells_own(toy: Project, tmp_path: Path) -> None:
    put(tmp_path, "base-stats-gcc", COSTS, stack=STACK, list=LIST, refill=REFILL)
    assert joined(toy, tmp_path, mode="stats").programs
    assert not joined(toy, tmp_path, mode="release").programs


# --- as text


def text(toy: Project, root: Path) -> str:
    variant: Variant = toy.variants["base"]
    about = layer_path.describe(variant, MALLOC)
    return explain.explain(about, layercost.of_cell(Cell(variant, "release", "gcc"), root))


def test_explain_shows_how_to_get_figures_when_there_are_none(toy: Project, tmp_path: Path) -> None:
    assert "What each layer does: not counted yet: ./sconsw variant=base compiler=gcc layers" in text(
        toy, tmp_path
    )


def test_explain_shows_each_layer_of_each_load(toy: Project, tmp_path: Path) -> None:
    put(tmp_path, "base-stats-gcc", COSTS, stack=STACK, list=LIST, refill=REFILL)
    shown = text(toy, tmp_path)
    assert "What each layer does in mixed: 100 requests, 22.0 instructions each" in shown
    row = next(line.split() for line in shown.splitlines() if line.startswith("  Stack "))
    assert row == ["Stack", "70.0%", "50.0%", "25.0%", "-", "0", "0", "2.0", "-", "10.0", "-6.5", "-"]
    assert "without List: not known: layer 'refill' needs 'list'" in shown
    assert "code: not measured: there is no asm.json of this cell" in shown
    assert "│ miss, 75.00% of the requests go on" in shown
    assert max(map(len, shown.splitlines())) <= 108
