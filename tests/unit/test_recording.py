"""`recording`: what a run measured enters the store, what is old or failed does not; errors lose nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from layermatrix.build import failure, request
from layermatrix.build.failure import Failure
from layermatrix.build.toolchain import Toolchain
from layermatrix.core import records
from layermatrix.core.file_digest import file_digest
from layermatrix.core.records import Measured, NotMeasured
from layermatrix.evidence import bench, counters
from layermatrix.evidence.bench import Bench, Timing
from layermatrix.evidence.counters import CountedLoad, Counters
from layermatrix.evidence.kind import Kind
from layermatrix.jobs import recording, registry, revision
from layermatrix.jobs.base import Plan
from layermatrix.jobs.recording import Begun
from layermatrix.measure import peer_results
from layermatrix.measure.peer_results import PeerLoadResult, PeerResults
from layermatrix.measure.peers import Lineup
from layermatrix.model.cells import Cell, select
from layermatrix.spec.loader import load_project
from layermatrix.store import database, query
from layermatrix.store.entries import Measurement, Revision
from layermatrix.store.query import Filter

GCC = Toolchain("gcc", ("gcc",), "gcc 12", "x86_64-linux-gnu")
EVENTS = {"instructions": 20.5, "branches": 4.0, "mispredicted": 0.1, "i1_misses": 0.25, "d1_misses": 0.5}
TIMING = Timing(
    "M/s", (9.0, 10.0, 11.0), 10.0, 9.0, 11.0, "95 %", 4096, cpu_ns=99.5, after_kib=NotMeasured("no")
)
COUNTED = Counters(
    "cachegrind", "3.19", "glibc", {}, (),
    {"mixed": CountedLoad(100, "l1", EVENTS, {}, EVENTS), "other": NotMeasured("valgrind failed")},
    NotMeasured("perf is not installed"),
)  # fmt: skip
HOUR = 3600
R = TypeVar("R", bound=Measured)


@pytest.fixture
def plan(project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.delenv(recording.VARIABLE, raising=False)
    root = project()
    given = request.parse([("rounds", "3")], ["bench"], registry.TARGETS)
    return Plan(root, load_project(root), given, {"gcc": GCC}, [], job="bench")


@pytest.fixture
def begun(plan: Plan) -> Begun:
    return recording.begin(plan)


@pytest.fixture
def cell(plan: Plan, begun: Begun) -> Cell:
    """A cell whose records are newer than the beginning of the run."""
    (found,) = select(plan.project, {"compiler": "gcc"}).cells
    folder = plan.root / found.build_dir
    write(folder, counters.KIND, COUNTED)
    write(folder, bench.KIND, Bench({"mixed": TIMING, "broken": NotMeasured("it crashed")}, 3))
    (folder / "libtoy.so").write_bytes(b"a library")
    return found


def write(folder: Path, kind: Kind[R], record: R, age: int = 0) -> None:
    """A record of this age in seconds."""
    file = folder / kind.file
    kind.format.write(file, record)
    time = file.stat().st_mtime - age
    os.utime(file, (time, time))


def figures(measured: list[Measurement]) -> dict[tuple[str, str], float]:
    return {(figure.load, figure.name): figure.median for one in measured for figure in one.figures}


def test_counts_and_timings_of_a_cell_are_recorded_and_what_was_not_measured_is_not(
    plan: Plan, begun: Begun, cell: Cell
) -> None:
    assert recording.save(begun, recording.of_cells(begun, [cell], built=("counters",)), rounds=3)
    with database.readable(plan.root / recording.FILE) as store:
        rows = [dict(zip(query.COLUMNS, row, strict=True)) for row in query.rows(store, Filter())]
    found = {(row["load"], row["figure"]): row["median"] for row in rows}
    assert found == {
        ("mixed", "instructions"): 20.5,
        ("mixed", "branches"): 4.0,
        ("mixed", "mispredictions"): 0.1,
        ("mixed", "i1_misses"): 0.25,
        ("mixed", "d1_misses"): 0.5,
        ("mixed", "l1_misses"): 0.75,
        ("mixed", "speed"): 10.0,
        ("mixed", "cpu_time"): 99.5,
        ("mixed", "peak_memory"): 4096.0,
    }
    (row,) = [row for row in rows if row["figure"] == "speed"]
    assert (row["subject"], row["job"], row["samples"]) == (cell.id, "bench", "[9.0, 10.0, 11.0]")
    assert (row["compiler_version"], len(str(row["library_digest"]))) == (GCC.identity, 64)
    assert row["command"] == "scons bench rounds=3"
    assert (row["commit"], row["dirty"]) == ("", 0)


def test_counts_that_this_run_has_not_built_and_older_timings_are_left_out(
    plan: Plan, begun: Begun, cell: Cell
) -> None:
    folder = plan.root / cell.build_dir
    write(folder, counters.KIND, COUNTED, age=HOUR)
    write(folder, bench.KIND, Bench({"mixed": TIMING}, 3), age=HOUR)
    assert figures(list(recording.of_cells(begun, [cell], built=()))) == {}
    counted = figures(list(recording.of_cells(begun, [cell], built=("counters",))))
    assert ("mixed", "instructions") in counted
    assert ("mixed", "speed") not in counted
    assert recording.save(begun, recording.of_cells(begun, [cell], built=())) is False
    assert not (plan.root / recording.FILE).exists()


def test_the_seed_and_the_conditions_of_a_timing_are_those_of_the_run(
    plan: Plan, begun: Begun, cell: Cell
) -> None:
    file = plan.root / cell.build_dir / bench.KIND.file
    record = json.loads(file.read_text(encoding="utf-8"))
    record |= {"seed": 14, "conditions": {"steal": 0.25}}
    record["loads"]["mixed"] |= {
        "usage": {"minor_faults": 77.0},
        "hardware": {"cycles": {"status": "not measured"}},
    }
    records.write(file, record)
    measured = list(recording.of_cells(begun, [cell], built=()))
    assert figures(measured)["mixed", "minor_faults"] == 77.0
    assert ("mixed", "hardware_cycles") not in figures(measured)
    recording.save(begun, measured, rounds=3)
    with database.readable(plan.root / recording.FILE) as store:
        ((seed, conditions),) = store.rows("SELECT seed, conditions FROM runs")
    assert seed == 14
    assert json.loads(str(conditions)) | {"load_average": None} == {
        "load_average": None, "rounds": 3, "timing": {"steal": 0.25},
    }  # fmt: skip


def test_a_cell_that_was_not_built_has_no_figures(plan: Plan, begun: Begun, cell: Cell) -> None:
    failure.FORMAT.write(failure.file_of(plan.root / cell.build_dir), Failure("cc", "a.c:1: error", "a.o"))
    assert list(recording.of_cells(begun, [cell], built=("counters",))) == []


def test_other_libraries_are_recorded_beside_the_variants(plan: Plan, begun: Begun, cell: Cell) -> None:
    rival = plan.root / "libother.so"
    rival.write_bytes(b"another library")
    load = PeerLoadResult(
        "a load", "bench_mixed --ops 1", "", False,
        {"glibc": TIMING, "other": TIMING, "base": TIMING}, "other", {}, {}, {},
    )  # fmt: skip
    found = PeerResults("glibc", ("other",), None, ("base",), 3, "op", 1.0, {}, {"mixed": load}, {})
    lineup = Lineup([], "glibc", {"other": rival}, {"base": plan.root / cell.library}, {})
    assert list(recording.of_peers(begun, [cell], lineup, found)) == []  # there is no record of this run
    peer_results.FORMAT.write(plan.root / peer_results.FILE, found)
    measured = list(recording.of_peers(begun, [cell], lineup, found))
    assert [(one.subject.name, one.subject.source) for one in measured] == [
        ("glibc", "baseline"), ("other", "peer"), (cell.id, "cell"),
    ]  # fmt: skip
    assert measured[1].subject.library_digest == file_digest(rival) != ""
    own = next(iter(recording.of_cells(begun, [cell], built=())))
    speeds = {one.load_digest for one in own.figures if one.name == "speed"}
    assert not speeds & {one.load_digest for one in measured[2].figures}, "another way to run the load"


@pytest.mark.parametrize("trouble", ["a folder", "no database", "newer"])
def test_an_error_of_the_store_is_one_line_and_not_the_end(
    plan: Plan, begun: Begun, cell: Cell, trouble: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = plan.root / recording.FILE
    file.parent.mkdir(exist_ok=True)
    if trouble == "a folder":
        file.mkdir()
    elif trouble == "no database":
        file.write_text("a text" * 200, encoding="utf-8")
    else:
        with database.writable(file) as store, store.transaction() as connection:
            connection.execute("PRAGMA user_version = 99")
    assert recording.save(begun, recording.of_cells(begun, [cell], built=())) is False
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"not recorded in the store: {file}")
    assert line.endswith("; the records in build/ are complete")


def test_the_store_is_that_of_the_command_line_then_of_the_environment(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert recording.location(plan) == plan.root / "build/results.sqlite"
    monkeypatch.setenv(recording.VARIABLE, "/elsewhere/all.sqlite")
    assert recording.location(plan) == Path("/elsewhere/all.sqlite")
    given = request.parse([("store", "own.sqlite")], ["bench"], registry.TARGETS)
    assert recording.location(Plan(plan.root, plan.project, given, {}, [])) == plan.root / "own.sqlite"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_only_files_that_a_cell_is_built_from_make_a_commit_dirty(plan: Plan) -> None:
    def git(*words: str) -> None:
        author = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", *author, *words], cwd=plan.root, check=True, capture_output=True)

    assert revision.current(plan) == Revision()
    git("init", "--quiet")
    assert revision.current(plan) == Revision()
    git("add", "--all")
    git("commit", "--quiet", "--message", "first")
    (plan.root / "notes.md").write_text("a note\n", encoding="utf-8")
    clean = revision.current(plan)
    assert (len(clean.commit), clean.order, clean.dirty) == (40, 1, False)
    (plan.root / "variants/more.yaml").write_text("doc: More.\n", encoding="utf-8")
    assert revision.current(plan).dirty
    records.write_text(plan.root / "variants/more.yaml", "doc: Still more.\n")
    git("add", "--all")
    git("commit", "--quiet", "--message", "second")
    second = revision.current(plan)
    assert (second.order, second.dirty) == (2, False)
    assert second.commit != clean.commit
