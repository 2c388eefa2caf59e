"""`compare`: what moved between two results, and its Markdown."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from large_store import MACHINE

from layermatrix.analysis import changes
from layermatrix.analysis.changes import DocumentError, Moved
from layermatrix.analysis.results import SCHEMA
from layermatrix.build.request import RequestError
from layermatrix.build.targets import Variable
from layermatrix.core.host import Host
from layermatrix.jobs import base_commit, commits, compare, given_files
from layermatrix.report import changes as report


def cell(name: str, **given: Any) -> dict[str, Any]:
    """A cell of results.json, with the parts that are compared."""
    code = {"instructions": 20, "bytes": 60, "calls": 0, "hit": {"instructions": 10}}
    made = {
        "id": name,
        "failed": None,
        "repeat": f"scons variant={name} checks",
        "asm": {"status": "measured", "entries": {"get": code}, "library": {"text": 300, "tls": 8}},
        "counters": {
            "status": "measured",
            "loads": {"mixed": {"per_op": {"instructions": 50.04, "d1_misses": 0.1}}},
        },
        "budget": {"figures": [{"entry": "get", "metric": "hit_instructions", "limit": 12, "value": 10}]},
    }
    return {**made, **given}


def document(*cells: dict[str, Any], host: Host | None = MACHINE) -> dict[str, Any]:
    return {"schema": SCHEMA, "cells": list(cells), "host": host.to_json() if host else {"cpu": "A CPU"}}


def test_equal_results_have_no_changes() -> None:
    found = changes.compare(document(cell("a")), document(cell("a")), "main")
    assert (found.moved, found.broken, found.compared) == ((), (), 1)
    assert report.render(found).startswith("## no counted figure moved: 1 cell compared with main\n")


def test_figures_that_moved_are_listed_with_their_limits() -> None:
    now = cell("a")
    now["asm"]["entries"]["get"]["hit"]["instructions"] = 13
    now["asm"]["library"]["text"] = 290
    now["counters"]["loads"]["mixed"]["per_op"]["instructions"] = 55.0
    found = changes.compare(document(cell("a")), document(now), "main")
    assert found.moved == (
        Moved("a", changes.COUNTERS, "mixed instructions", 50.0, 55.0, None, 1),
        Moved("a", changes.CODE, "get hit_instructions", 10.0, 13.0, 12, 0),
        Moved("a", changes.LIBRARY, "text", 300.0, 290.0, None, 0),
    )
    text = report.render(found)
    assert "## 2 figures grew, 1 figure shrank: 1 cell compared with main" in text
    rows = [line for line in text.splitlines() if line.startswith("| a ")]
    assert rows == [
        "| a | get hit instructions | 10 | 13 | **+3 (+30.0 %)** | **12, over** |",
        "| a | mixed instructions | 50.0 | 55.0 | **+5.0 (+10.0 %)** |  |",
        "| a | text | 300 | 290 | -10 (-3.3 %) |  |",
    ]


def test_less_than_a_shown_digit_is_no_change() -> None:
    now = cell("a")
    now["counters"]["loads"]["mixed"]["per_op"]["instructions"] = 50.0401
    assert changes.compare(document(cell("a")), document(now), "main").moved == ()


def test_what_is_no_longer_measured_is_shown_and_is_not_0() -> None:
    now = cell("a", counters={"status": "not measured", "reason": "valgrind is not installed"})
    text = report.render(changes.compare(document(cell("a")), document(now), "main"))
    assert "| a | mixed instructions | 50.0 | not measured |  |  |" in text


def test_failures_come_first_with_the_command_that_repeats_them() -> None:
    base = document(
        cell("old", failed="tests: x"), cell("mended", failed="tests: x"), cell("broken"), cell("gone")
    )
    now = document(
        cell("old", failed="tests: x"), cell("mended"), cell("broken", failed="budget: a|b"), cell("new")
    )
    found = changes.compare(base, now, "main")
    assert [one.cell for one in found.broken] == ["broken"]
    assert [one.cell for one in found.failing] == ["old"]
    assert (found.fixed, found.added, found.gone) == (("mended",), ("new",), ("gone",))
    text = report.render(found)
    assert text.index(
        "### Fails now\n\n- **broken**: budget: a\\|b. Repeat: `scons variant=broken checks`"
    ) < text.index("### Fails as before")
    for line in ("Passes now: mended.", "New cells: new.", "Cells that are gone: gone."):
        assert line in text


def test_without_a_base_only_failures_are_shown() -> None:
    assert report.render(changes.compare(None, document(cell("a")), "")) == "## every cell passed\n"
    text = report.render(changes.compare(None, document(cell("a", failed="x")), ""))
    assert text.startswith("## 1 cell broken\n\n### Fails now\n")


def test_a_long_table_ends_with_a_count() -> None:
    many = [cell(f"c{index}") for index in range(report.MOST_ROWS + 5)]
    now = copy.deepcopy(many)
    for one in now:
        one["asm"]["library"]["tls"] = 9
    text = report.render(changes.compare(document(*many), document(*now), "main"))
    assert text.count("| tls |") == report.MOST_ROWS
    assert "\n5 more figures moved by less.\n" in text


def test_shards_become_one_document() -> None:
    made = changes.merged([document(cell("a")), document(cell("b"))])
    assert [one["id"] for one in made["cells"]] == ["a", "b"]
    with pytest.raises(DocumentError, match="two results have the cell 'a': give each shard once"):
        changes.merged([document(cell("a")), document(cell("a"))])


def moved(name: str) -> dict[str, Any]:
    """A cell with one more instruction in the code and in an operation."""
    made = copy.deepcopy(cell(name))
    made["asm"]["entries"]["get"]["instructions"] += 1
    made["counters"]["loads"]["mixed"]["per_op"]["instructions"] += 1
    return made


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        (replace(MACHINE, identity="m2", cpu="B", cores=64), None),
        (
            replace(MACHINE, identity="m2", libc="musl 1.2.4"),
            "measured on another kind of host: C library musl 1.2.4, not glibc 2.36",
        ),
        (
            replace(MACHINE, cpu_flags="f2"),
            "measured on another kind of host: processor features f2, not f1",
        ),
        (None, "the kind of host that counted these results is unknown: measure it again"),
    ],
)
def test_counts_of_another_kind_of_host_are_not_compared_and_the_code_is(
    host: Host | None, reason: str | None
) -> None:
    found = changes.compare(document(cell("a")), document(moved("a"), host=host), "main")
    groups = {one.group for one in found.moved}
    assert groups == ({changes.CODE} if reason else {changes.CODE, changes.COUNTERS})
    assert found.apart == ((changes.Apart(("a",), reason),) if reason else ())
    text = report.render(found)
    assert (f"Counts that are not compared: of a: {reason}." in text) == bool(reason)


def test_a_base_that_was_built_here_needs_no_note_of_its_host() -> None:
    base, now = document(cell("a"), host=None), document(moved("a"))
    assert changes.compare(base, now, "main").apart != ()
    assert changes.compare(base, now, "main", is_from_here=True).apart == ()


def test_merged_shards_keep_the_host_of_each_cell() -> None:
    musl = replace(MACHINE, identity="m2", libc="musl 1.2.4")
    base = changes.merged([document(cell("a")), document(cell("b"), host=musl)])
    assert [one["libc"] for one in base["hosts"]] == ["glibc 2.36", "musl 1.2.4"]
    again = changes.merged([base, document(cell("c"))])
    now = document(moved("a"), moved("b"), moved("c"))
    for merged in (again, json.loads(json.dumps(again))):
        found = changes.compare(merged, now, "main")
        assert [one.cells for one in found.apart] == [("b",)]
        assert {one.cell for one in found.moved if one.group == changes.COUNTERS} == {"a", "c"}


def test_a_cell_that_another_host_counted_is_compared_as_that_host() -> None:
    musl = replace(MACHINE, identity="m2", libc="musl 1.2.4")
    hosted = {
        **document(cell("a", hosts={"counters": musl.id})),
        "hosts": [{"id": musl.id, **musl.to_json()}],
    }
    assert changes.compare(hosted, document(moved("a"), host=musl), "main").apart == ()
    assert [one.cells for one in changes.compare(hosted, document(moved("a")), "main").apart] == [("a",)]
    damaged = {**hosted, "hosts": [{"id": musl.id}]}
    with pytest.raises(DocumentError, match="the results are damaged: host: architecture is None"):
        changes.compare(damaged, document(moved("a")), "main")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "holds no results"),
        ('{"cells": [1]}', "holds no results"),
        (json.dumps({"schema": 1, "cells": []}), f"has the form 1, and {SCHEMA} is expected"),
        (None, "No such file or directory"),
    ],
)
def test_a_file_without_results_is_named(text: str | None, message: str, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(DocumentError, match=message):
        changes.load(file)


def test_the_results_of_shards_are_named_by_paths_and_patterns(tmp_path: Path) -> None:
    for name in ("1", "2"):
        (tmp_path / "shards" / name).mkdir(parents=True)
        (tmp_path / "shards" / name / "results.json").touch()
    both = [tmp_path / "shards" / name / "results.json" for name in ("1", "2")]
    for text in ("shards/*/results.json", f"{tmp_path}/shards/*/results.json", ", ".join(map(str, both))):
        assert given_files.of(tmp_path, compare.REPORTS, text) == both
    with pytest.raises(RequestError, match=r"reports=shards/3\*: there is no such file"):
        given_files.of(tmp_path, compare.REPORTS, "shards/1/*.json,shards/3*")


@dataclass(frozen=True)
class Asked:
    """The part of a plan that `compare reports=` uses."""

    root: Path
    given: Mapping[str, str]

    @property
    def request(self) -> Any:
        return self

    def text(self, variable: Variable) -> str:
        return self.given.get(variable.name, "")

    def selection(self) -> list[str]:
        return []


@pytest.mark.parametrize(
    ("before", "now", "status"),
    [(None, None, 0), ("tests: x", None, 0), (None, "tests: x", 1), ("tests: x", "tests: x", 1)],
)
def test_the_exit_status_of_reports_is_that_of_their_cells(
    before: str | None, now: str | None, status: int, tmp_path: Path
) -> None:
    for name, failed in (("base", before), ("now", now)):
        (tmp_path / f"{name}.json").write_text(json.dumps(document(cell("a", failed=failed))))
    plan = Asked(tmp_path, {"base": "base.json", "reports": "now.json"})
    work = compare.prepare(plan)  # type: ignore[arg-type]
    assert work.builds == ()
    assert work.run() == status


def test_a_commit_builds_the_cells_of_the_reports_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "now.json").write_text(json.dumps(document(cell("a"), cell("b"), cell("new"))))
    (tmp_path / "base.json").write_text(json.dumps(document(cell("a"), cell("b"))))
    built: list[list[str]] = []

    def measured(_plan: object, _folder: Path, selection: list[str]) -> Path:
        built.append(selection)
        return tmp_path / "base.json"

    monkeypatch.setattr(commits, "commit_of", lambda root, name: "1234567890abcdef")
    monkeypatch.setattr(base_commit, "checked_out", lambda root, commit: tmp_path)
    monkeypatch.setattr(base_commit, "cells_of", lambda plan, folder: {"a", "b", "other"})
    monkeypatch.setattr(base_commit, "measured", measured)
    plan = Asked(tmp_path, {"base": "main", "reports": "now.json"})
    assert compare.prepare(plan).run() == 0  # type: ignore[arg-type]
    monkeypatch.setattr(base_commit, "cells_of", lambda plan, folder: {"other"})
    assert compare.prepare(plan).run() == 0  # type: ignore[arg-type]
    assert built == [["cells=a,b"]]
