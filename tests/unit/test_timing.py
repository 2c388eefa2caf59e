"""`timing`: the cells that are timed, and when their figures are out of date. These tests time nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from layermatrix.core.records import NotMeasured
from layermatrix.evidence.bench import Bench
from layermatrix.measure import one_run, runner, timing
from layermatrix.model.cells import Cell
from layermatrix.model.project import Project
from layermatrix.spec.loader import load_project


class Session:
    """Built cells of a small project, and a runner that only records what it should time."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.project: Project = load_project(root)
        variant = self.project.variants["base"]
        self.cells = [Cell(variant, "release", "gcc"), Cell(variant, "release", "clang")]
        for folder in ("build/baseline", *(cell.build_dir for cell in self.cells)):
            self.file(f"{folder}/bin/bench")
            self.file(f"{folder}/libtoy.so")
        self.timed: list[str] = []
        self.loads: list[str] = []
        self.rounds: int | None = None  # fewer than planned
        self.more: dict[str, Any] = {}
        monkeypatch.setattr(runner, "measure", self._measure)

    def file(self, name: str, text: str = "binary") -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def take(self, cells: Sequence[Cell] | None = None, **how: Any) -> list[str]:
        self.timed = []
        timing.take(self.root, self.project, cells or self.cells, **{"rounds": None, "again": False, **how})
        return self.timed

    def _measure(
        self,
        loads: Sequence[one_run.Load],
        subjects: Sequence[one_run.Subject],
        rounds: int,
        baseline: one_run.Subject | None,
        **how: Any,
    ) -> dict[str, Bench | NotMeasured]:
        self.loads = [load.name for load in loads]
        self.timed = [subject.name for subject in subjects]
        for subject in (*([baseline] if baseline else []), *subjects):
            how["store"](subject.store, Bench(loads={}, rounds=self.rounds or rounds, **self.more))
        return {}


@pytest.fixture
def bench(project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Session:
    return Session(project(), monkeypatch)


def test_figures_are_kept_while_the_binaries_are_the_same(bench: Session) -> None:
    assert bench.take() == ["base-release-gcc", "base-release-clang"]
    assert bench.take() == []


def test_a_changed_library_is_timed_again_and_alone(bench: Session) -> None:
    bench.take()
    bench.file("build/base-release-gcc/libtoy.so", "another")
    assert bench.take() == ["base-release-gcc"]


def test_a_changed_benchmark_is_timed_again(bench: Session) -> None:
    bench.take()
    bench.file("build/base-release-clang/bin/bench", "another")
    assert bench.take() == ["base-release-clang"]


def test_anew_means_anew(bench: Session) -> None:
    bench.take()
    assert len(bench.take(again=True)) == 2


def test_more_rounds_than_there_are_is_a_reason(bench: Session) -> None:
    bench.take(rounds=2)
    assert bench.take(rounds=1) == []
    assert len(bench.take(rounds=3)) == 2


def test_a_run_that_ended_early_for_a_reason_is_not_repeated(bench: Session) -> None:
    bench.rounds, bench.more = 6, {"planned": 30, "stopped": "every load was exact to 0.01"}
    bench.take(rounds=30)
    assert bench.take(rounds=30) == []
    bench.more = {"planned": 30}  # an interrupt
    bench.take(rounds=30, again=True)
    assert len(bench.take(rounds=30)) == 2


def test_debug_sanitizer_and_foreign_cells_are_not_timed(bench: Session) -> None:
    variant = bench.project.variants["base"]
    others = [
        Cell(variant, "debug", "gcc"),
        Cell(variant, "release", "gcc", "asan"),
        Cell(variant, "release", "gcc", target="aarch64"),
    ]
    assert bench.take(others) == []


def test_a_cell_that_failed_is_not_timed_with_what_an_older_build_left(bench: Session) -> None:
    bench.file("build/base-release-gcc/evidence/failure.json", "{}")
    assert bench.take() == ["base-release-clang"]


def test_a_cell_without_a_library_is_not_timed(bench: Session) -> None:
    (bench.root / "build/base-release-gcc/libtoy.so").unlink()
    assert bench.take() == ["base-release-clang"]


def test_nothing_is_timed_without_a_baseline(bench: Session) -> None:
    (bench.root / "build/baseline/bin/bench").unlink()
    assert bench.take() == []


def test_sides_are_timed_against_the_first_and_their_own_records_stay(bench: Session) -> None:
    bench.take()
    stored = bench.root / "build/base-release-gcc/evidence/bench.json"
    before = stored.read_text(encoding="utf-8")
    made: dict[str, Bench | NotMeasured] = {}
    timing.side_by_side(bench.root, bench.project, bench.cells, ["mixed"], 5, made)
    assert bench.timed == ["base-release-clang"]
    assert made == dict.fromkeys(("base-release-gcc", "base-release-clang"), Bench(loads={}, rounds=5))
    assert stored.read_text(encoding="utf-8") == before


def test_a_load_that_is_only_counted_is_not_timed_side_by_side(
    project: Callable[..., Path], matrix: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = matrix("loads:\n", "loads:\n  counted_only: {doc: Some., program: bench, counted: [--ops, 1]}\n")
    bench = Session(project(matrix=text), monkeypatch)
    made: dict[str, Bench | NotMeasured] = {}
    names = ["counted_only", "mixed"]
    timing.side_by_side(bench.root, bench.project, bench.cells, names, 5, made)
    assert bench.loads == ["mixed"]


def test_sides_that_cannot_be_timed_have_a_reason(bench: Session) -> None:
    made: dict[str, Bench | NotMeasured] = {}
    variant = bench.project.variants["base"]
    timing.side_by_side(bench.root, bench.project, [Cell(variant, "debug", "gcc")], ["mixed"], 5, made)
    why = "only native release cells without a sanitizer are timed"
    assert made["base-debug-gcc"] == NotMeasured(why)
    (bench.root / "build/base-release-clang/libtoy.so").unlink()
    timing.side_by_side(bench.root, bench.project, bench.cells, ["mixed"], 5, made)
    assert made["base-release-gcc"] == NotMeasured("base-release-clang is not built")


def test_the_record_names_what_was_timed(bench: Session) -> None:
    bench.take()
    text = (bench.root / "build/base-release-gcc/evidence/bench.json").read_text(encoding="utf-8")
    assert len(json.loads(text)["key"]) == 64
