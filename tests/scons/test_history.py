"""`history` and `export`: what runs recorded, planted figures of many commits, and commits that are built."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.scons.conftest import Project

HERE = Path(__file__).resolve().parents[1]
PLANT = """
import sys
from pathlib import Path
import large_store
from layermatrix.store import database, recording
from layermatrix.store.entries import Measurement
with database.writable(Path(sys.argv[1])) as store:
    for number in range(12):
        step = 1.1 if number >= 8 else 1.0
        noise = 1 + 0.002 * (number % 3)
        figures = (large_store.count(27.0 if number < 5 else 25.0), large_store.timing(40 * step * noise))
        for cell in ("small", "apart"):
            recording.add(store, large_store.run(number), [Measurement(large_store.subject(cell), figures)])
"""


def plant(project: Project) -> None:
    """A store with 12 commits: 2 instructions fewer from the sixth on, and 10 % faster from the ninth on."""
    path = {"PYTHONPATH": f"{HERE.parent / 'site_scons'}:{HERE / 'unit'}"}
    file = project.path("build/results.sqlite")
    subprocess.run([sys.executable, "-c", PLANT, str(file)], env=path, check=True)


def git(project: Project, *words: str) -> str:
    author = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *author, *words], cwd=project.root, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_planted_figures_are_shown_with_their_changes(foreign: Project) -> None:
    plant(foreign)
    counts = foreign.build("history", "variant=small").stdout
    assert "small-release-gcc: instructions on churn, per op  █████▁▁▁▁▁▁▁" in counts
    assert "measured on x86_64, processor features f1, glibc 2.36" in counts
    (changed,) = [line for line in counts.splitlines() if "better" in line]
    assert changed.split() == [
        "0000000005", "2026-01-31", "17:00:00", "25", "-7.4", "%", "(better)", "since", "0000000004",
    ]  # fmt: skip
    assert "apart" not in counts

    timings = foreign.build("history", "figure=speed", "load=ch*", "variant=all")
    assert "apart-release-gcc: speed on churn, M/s" in timings.stdout
    if importlib.util.find_spec("ruptures"):
        assert timings.stdout.count("+10.1 % (better)") == 2
    else:
        assert "change points of timings need the package ruptures" in timings.stderr

    for words, message in (
        (["load=chrun"], "nothing recorded has the load 'chrun'; did you mean 'churn'?"),
        (["variant=smal"], "nothing recorded has the variant 'smal'; did you mean 'small'?"),
        (["store=none.sqlite"], "none.sqlite: there is no store yet; the jobs that measure write it"),
    ):
        run = foreign.scons("history", *words)
        assert run.status == 2, words
        assert message in run.stderr


def test_the_results_are_exported_and_so_are_the_cells(foreign: Project, cc: str) -> None:
    plant(foreign)
    lines = foreign.build(
        "export", "format=csv", "figure=speed", "since=2026-01-01T08:00"
    ).stdout.splitlines()
    assert lines[0].startswith("run,job,started,")
    assert len(lines) == 1 + 2 * 4
    run = foreign.build("export", "format=json", "to=out/results.json", "variant=small")
    assert run.stdout.rstrip().endswith("out/results.json: 24 results")
    assert {one["variant"] for one in json.loads(foreign.read("out/results.json"))} == {"small"}
    parquet = foreign.scons("export", "format=parquet")
    if importlib.util.find_spec("pyarrow"):
        assert "results.parquet: 48 results" in parquet.stdout
    else:
        assert "format=parquet needs the package pyarrow" in parquet.stderr
    cells = json.loads(foreign.build("export").stdout)
    assert f"small-release-{cc}" in {one["cell"] for one in cells["include"]}
    for words, message in (
        (["load=churn"], "load= is about results: export needs format=csv, json or parquet"),
        (["format=csv", "shards=2"], "shards= is about cells: leave format= out"),
        (["format=csv", "since=yesterday"], "since=yesterday: expected a date, such as 2026-01-31"),
        (["format=cvs"], "format=cvs: unknown value; did you mean 'csv'?"),
    ):
        refused = foreign.scons("export", *words)
        assert refused.status == 2, words
        assert message in refused.stderr


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_earlier_commits_are_built_and_recorded_once(foreign: Project, cc: str) -> None:
    foreign.write(".gitignore", "/build/\n__pycache__/\n.sconsign*\n")
    git(foreign, "init", "--quiet")

    def commit(title: str) -> str:
        git(foreign, "add", "--all")
        git(foreign, "commit", "--quiet", "--message", title)
        return git(foreign, "rev-parse", "HEAD")

    first = commit("first")
    foreign.append("src/pool.c", "#error this one does not build\n")
    broken = commit("broken")
    foreign.edit("src/pool.c", "#error this one does not build\n", "")
    foreign.write("notes.md", "only the documentation\n")
    commit("built again")
    foreign.write("notes.md", "no file of a cell\n")
    commit("documentation")

    run = foreign.build("history", "commits=3", "variant=small")
    assert f"3/3 {first[:10]} is built: first" in run.stdout
    assert f"2/3 {broken[:10]} has no figures: " in run.stderr
    (row,) = [line for line in run.stdout.splitlines() if line.startswith(broken[:10])]
    assert "not measured: " in row
    assert "documentation" not in run.stdout
    assert git(foreign, "worktree", "list").count("\n") == 0
    with sqlite3.connect(foreign.path("build/results.sqlite")) as store:
        assert store.execute("SELECT count(*) FROM runs WHERE job = 'history' AND dirty = 0").fetchone() == (
            2,
        )
    store.close()
    again = foreign.build("history", f"from={first}", "commits=2", "variant=small")
    assert again.stdout.count(" is recorded: ") == 2
    assert "is built" not in again.stdout

    refused = foreign.scons("history", "variant=small", "--accept")
    assert "docs/history.md.j2 is missing: docs/history.md is printed from it" in refused.stderr
    foreign.write(
        "docs/history.md.j2",
        "{% for one in page.series %}{{ one.title }}: {{ one.points | length }}\n{% endfor %}",
    )
    foreign.build("history", "variant=small", "--accept")
    assert foreign.read("docs/history.md") == f"small-release-{cc}: instructions on churn, per op: 2\n"
