"""Readers of a store with figures of two kinds of host: none compares them, and each names the hosts."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from large_store import MACHINE, count, name_of, run, subject, timing

from layermatrix.analysis import history as report_history
from layermatrix.build import request
from layermatrix.build.toolchain import Toolchain
from layermatrix.core.host import Host
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import hosts
from layermatrix.jobs import history as history_job
from layermatrix.jobs import merge as merge_job
from layermatrix.jobs import recording, registry
from layermatrix.jobs.base import Plan
from layermatrix.model.cells import select
from layermatrix.spec.loader import load_project
from layermatrix.store import comparable, database, export, history, query
from layermatrix.store import recording as store_recording
from layermatrix.store.entries import DETERMINISTIC, TIMED, Measurement
from layermatrix.store.query import Filter

SMALL = "small-release-gcc"
MUSL = replace(MACHINE, identity="m2", libc="musl 1.2.4")
REASON = "measured on another kind of host: C library musl 1.2.4, not glibc 2.36"
GCC = Toolchain("gcc", ("gcc",), "gcc 12", "x86_64-linux-gnu")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three commits of this kind of host, then two of another one, with counts twice as high."""
    path = tmp_path / "store.sqlite"
    with database.writable(path) as store:
        for number, host in enumerate((MACHINE, MACHINE, MACHINE, MUSL, MUSL)):
            scale = 1.0 if host is MACHINE else 2.0
            figures = (count(20.0 * scale), timing(10.0 * scale))
            store_recording.add(store, run(number, machine=host), [Measurement(subject("small"), figures)])
    return path


@pytest.fixture
def plan(project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.delenv(recording.VARIABLE, raising=False)
    root = project()
    return Plan(
        root,
        load_project(root),
        request.parse([], ["bench"], registry.TARGETS),
        {"gcc": GCC},
        [],
        job="bench",
    )


def write_result(folder: Path, host: object) -> None:
    """The result that a cell uses: of its counters and of a program."""
    empty: dict[str, object] = {}
    steps = [{"name": name, "kind": "k", "record": empty} for name in ("counters", "programs/sqlite")]
    result = {"format": "layermatrix-result", "version": 1, "host": host, "steps": steps}
    folder.joinpath(hosts.RESULT).write_text(json.dumps(result), encoding="utf-8")


def test_the_history_and_its_changes(path: Path) -> None:
    with database.readable(path) as store:
        counts = history.history(store, load="churn", subject=SMALL, figure="instructions")
        timings = history.history(store, load="churn", subject=SMALL, figure="speed")
        both = [counts, timings]
    assert [[point.median for point in one.points] for one in both] == [[20.0] * 3, [10.0] * 3]
    assert not any(point.change for one in both for point in one.points)
    assert counts.apart == (history.Apart(2, REASON),)
    assert [one.reason for one in timings.apart] == [
        "measured on another machine: C library musl 1.2.4, not glibc 2.36"
    ]


def test_the_terminal_and_the_page_of_the_job_history(
    path: Path, plan: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = request.parse([("store", str(path)), ("variant", "small")], ["history"], registry.TARGETS)
    assert history_job.prepare(replace(plan, request=wanted)).run() == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"not shown: 2: {REASON}" in shown
    assert "40.000" not in shown


def test_the_history_of_the_report(path: Path) -> None:
    found = report_history.collect(path, [SMALL], "churn")
    assert not isinstance(found, NotMeasured)
    assert [len(one.history.points) for one in found] == [3, 3]
    assert [sum(apart.count for apart in one.history.apart) for one in found] == [2, 2]


def test_what_counts_as_recorded_before_a_commit_is_measured(path: Path) -> None:
    with database.readable(path) as store:
        for commit, kinds in ((name_of(0), {DETERMINISTIC, TIMED}), (name_of(4), set())):
            assert query.recorded(store, commit, SMALL, MACHINE) == kinds
        alike = replace(MACHINE, identity="m3")
        assert query.recorded(store, name_of(0), SMALL, alike) == {DETERMINISTIC}


def test_an_export_has_every_column_of_a_host(path: Path, tmp_path: Path) -> None:
    with database.readable(path) as store:
        rows = query.rows(store, Filter(figure="speed"))
    read = list(csv.DictReader(io.StringIO(export.csv_text(rows))))
    own = json.loads(export.json_text(rows))
    columns = {**MUSL.to_json()}
    columns["machine"] = columns.pop("identity")
    for one in (read[-1], own[-1]):
        assert {name: str(one[name]) for name in columns} == {
            name: str(text) for name, text in columns.items()
        }
    assert own[-1]["cores"] == 2
    pytest.importorskip("pyarrow", reason="the extra parquet (pyarrow) is not installed")
    import pyarrow.parquet

    export.write_parquet(rows, tmp_path / "all.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "all.parquet")
    assert table.column("machine").to_pylist() == ["m1"] * 3 + ["m2"] * 2


def test_what_bisect_and_tune_keep_is_of_hosts_that_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of their files and searches contain these terms."""
    kept = {}
    for host in (MACHINE, replace(MACHINE, identity="m3", cpu="B"), MUSL):
        monkeypatch.setattr(Host, "of_this_machine", lambda host=host: host)
        kept[host] = [comparable.here(kind) for kind in (DETERMINISTIC, TIMED)]
    (count_here, time_here), (count_alike, time_alike), (count_musl, _) = kept.values()
    assert count_here == count_alike != count_musl
    assert time_here != time_alike


def test_evidence_of_a_bundle_is_recorded_as_a_run_of_its_host(plan: Plan) -> None:
    (cell,) = select(plan.project, {"compiler": "gcc"}).cells
    folder = plan.root / cell.build_dir
    load = {"per_op": {"instructions": 20.5}, "args": "l1"}
    begun = recording.begin(plan)
    for kind, record in (
        ("counters", {"loads": {"mixed": load}}),
        ("asm", {"library": {"text": 300}, "entries": {}}),
    ):
        (folder / "evidence").mkdir(parents=True, exist_ok=True)
        (folder / f"evidence/{kind}.json").write_text(json.dumps(record), encoding="utf-8")
    write_result(folder, MUSL.to_json())
    assert recording.save(begun, recording.of_cells(begun, [cell], built=("counters", "asm")))
    with database.readable(plan.root / recording.FILE) as store:
        rows = [dict(zip(query.COLUMNS, row, strict=True)) for row in query.rows(store, Filter())]
    by_host = {row["figure"]: row["machine"] for row in rows}
    assert by_host == {"code_size": Host.of_this_machine().identity, "instructions": "m2"}
    assert len({row["run"] for row in rows}) == 2
    # a result without its host: the figure counts for none
    write_result(folder, {"cpu": "A CPU"})
    found = list(recording.of_cells(begun, [cell], built=("counters", "asm")))
    assert [figure.name for one in found for figure in one.figures] == ["code_size"]


@pytest.mark.parametrize("text", [None, "{}\n", "{", "[]", '{"steps": {}}'])
def test_without_a_result_this_machine_took_the_evidence(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        tmp_path.joinpath(hosts.RESULT).write_text(text, encoding="utf-8")
    assert hosts.of_cell(tmp_path) == {}


def test_a_result_names_the_kinds_of_its_steps(tmp_path: Path) -> None:
    write_result(tmp_path, MUSL.to_json())
    assert hosts.of_cell(tmp_path) == {"counters": MUSL, "programs": MUSL}


def test_the_job_merge(path: Path, plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    def merged(**given: str) -> str:
        wanted = request.parse(list(given.items()), ["merge"], registry.TARGETS)
        assert merge_job.prepare(replace(plan, request=wanted)).run() == 0
        return capsys.readouterr().out

    assert merged(stores=str(path)).endswith(f"{plan.root / recording.FILE}: 5 runs added\n")
    assert merged(stores=f"{path.parent}/*.sqlite").startswith(f"{path}: 0 runs added, 5 known\n")
    for given, message in (
        ({}, "merge needs stores="),
        ({"stores": "none*"}, r"stores=none\*: there is no such file"),
    ):
        with pytest.raises(request.RequestError, match=message):
            merged(**given)
    with pytest.raises(request.RequestError, match="is the target itself"):
        merged(stores=str(path), store=str(path))
