"""A matrix gives the same evidence here, on a Dask cluster, and in shards that are merged.

It has 20 cells; `MANY_CELLS=200` in the environment makes it larger, which takes minutes.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from tests.scons.conftest import COMPILER, ROOT, Project, copy_tree

from layermatrix.evidence import determinism

CELLS, WORKERS = int(os.environ.get("MANY_CELLS", "20")), 4
NUMBERS = CELLS // 2  # of the values of the project's own axis: it has two variants
EVERY = "number=all"


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project many/: two variants with each number, built, with the evidence that this machine took."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "site_scons"))
    copy_tree(Path(__file__).parent / "many", tmp_path / "here")
    project = Project(tmp_path / "here")
    values = "".join(
        f"\n      n{number}: {{defines: {{MANY_NUMBER: {number}}}}}" for number in range(NUMBERS)
    )
    project.edit("variants/matrix.yaml", "NUMBERS", values)
    project.edit("variants/matrix.yaml", "compiler: [gcc]", f"compiler: [{COMPILER.name}]")
    project.build("evidence", EVERY, "-j2")
    project.build("bundles", EVERY, "-j2")
    return project


def copy(project: Project, name: str) -> Project:
    made = project.root.parent / name
    copy_tree(project.root, made)
    return Project(made)


def evidence(project: Project) -> dict[str, bytes]:
    """File -> the deterministic part of its record, of all cells."""
    found = {}
    for file in sorted(project.root.glob("build/*-*/evidence/*.json")):
        record = determinism.canonical(json.loads(file.read_bytes()))
        found[file.relative_to(project.root).as_posix()] = json.dumps(record, sort_keys=True).encode()
    return found


def from_results(project: Project) -> int:
    """The number of cells whose records came from the results of bundles."""
    return sum(json.loads(file.read_bytes()) != {} for file in project.root.glob("build/*-*/result.json"))


def test_cells_give_the_same_evidence_here_on_dask_and_in_merged_shards(
    many: Project, tmp_path: Path
) -> None:
    pytest.importorskip("distributed", reason="the extra layermatrix[dask] is not installed")
    from layermatrix.hosts.executors.dask_cluster import Cluster

    here = evidence(many)
    assert len({name.split("/")[1] for name in here}) == CELLS
    assert from_results(many) == 0
    one, two, cluster_ran = (copy(many, name) for name in ("one", "two", "cluster-ran"))
    with Cluster(tmp_path / "cluster") as cluster:
        for number in range(WORKERS):
            cluster.add(f"worker{number}")
        dask = f"executor=dask:{cluster.address}"
        run = cluster_ran.build("evidence", EVERY, dask, "-j2")
        two.build("evidence", EVERY, "shard=2/2", dask, "-j2")
    assert f"dask: {CELLS}/{CELLS} bundles have results" in run.stdout
    assert f"{CELLS} cells: {CELLS} passed, 0 failed, 0 not tested." in run.stdout
    assert from_results(cluster_ran) == CELLS
    assert evidence(cluster_ran) == here

    one.build("evidence", EVERY, "shard=1/2", "executor=local:2", "-j2")
    counts = [len(list(part.root.glob("build/results/*.json"))) for part in (one, two)]
    assert sum(counts) == CELLS
    assert min(counts) > 0
    for part in (one, two):
        shutil.copytree(part.path("build/results"), many.path("build/results"), dirs_exist_ok=True)
    merged = many.build("evidence", EVERY, "-j2")
    assert not merged.made("CC")
    assert from_results(many) == CELLS
    assert evidence(many) == here
