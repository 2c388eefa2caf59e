"""`results.collect`: the evidence files of cells become one result; missing figures have reasons."""

from __future__ import annotations

import io
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
import report_samples as samples

from layermatrix.analysis import results
from layermatrix.analysis.missing_records import Job
from layermatrix.analysis.results import CellResult
from layermatrix.build import failure
from layermatrix.build.failure import Failure
from layermatrix.core import processor
from layermatrix.core.records import Measured, Missing, NotMeasured
from layermatrix.evidence import asm, bench, counters, guards, registry, tests
from layermatrix.evidence.asm import Asm
from layermatrix.evidence.kind import Status
from layermatrix.model.cells import Cell
from layermatrix.model.project import Project
from layermatrix.report import html, jsonfile, junit, markdown, terminal
from layermatrix.spec.loader import load_project

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(ROOT)


def built(root: Path, cell: Cell, **evidence: Measured) -> Cell:
    """Write a cell's library and evidence, as a build does."""
    folder = root / cell.build_dir
    (folder / "evidence").mkdir(parents=True)
    (folder / f"lib{cell.variant.system.library}.a").touch()
    for kind in registry.KINDS:
        if kind.name in evidence:
            kind.format.write(folder / "evidence" / f"{kind.name}.json", evidence[kind.name])
    return cell


@pytest.fixture
def phase2(project: Project) -> Cell:
    return Cell(project.variants["phase2"], "release", "gcc")


def result(project: Project, cell: Cell, root: Path) -> CellResult:
    (found,) = results.collect(project, [cell], root).cells
    return found


def test_evidence_files_appear_in_the_result_of_their_cell(
    tmp_path: Path, project: Project, phase2: Cell
) -> None:
    ran = samples.tests(samples.program("test_basic"))
    found = result(project, built(tmp_path, phase2, asm=samples.asm(18), tests=ran), tmp_path)
    assert found.id == "phase2-release-gcc"
    assert found.of(asm.KIND) == samples.asm(18)
    assert found.of(tests.KIND) == ran
    assert found.failed is None


def test_evidence_files_of_the_baseline_appear_in_its_result(tmp_path: Path, project: Project) -> None:
    record = samples.counters(60.0, 0.1, 0.5)
    counters.KIND.format.write(tmp_path / "build/baseline/evidence/counters.json", record)
    baseline = results.collect(project, [], tmp_path).baseline
    assert baseline.of(counters.KIND) == record
    assert baseline.of(bench.KIND) == Missing("there is no bench.json of this cell")


def test_missing_evidence_is_not_measured_with_a_reason(
    tmp_path: Path, project: Project, phase2: Cell
) -> None:
    found = result(project, built(tmp_path, phase2), tmp_path)
    assert found.of(counters.KIND) == Missing("there is no counters.json of this cell")


def test_a_damaged_evidence_file_is_not_measured(tmp_path: Path, project: Project, phase2: Cell) -> None:
    built(tmp_path, phase2)
    (tmp_path / phase2.build_dir / "evidence" / "asm.json").write_text('{"kind": "asm"', encoding="utf-8")
    record = result(project, phase2, tmp_path).of(asm.KIND)
    assert isinstance(record, NotMeasured)
    assert "asm.json cannot be used" in record.reason


def test_a_failed_build_does_not_show_the_evidence_of_an_earlier_one(
    tmp_path: Path, project: Project, phase2: Cell
) -> None:
    built(tmp_path, phase2, asm=samples.asm(800))
    message = Failure("gcc -c x.c", "x.c:1: error", "x.o")
    failure.FORMAT.write(failure.file_of(tmp_path / phase2.build_dir), message)
    found = result(project, phase2, tmp_path)
    assert not found.built
    assert found.of(asm.KIND) == NotMeasured("not built")
    assert found.failed == "build: x.o could not be built"
    assert found.failure_log == "gcc -c x.c\nx.c:1: error"


def test_a_cell_without_a_library_is_not_built(tmp_path: Path, project: Project, phase2: Cell) -> None:
    assert result(project, phase2, tmp_path).failed == "build: there is no library"


def test_a_built_cell_whose_tests_left_no_evidence_has_not_passed(
    tmp_path: Path, project: Project, phase2: Cell
) -> None:
    found = result(project, built(tmp_path, phase2, asm=samples.asm(18)), tmp_path)
    assert found.failed == "tests: there is no tests.json of this cell"


# --- missing records: the kinds of reason


def reported(project: Project, cell: Cell, root: Path, job: Job) -> CellResult:
    (found,) = results.collect(project, [cell], root, job=job).cells
    return found


def prepare_tests(cell: Cell, root: Path) -> None:
    """Write the C files of the tests, and their programs in the cell."""
    (root / "tests/csrc").mkdir(parents=True)
    (root / cell.build_dir / "bin").mkdir()
    for name in ("test_a", "test_b"):
        (root / f"tests/csrc/{name}.c").touch()
        (root / cell.build_dir / "bin" / name).touch()


def test_tests_that_were_never_built_are_not_measured_in_every_report(
    tmp_path: Path, project: Project, phase2: Cell
) -> None:
    built(tmp_path, phase2)  # without a figure, no chart is drawn, which would take seconds
    why = "only other targets of this cell were built; ./sconsw checks builds and takes it"
    found = results.collect(project, [phase2], tmp_path, job=Job.NONE)
    (cell,) = found.cells
    assert cell.failed is None
    assert cell.of(tests.KIND) == NotMeasured(why)
    assert cell.of(bench.KIND) == NotMeasured("it was not timed; ./sconsw bench times it")
    console = terminal.make_console(text := io.StringIO())
    terminal.matrix_table(found, console)
    said = " ".join(text.getvalue().split())
    assert f"not measured: {why}" in said
    assert "1 cells: 0 passed, 0 failed, 1 not tested." in said
    (document,) = json.loads(jsonfile.render(found))["cells"]
    assert (document["failed"], document["tests"]["reason"]) == (None, why)
    suites = ElementTree.fromstring(junit.render(found))
    assert suites.get("failures") == "0"
    (case,) = (one for one in suites.iter("testcase") if one.get("classname", "").endswith(".tests"))
    skipped = case.find("skipped")
    assert skipped is not None
    assert skipped.get("message") == why
    assert "## Failed" not in markdown.render(found)
    page = html.render(found)
    assert 'id="failed"' not in page
    assert '<span class="mark open">not tested</span>' in page
    assert "0 of 0" in page
    assert why in page


def test_a_required_record_that_is_lost_after_a_build_is_a_failure(
    tmp_path: Path, project: Project, phase2: Cell
) -> None:
    built(tmp_path, phase2)
    lost = "tests: there is no tests.json of this cell"
    assert reported(project, phase2, tmp_path, Job.NONE).failed is None
    assert reported(project, phase2, tmp_path, Job.ALL).failed == lost
    (tmp_path / phase2.build_dir / tests.KIND.stamp).touch()
    assert reported(project, phase2, tmp_path, Job.NONE).failed == lost
    assert reported(project, phase2, tmp_path, Job.SOME).failed is None
    (tmp_path / phase2.build_dir / tests.KIND.stamp).unlink()
    prepare_tests(phase2, tmp_path)
    assert reported(project, phase2, tmp_path, Job.NONE).failed == lost
    (tmp_path / phase2.build_dir / "bin/test_b").unlink()  # one test alone may be built for a page of docs/
    assert reported(project, phase2, tmp_path, Job.NONE).failed is None


def test_a_cell_of_which_only_a_header_was_built_is_not_called_failed(
    tmp_path: Path, project: Project, phase2: Cell
) -> None:
    (tmp_path / phase2.build_dir / "gen").mkdir(parents=True)
    assert reported(project, phase2, tmp_path, Job.ALL).failed == "build: there is no library"
    found = reported(project, phase2, tmp_path, Job.NONE)
    assert found.failed is None
    assert found.checks[0].check.reason == "the library was not built, only other files of this cell"
    failure.FORMAT.write(failure.file_of(tmp_path / phase2.build_dir), Failure("cc", "bad", "x.o"))
    assert reported(project, phase2, tmp_path, Job.NONE).failed == "build: x.o could not be built"


def test_a_debug_cell_gives_the_reason_it_is_not_timed(tmp_path: Path, project: Project) -> None:
    cell = built(tmp_path, Cell(project.variants["phase2"], "debug", "gcc"))
    record = result(project, cell, tmp_path).of(bench.KIND)
    assert record == NotMeasured("only native release cells without a sanitizer are timed")


def test_results_json_has_every_kind_what_failed_and_how_to_repeat_it(
    tmp_path: Path, project: Project
) -> None:
    cells = [built(tmp_path, Cell(variant, "release", "gcc")) for variant in project.variants.values()]
    left_out = [("phase0-release-clang", "clang is not installed")]
    found = results.collect(project, cells, tmp_path, left_out=left_out)
    document = json.loads(json.dumps(results.document(found), allow_nan=False))
    assert document["schema"] == results.SCHEMA
    assert document["headline"] == project.matrix.timing.headline
    assert document["left_out"] == [{"id": "phase0-release-clang", "reason": "clang is not installed"}]
    for cell in document["cells"]:
        assert cell["failed"].startswith("tests: ")
        assert cell["repeat"].endswith(" checks")
        names = {kind.name for kind in registry.KINDS} - {"layers"}  # the titles of the layers
        assert {cell[name]["status"] for name in names} == {"not measured"}
        assert cell["layer_counts"]["status"] == "not measured"
        assert {"kind": "build", "name": "build", "status": "passed"}.items() <= cell["checks"][0].items()


def test_no_cells_make_an_empty_result(tmp_path: Path, project: Project) -> None:
    found = results.collect(project, [], tmp_path)
    assert found.cells == ()
    assert found.left_out == ()


# --- what failed


def test_the_first_failed_program_is_the_reason_and_its_log_is_shown() -> None:
    bad = samples.program("test_threads", Status.FAILED, "exit status 1", "x.c:3: lost a block")
    later = samples.program("test_z", Status.FAILED, "later")
    cell = samples.cell("mid", tests=samples.tests(samples.program("test_basic"), bad, later))
    assert cell.failed == "tests: test_threads: exit status 1"
    assert cell.failure_log == f"{bad.command}\nx.c:3: lost a block"
    assert [found.check.name for found in cell.failures] == ["test_threads", "test_z"]


def test_a_gate_that_found_something_is_the_reason_and_its_log_is_shown() -> None:
    cell = samples.cell("new", guards=samples.failed_guards())
    (found,) = [
        check for check in guards.KIND.judge(samples.failed_guards()) if check.status is Status.FAILED
    ]
    assert cell.failed == f"guards: {found.name}: {found.reason}"
    assert cell.failure_log == found.log


def test_a_program_that_could_not_run_is_no_failure() -> None:
    idle = samples.program("sqlite", Status.NOT_RUN, "sqlite3 is not installed")
    assert samples.cell("mid", programs=samples.programs(idle)).failed is None


def test_the_repeat_command_names_only_what_is_not_the_default() -> None:
    assert samples.cell("mid").repeat == "./sconsw variant=mid mode=release compiler=gcc checks"
    asan = samples.cell("mid", mode="debug", sanitizer="asan")
    assert asan.repeat == "./sconsw variant=mid mode=debug compiler=gcc sanitizer=asan checks"


def test_a_record_of_another_kind_is_never_taken_for_one() -> None:
    cell = samples.cell("mid", asm=NotMeasured("no probe"))
    assert cell.of(asm.KIND) == NotMeasured("no probe")
    assert not isinstance(cell.of(asm.KIND), Asm)


def test_the_processor_is_named_as_the_kernel_names_it(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n", encoding="utf-8")
    assert processor.model(cpuinfo) == "Some CPU @ 2 GHz"
    assert processor.model(tmp_path / "missing") != "Some CPU @ 2 GHz"
