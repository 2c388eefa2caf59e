"""The job `compare`: show as Markdown what moved since another commit, or since an earlier run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import paths
from layermatrix.build.request import RequestError
from layermatrix.build.targets import CELLS, Variable
from layermatrix.jobs import base_commit, commits, given_files
from layermatrix.jobs.base import FAILED, Build, Job, Outcome, Plan, Work

if TYPE_CHECKING:
    from layermatrix.analysis.changes import Changes, Document

BASE = Variable(
    name="base", doc="what to compare with", values="a commit, or a results.json of an earlier run"
)
REPORTS = Variable(
    name="reports",
    doc="the results of shards, in place of building",
    values="paths of results.json, or patterns",
)
FILE = paths.REPORT / "changes.md"
MERGED = paths.REPORT / "merged.json"  # of `reports`: a base for later runs


def prepare(plan: Plan) -> Work:
    base, reports = plan.request.text(BASE), plan.request.text(REPORTS)
    if not base and not reports:
        raise RequestError("compare needs base=, a commit or the results.json of an earlier run")
    commit = _commit(plan, base)
    given = given_files.of(plan.root, REPORTS, reports)
    build = None if given else Build(plan.select(JOB), ("checks",))
    of_base = f"build and count {base} in {base_commit.FOLDER}, " if commit else ""
    then = f"{of_base}write {FILE}"
    return Work((build,) if build else (), then, lambda: _run(plan, build, given, commit))


def _commit(plan: Plan, base: str) -> str | None:
    """The commit that `base` names; None if it is a file, or empty. RequestError if it is neither."""
    if not base or (plan.root / base).is_file():
        return None
    commit = commits.commit_of(plan.root, base)
    if commit is None:
        what = "there is no such file, and git knows no such commit"
        raise RequestError(f"base={base}: {what}; in a shallow clone, fetch it first")
    return commit


def _run(plan: Plan, build: Build | None, files: list[Path], commit: str | None) -> int:
    from layermatrix.analysis.changes import DocumentError

    outcome = Outcome()
    try:
        with outcome.step():
            if build:
                outcome.failed(plan.build(build))
            found = _changes(plan, build, files, commit)
            _write(plan, found)
            if found.broken or found.failing:  # of reports, this is all that tells it
                outcome.failed(FAILED)
    except (DocumentError, commits.BaseError) as error:
        raise RequestError(str(error)) from None
    return outcome.end()


def _changes(plan: Plan, build: Build | None, files: list[Path], commit: str | None) -> Changes:
    from layermatrix.analysis import changes, results
    from layermatrix.core import records
    from layermatrix.jobs import collecting

    given = plan.request.text(BASE)
    now: Document
    if build:
        now = results.document(collecting.collect(plan, build.chosen))
    else:
        now = changes.merged([changes.load(path) for path in files])
        records.write_text(plan.root / MERGED, json.dumps(now, ensure_ascii=False) + "\n")
    base = None
    if commit:
        base = _of_commit(plan, commit, [] if build else [cell["id"] for cell in now["cells"]])
    elif given:
        base = plan.root / given
    name = f"{given} ({commit[:12]})" if commit and not commit.startswith(given) else given
    is_from_here = commit is not None and build is not None
    return changes.compare(changes.load(base) if base else None, now, name, is_from_here=is_from_here)


def _of_commit(plan: Plan, commit: str, cells: Sequence[str]) -> Path | None:
    """The results of a commit, built and counted there. cells: those of the reports; the others of the commit
    are not needed. Without them, the command line selects. None if the commit has none of these cells."""
    folder = base_commit.checked_out(plan.root, commit)
    selection = plan.request.selection()
    if cells and not selection:
        there = base_commit.cells_of(plan, folder)
        shared = [cell for cell in cells if cell in there]
        if not shared:
            return None
        selection = [f"{CELLS.name}={','.join(shared)}"]
    return base_commit.measured(plan, folder, selection)


def _write(plan: Plan, found: Changes) -> None:
    from layermatrix.core import records
    from layermatrix.report import changes

    text = changes.render(found)
    records.write_text(plan.root / FILE, text)
    print(text, end="")


JOB = Job(
    name="compare",
    doc="show what moved since base=, in Markdown: failures, instructions, misses, budgets",
    variables=(BASE, REPORTS),
    prepare=prepare,
)
