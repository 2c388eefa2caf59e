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
from layermatrix.hosts.executors.base import Work

pytest.importorskip("distributed", reason="the extra layermatrix[dask] is not installed")

from layermatrix.hosts.executors.dask import Dask
from layermatrix.hosts.executors.dask_cluster import Cluster

pytestmark = pytest.mark.slow

CELLS = 200
WORKERS = ("one", "two", "three", "four")
TOOL = "tool-of-this-test"
NEEDS_TOOL = f"import shutil\nif not shutil.which({TOOL!r}): sys.exit('{TOOL} is not installed')"
QUICK = driver.Limits(margin=2.0, progress=1.0, tick=0.1)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Four workers. The first one has no `TOOL`."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / TOOL).write_text("#!/bin/sh\n", encoding="utf-8")
    (tools / TOOL).chmod(0o755)
    settings = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "5s"}
    with Cluster(tmp_path / "cluster", settings) as made:
        _add_workers(made, tools)
        yield made


def _add_workers(cluster: Cluster, tools: Path) -> None:
    for name in WORKERS:
        path = "/usr/bin:/bin" if name == WORKERS[0] else f"{tools}:/usr/bin:/bin"
        cluster.add(name, environment={"PATH": path})


def _when(results: Path, count: int, act: Callable[[], None]) -> threading.Thread:
    """Do something when there are so many results."""

    def watch() -> None:
        while len(list(results.glob("[!.]*.json"))) < count:
            time.sleep(0.02)
        act()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def test_every_cell_has_one_result_whatever_is_lost(cluster: Cluster, tmp_path: Path) -> None:
    works = [
        toy_bundles.bundle(tmp_path, f"cell{number}", **_needs(number), seconds=4.0)
        for number in range(CELLS)
    ]
    results, lines = Results(tmp_path / "results"), list[str]()

    def restart() -> None:
        cluster.restart_scheduler()
        _add_workers(cluster, tmp_path / "tools")

    faults = [
        _when(results.folder, 30, lambda: cluster.kill("two")),
        _when(results.folder, 60, lambda: cluster.kill("three", signal.SIGSTOP)),
        _when(results.folder, 80, lambda: results.file(works[0].digest).unlink()),
        _when(results.folder, 90, lambda: results.file(works[1].digest).write_bytes(b'{"format')),
        _when(results.folder, 120, restart),
    ]
    executor = Dask(cluster.address)
    try:
        summary = driver.run(works, executor, results, say=lines.append, limits=QUICK)
    finally:
        executor.shutdown()
    for fault in faults:
        fault.join(10)
        assert not fault.is_alive()
    _check(works, results, summary, lines)


def _needs(number: int) -> dict[str, object]:
    return {"before": NEEDS_TOOL, "tools": (TOOL,)} if number % 10 == 5 else {}


def _check(works: list[Work], results: Results, summary: driver.Summary, lines: list[str]) -> None:
    print("\n".join(lines))
    assert summary.is_complete, lines
    assert summary.total == CELLS
    assert not summary.not_run
    assert not summary.differing
    assert summary.again >= 3
    found = {}
    for work in works:
        value = json.loads(results.file(work.digest).read_bytes())
        assert value["bundle"] == work.digest
        found[value["steps"][0]["record"]["cell"]] = value
    assert sorted(found) == sorted(work.name for work in works)
    assert len(list(results.folder.iterdir())) == CELLS
