"""Choose earlier commits of the project, build each of them, and record what is counted and timed there.

Uses a worktree for each commit (`base_commit`), which is removed when its figures are recorded.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import paths
from layermatrix.build.request import RequestError
from layermatrix.core import process
from layermatrix.jobs import base_commit, recording, revision
from layermatrix.jobs.commits import BaseError, commit_of, git
from layermatrix.store.entries import DETERMINISTIC, TIMED, Revision

if TYPE_CHECKING:
    from layermatrix.jobs.base import Plan
    from layermatrix.model.cells import Cell

MOST = 9999  # commits; a longer number is an abbreviated hash
BUILD_SECONDS = 3600.0
OF_COUNTS = ("counters", "asm")  # the kinds of evidence that are taken of an earlier commit


@dataclass(frozen=True)
class Past:
    """A commit and what became of it. reason: why it was not measured; empty if it was."""

    revision: Revision
    title: str
    reason: str = ""


def chosen(plan: Plan, commits: str, start: str) -> list[Past]:
    """The commits, newest first. commits: a number, or their names, separated by commas. start: the oldest
    one; with a number, that many commits are chosen between it and HEAD at equal distances. Raises
    RequestError."""
    names = [] if _is_number(commits) else [name.strip() for name in commits.split(",") if name.strip()]
    if names and start:
        raise RequestError("from= and a list of commits exclude each other: commits= takes a number with it")
    try:
        if not names:
            names = _along(plan, int(commits or MOST), start)
        return [_past(plan.root, name) for name in names]
    except BaseError as error:
        raise RequestError(f"{commits and f'commits={commits}: '}{error}") from None


def _is_number(commits: str) -> bool:
    if commits.isascii() and commits.isdigit() and int(commits) == 0:
        raise RequestError(f"commits={commits}: expected a number from 1 to {MOST}, or names of commits")
    return not commits or (commits.isascii() and commits.isdigit() and int(commits) <= MOST)


def _along(plan: Plan, count: int, start: str) -> list[str]:
    """The commits of the main line that changed what cells are built from, newest first."""
    log = ["log", "--first-parent", "--format=%H"]
    folders = ["--", *revision.built_from(plan)]
    if not start:
        return git(plan.root, *log, f"-{count}", "HEAD", *folders).splitlines()
    first = commit_of(plan.root, start)
    if first is None:
        raise RequestError(f"from={start}: git knows no such commit; in a shallow clone, fetch it first")
    between = [*git(plan.root, *log, f"{first}..HEAD", *folders).splitlines(), first]
    return _spread(between, count)


def _spread(names: Sequence[str], count: int) -> list[str]:
    """So many of these names at equal distances, with the first and the last one."""
    if count >= len(names):
        return list(names)
    steps = max(count - 1, 1)
    return [names[place * (len(names) - 1) // steps] for place in range(count)]


def _past(root: Path, name: str) -> Past:
    commit = commit_of(root, name)
    if commit is None:
        raise RequestError(f"commits={name}: git knows no such commit; in a shallow clone, fetch it first")
    return Past(revision.of_commit(root, commit), revision.title(root, commit))


def fill(plan: Plan, commits: Sequence[Past], cells: Sequence[Cell], rounds: int | None) -> Iterator[Past]:
    """Measure the commits that are not recorded yet, one after another, and yield each when it is done."""
    for number, past in enumerate(commits, 1):
        place = f"{number}/{len(commits)} {past.revision.commit[:10]}"
        if _is_recorded(plan, past.revision.commit, cells, rounds):
            print(f"{place} is recorded: {past.title}", flush=True)
            yield past
            continue
        print(f"{place} is built: {past.title}", flush=True)
        reason = _measure(plan, past.revision, cells, rounds)
        if reason:
            print(f"{place} has no figures: {reason}", file=sys.stderr, flush=True)
        yield replace(past, reason=reason)


def _is_recorded(plan: Plan, commit: str, cells: Sequence[Cell], rounds: int | None) -> bool:
    """Whether the store has the counts of these cells at a commit, and the timings if they are requested: of
    hosts whose figures can be compared with those of this one."""
    from layermatrix.core.host import Host
    from layermatrix.store import database, query

    path = recording.location(plan)
    if not path.is_file():
        return False
    with database.readable(path) as store:
        here, wanted = Host.of_this_machine(), {DETERMINISTIC, *([TIMED] if rounds else [])}
        return all(wanted <= query.recorded(store, commit, cell.id, here) for cell in cells)


def _measure(plan: Plan, commit: Revision, cells: Sequence[Cell], rounds: int | None) -> str:
    """Build and measure a commit in a worktree, and record it; the reason if there are no figures."""
    place = (plan.root / base_commit.FOLDER / commit.commit[:12]).resolve()
    is_new = not place.exists()
    begun = recording.begin(plan, commit)
    try:
        folder = base_commit.checked_out(plan.root, commit.commit)
    except BaseError as error:
        return str(error)
    try:
        trouble = _build(plan, folder, cells, rounds)
        measured = list(recording.of_cells(begun, cells, built=OF_COUNTS, root=folder))
        recorded = recording.save(begun, measured, rounds=rounds)
    finally:
        if is_new:
            _remove(plan.root, place)
    return "" if recorded else trouble or "it has no figures of these cells, or the store cannot be written"


def _remove(root: Path, place: Path) -> None:
    try:
        git(root, "worktree", "remove", "--force", str(place))
    except BaseError as error:
        print(f"{place} is left: {error}", file=sys.stderr)


def _build(plan: Plan, folder: Path, cells: Sequence[Cell], rounds: int | None) -> str:
    """Take the evidence of the cells, and time them if there are rounds; the reason for the first failure."""
    files = [f"{cell.build_dir}/{paths.record(kind)}" for cell in cells for kind in OF_COUNTS]
    command = [*plan.scons, "-k", *plan.request.selection(), *plan.request.arguments()]
    calls = [[*command, *files], *([[*command, f"rounds={rounds}", "bench"]] if rounds else [])]
    for call in calls:
        trouble = _run(call, folder)
        if trouble:
            return trouble
    return ""


def _run(command: Sequence[str], folder: Path) -> str:
    """Run SCons in a checkout; the reason why it failed, in one line."""
    variables = {name: text for name, text in process.environment().items() if name != recording.VARIABLE}
    done = process.run(command, environment=variables, timeout=BUILD_SECONDS, folder=folder)
    if not done.failure:
        return ""
    lines = process.text(done.stderr).splitlines()
    return next((line.strip() for line in lines if "error" in line.lower()), done.failure)
