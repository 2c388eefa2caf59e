"""200 bundles on real Dask workers, while workers, the scheduler and results are lost."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import toy_bundles

from layermatrix.hosts import driver
from layermatrix.hosts.driver_results import Results
from layermatrix.hosts.executors.base import ExecutorError, Work

pytest.importorskip("distributed", reason="the extra layermatrix[dask] is not installed")

from layermatrix.hosts.executors import base, dask
from layermatrix.hosts.executors.dask import Dask
from layermatrix.hosts.executors.dask_cluster import Cluster

pytestmark = pytest.mark.slow

CELLS = 200
WORKERS = ("one", "two", "three", "four")
TOOL = "tool-of-this-test"
QUICK = driver.Limits(margin=1.0, progress=1.0, tick=0.1, patience=8.0)


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `TOOL`."""
    folder = tmp_path_factory.mktemp("tools")
    (folder / TOOL).write_text("#!/bin/sh\n", encoding="utf-8")
    (folder / TOOL).chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def cluster(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Four workers. The first one has no `TOOL`; the last one offers bench=1."""
    settings = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "4s"}
    with Cluster(tmp_path_factory.mktemp("cluster"), settings) as made:
        _add_workers(made, tools)
        yield made


def _add_workers(cluster: Cluster, tools: Path) -> None:
    for name in WORKERS:
        path = "/usr/bin:/bin" if name == WORKERS[0] else f"{tools}:/usr/bin:/bin"
        cluster.add(name, "bench=1" if name == WORKERS[-1] else "", {"PATH": path})


@pytest.fixture
def executor(cluster: Cluster) -> Iterator[Dask]:
    made = Dask(cluster.address)
    yield made
    made.shutdown()


def _wait_for_workers(executor: Dask, count: int) -> None:
    end = time.monotonic() + 30
    while len(executor.places) < count:
        assert time.monotonic() < end, executor.places
        time.sleep(0.1)


def _bundle(folder: Path, number: int) -> Work:
    """Every tenth one needs the tool."""
    needed = {TOOL: "its-package"} if number % 10 == 5 else {}
    return toy_bundles.bundle(folder, f"cell{number}", tools=needed)


def _when(results: Results, count: int, act: Callable[[], object]) -> threading.Thread:
    """Do something when there are so many results."""

    def watch() -> None:
        while len(list(results.folder.glob("[!.]*.json"))) < count:
            time.sleep(0.02)
        act()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def _check(works: list[Work], results: Results, summary: driver.Summary, lines: list[str]) -> None:
    """Every cell has one result, and nothing else is in the folder."""
    assert summary.is_complete, lines
    assert (summary.total, summary.not_run, summary.differing) == (len(works), {}, [])
    found = []
    for work in works:
        value = json.loads(results.file(work.digest).read_bytes())
        assert value["bundle"] == work.digest
        found.append(value["steps"][0]["record"]["cell"])
    assert found == [work.name for work in works]
    assert len(list(results.folder.iterdir())) == len(works)


def test_a_worker_that_hangs_loses_its_bundles_to_others(
    cluster: Cluster, executor: Dask, tmp_path: Path
) -> None:
    _wait_for_workers(executor, len(WORKERS))
    works = [toy_bundles.bundle(tmp_path, f"cell{number}", seconds=1.0) for number in range(24)]
    results, lines = Results(tmp_path), list[str]()
    fault = _when(results, 6, lambda: cluster.kill("three", signal.SIGSTOP))
    summary = driver.run(works, executor, results, say=lines.append, limits=QUICK)
    fault.join(10)
    cluster.kill("three", signal.SIGCONT)
    _check(works, results, summary, lines)
    assert summary.again or len(executor.places) < len(WORKERS), lines


def test_a_bundle_that_never_ends_is_killed_and_is_not_run(executor: Dask, tmp_path: Path) -> None:
    endless = toy_bundles.bundle(tmp_path, "endless", before="import time; time.sleep(600)", seconds=0.5)
    lines: list[str] = []
    limits = driver.Limits(places=2, patience=0.5, tick=0.1)
    summary = driver.run([endless], executor, Results(tmp_path), say=lines.append, limits=limits)
    assert summary.not_run == {"endless": "it was still running after 0.5 s"}, lines
    assert not summary.is_complete


def test_a_timing_runs_only_where_it_is_alone(cluster: Cluster, executor: Dask, tmp_path: Path) -> None:
    works = [toy_bundles.bundle(tmp_path, f"timing{number}", resources={"bench": 1}) for number in range(4)]
    results = Results(tmp_path)
    summary = driver.run(works, executor, results, say=lambda line: None, limits=QUICK)
    assert summary.is_complete
    where = {json.loads(results.file(work.digest).read_bytes())["host"]["process"] for work in works}
    assert where == {cluster.workers["four"].pid}


def test_a_resource_that_no_worker_offers_is_named(
    cluster: Cluster, executor: Dask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "GRACE", 0.5)
    work = toy_bundles.bundle(tmp_path, "timing", resources={"quiet": 2})
    with pytest.raises(ExecutorError) as caught:
        driver.run([work], executor, Results(tmp_path), say=lambda line: None)
    assert str(caught.value) == (
        f"no worker of {cluster.address} offers quiet=2 with one thread, so that a timing is alone on it; "
        f'start one: dask worker {cluster.address} --nthreads 1 --resources "quiet=2"'
    )


def test_two_drivers_of_one_folder_count_each_cell_once(
    cluster: Cluster, executor: Dask, tmp_path: Path
) -> None:
    """A result that another driver wrote is not made again; one that comes twice is dropped."""
    works = [_bundle(tmp_path, number) for number in range(40)]
    results, other = Results(tmp_path), Dask(cluster.address)
    found: list[driver.Summary] = []

    def second() -> None:
        found.append(driver.run(works[::-1], other, results, say=lambda line: None, limits=QUICK))

    thread = threading.Thread(target=second)
    thread.start()
    lines: list[str] = []
    found.append(driver.run(works, executor, results, say=lines.append, limits=QUICK))
    thread.join(60)
    other.shutdown()
    for summary in found:
        _check(works, results, summary, lines)


def test_every_cell_has_one_result_after_all_faults(
    cluster: Cluster, executor: Dask, tools: Path, tmp_path: Path
) -> None:
    works = [_bundle(tmp_path, number) for number in range(CELLS)]
    results, lines = Results(tmp_path), list[str]()

    def restart() -> None:
        cluster.restart_scheduler()
        _add_workers(cluster, tools)

    faults = [
        _when(results, 20, lambda: cluster.kill("two")),
        _when(results, 40, lambda: results.file(works[0].digest).unlink()),
        _when(results, 60, lambda: results.file(works[1].digest).write_bytes(b'{"format')),
        _when(results, 80, lambda: cluster.kill("three", signal.SIGSTOP)),
        _when(results, 120, restart),
    ]
    summary = driver.run(works, executor, results, say=lines.append, limits=QUICK)
    for fault in faults:
        fault.join(10)
        assert not fault.is_alive(), lines
    _check(works, results, summary, lines)
    assert summary.again >= 3, lines
    assert any("results have gone from" in line for line in lines), lines


def test_a_scheduler_that_is_gone_for_good_ends_the_run(
    tmp_path: Path, cluster: Cluster, executor: Dask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last test: it ends the cluster."""
    _wait_for_workers(executor, 1)
    monkeypatch.setattr(dask, "RECONNECT", 1.0)
    works, results = [_bundle(tmp_path, number) for number in range(40)], Results(tmp_path)
    _when(results, 5, cluster.stop)
    with pytest.raises(ExecutorError, match=rf"no Dask scheduler answers at {cluster.address} .*; start one"):
        driver.run(works, executor, results, say=lambda line: None, limits=QUICK)
    assert 5 <= len(list(results.folder.iterdir())) < len(works)
    with pytest.raises(ExecutorError, match=r"Connection refused"):
        Dask(cluster.address)
