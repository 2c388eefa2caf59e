"""`results.collect`: evidence files of cells become one record, and what is missing says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import report_samples as samples

from layermatrix.analysis import results
from layermatrix.model.matrix import Cell
from layermatrix.model.measuring import Baseline
from layermatrix.model.variants import Variant
from layermatrix.spec.loader import load_project

ROOT = Path(__file__).parents[2]
BASELINE = Baseline("system malloc", {"mops": "92.6"})


@pytest.fixture(scope="module")
def variants() -> dict[str, Variant]:
    return dict(load_project(ROOT).variants)


def built(root: Path, cell: Cell, **evidence: dict[str, Any]) -> Cell:
    """Lay a cell's library and evidence down as a build does."""
    folder = root / cell.build_dir
    (folder / "evidence").mkdir(parents=True)
    (folder / f"lib{cell.variant.system.library}.a").touch()
    for kind, record in evidence.items():
        (folder / "evidence" / f"{kind}.json").write_text(json.dumps(record), encoding="utf-8")
    return cell


def test_evidence_files_appear_in_the_record_of_their_cell(
    tmp_path: Path, variants: dict[str, Variant]
) -> None:
    tests = samples.ran("tests", samples.program("test_basic"))
    cell = built(tmp_path, Cell(variants["phase2"], "release", "gcc"), asm=samples.asm(18), tests=tests)
    record = results.collect([cell], tmp_path, BASELINE)["cells"][0]
    assert record["id"] == "phase2-release-gcc"
    assert record["asm"]["entries"]["alloc"]["instructions"] == 18
    assert record["failed"] is None


def test_missing_evidence_is_not_measured_with_a_reason(tmp_path: Path, variants: dict[str, Variant]) -> None:
    cell = built(tmp_path, Cell(variants["phase2"], "release", "gcc"))
    record = results.collect([cell], tmp_path, BASELINE)["cells"][0]
    assert record["counters"]["status"] == "not measured"
    assert "counters.json" in record["counters"]["reason"]


def test_a_damaged_evidence_file_is_not_measured(tmp_path: Path, variants: dict[str, Variant]) -> None:
    cell = built(tmp_path, Cell(variants["phase2"], "release", "gcc"))
    (tmp_path / cell.build_dir / "evidence" / "asm.json").write_text('{"kind": "asm"', encoding="utf-8")
    asm = results.collect([cell], tmp_path, BASELINE)["cells"][0]["asm"]
    assert asm["status"] == "not measured"
    assert "asm.json cannot be used" in asm["reason"]


def test_a_failed_build_does_not_show_the_evidence_of_an_earlier_one(
    tmp_path: Path, variants: dict[str, Variant]
) -> None:
    failure = {"kind": "failure", "status": "measured", "reason": None}
    failure |= {"command": "gcc -c x.c", "log": "x.c:1: error", "target": "x.o"}
    cell = built(tmp_path, Cell(variants["phase0"], "release", "gcc"), asm=samples.asm(800), failure=failure)
    record = results.collect([cell], tmp_path, BASELINE)["cells"][0]
    assert not record["built"]
    assert record["asm"] == {"kind": "asm", "status": "not measured", "reason": "not built"}
    assert record["failed"] == "build failed: x.o"


def test_a_cell_without_a_library_is_not_built(tmp_path: Path, variants: dict[str, Variant]) -> None:
    record = results.collect([Cell(variants["phase0"], "debug", "gcc")], tmp_path, BASELINE)["cells"][0]
    assert record["failed"] == "not built: there is no library"


def test_a_built_cell_whose_tests_left_no_evidence_has_not_passed(
    tmp_path: Path, variants: dict[str, Variant]
) -> None:
    cell = built(tmp_path, Cell(variants["phase2"], "release", "gcc"), asm=samples.asm(18))
    failed = results.collect([cell], tmp_path, BASELINE)["cells"][0]["failed"]
    assert failed is not None
    assert failed.startswith("tests: ")


def test_a_debug_cell_says_why_it_is_not_timed(tmp_path: Path, variants: dict[str, Variant]) -> None:
    cell = built(tmp_path, Cell(variants["phase2"], "debug", "gcc"))
    bench = results.collect([cell], tmp_path, BASELINE)["cells"][0]["bench"]
    assert bench["reason"] == "only native release cells without a sanitizer are timed"


def test_the_record_survives_a_round_trip_through_json(tmp_path: Path, variants: dict[str, Variant]) -> None:
    cells = [built(tmp_path, Cell(variant, "release", "gcc")) for variant in variants.values()]
    left_out = [("phase0-release-clang", "clang is not installed")]
    record = results.collect(
        cells, tmp_path, BASELINE, left_out=left_out, loads={"random_mixed": "random sizes"}
    )
    assert json.loads(json.dumps(record)) == record
    assert record["schema"] == 1
    assert record["headline"] == "random_mixed"
    assert record["left_out"] == [{"id": "phase0-release-clang", "reason": "clang is not installed"}]


def test_no_cells_make_an_empty_record(tmp_path: Path) -> None:
    record = results.collect([], tmp_path, BASELINE)
    assert record["cells"] == []
    assert record["story"]["sentences"] == []


def test_the_first_failed_program_is_the_reason_and_its_log_is_shown() -> None:
    bad = samples.program("test_threads", "failed", "exit status 1", "x.c:3: lost a block")
    tests = samples.ran(
        "tests", samples.program("test_basic"), bad, samples.program("test_z", "failed", "later")
    )
    cell = samples.cell("mid", tests=tests)
    assert results.failed(cell) == "tests: test_threads: exit status 1"
    assert results.failure_log(cell) == "build/x/bin/test_threads\nx.c:3: lost a block"


def test_a_gate_that_found_something_is_the_reason_and_its_log_is_shown() -> None:
    cell = samples.cell("new", guards=samples.broken_guards())
    assert results.failed(cell) == f"guards: {cell['guards']['failures'][0]}"
    assert results.failure_log(cell) == cell["guards"]["log"]


def test_a_program_that_could_not_run_is_no_failure() -> None:
    idle = samples.program("sqlite", "not run", "sqlite3 is not installed")
    assert results.failed(samples.cell("mid", programs=samples.ran("programs", idle))) is None


def test_the_repeat_command_names_only_what_is_not_the_default() -> None:
    assert (
        results.repeat_command(samples.cell("mid")) == "./sconsw variant=mid mode=release compiler=gcc checks"
    )
    asan = samples.cell("mid", mode="debug", sanitizer="asan")
    assert (
        results.repeat_command(asan) == "./sconsw variant=mid mode=debug compiler=gcc sanitizer=asan checks"
    )


def test_the_processor_is_named_as_the_kernel_names_it(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n", encoding="utf-8")
    assert results.cpu_model(cpuinfo) == "Some CPU @ 2 GHz"
    assert results.cpu_model(tmp_path / "missing") != "Some CPU @ 2 GHz"
