"""The job `history`: show how figures changed from commit to commit; with commits= or from=, measure commits.

With --accept, it writes docs/history.results.json, and prints docs/history.md from it and docs/history.md.j2.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build.request import RequestError
from layermatrix.build.targets import FIGURE, LOAD, ROUNDS, STORE, Variable
from layermatrix.core.command import scons
from layermatrix.core.errors import SelectionError
from layermatrix.jobs import past_commits, recording, revision
from layermatrix.jobs.base import FAILED, Job, Outcome, Plan, Work, shown_cells
from layermatrix.model.cells import ONLY_SHIPPED

if TYPE_CHECKING:
    from layermatrix.jobs.past_commits import Past
    from layermatrix.model.cells import Cell
    from layermatrix.report.history import Missed, Series
    from layermatrix.store.database import Store
    from layermatrix.store.history import Entry

COMMITS = Variable(
    name="commits", doc="measure these commits, if they are not recorded yet",
    values="a number: the last ones of the main line that changed what is built; or names",
)  # fmt: skip
FROM = Variable(
    name="from", doc="measure the commits from this one on; with a number in commits=, so many of them",
    values="a commit",
)  # fmt: skip
DOCS = Path("docs")
RESULTS = DOCS / "history.results.json"
PAGE = DOCS / "history.md"
USUAL = ("instructions", "speed")  # the figure that is shown: the first one that is recorded
OF_CODE = ""  # the load of a figure of the code, which load= does not leave out
FILTERS = ("mode", "compiler", "sanitizer", "target")


def prepare(plan: Plan) -> Work:
    commits, start = plan.request.given.get(COMMITS.name, ""), plan.request.given.get(FROM.name, "")
    rounds = plan.request.number(ROUNDS)
    if not (commits or start):
        if rounds:
            raise RequestError("rounds= times the commits of commits= or from=: history needs one of them")
        return Work((), f"show what {recording.location(plan)} has", lambda: _run(plan, [], rounds))
    wanted = past_commits.chosen(plan, commits, start)
    cells = shown_cells(_counted(plan))
    return Work(
        (), f"measure {len(wanted)} commits of {cells}, and show them", lambda: _run(plan, wanted, rounds)
    )


def _counted(plan: Plan) -> list[Cell]:
    """The cells to measure. RequestError if none of the selected ones is counted."""
    cells = [cell for cell in plan.select(JOB).cells if cell.is_counted]
    if not cells:
        raise RequestError(f"no cell is left: {ONLY_SHIPPED.format('counted')}")
    return cells


def _run(plan: Plan, wanted: Sequence[Past], rounds: int | None) -> int:
    from layermatrix.report import history, terminal

    outcome, done = Outcome(), []
    if wanted:
        with outcome.step():
            for past in past_commits.fill(plan, wanted, _counted(plan), rounds):
                done.append(past)
    missed = [history.Missed(one.revision.commit, _date(one), one.reason) for one in done if one.reason]
    try:
        series = _series(plan, {one.revision.commit for one in wanted})
    except (RequestError, SelectionError) as error:
        if not wanted:
            raise
        outcome.notes.append(str(error))  # none of the commits could be measured: the reasons are above
        outcome.failed(FAILED)
        return outcome.end()
    history.tables(series, missed, terminal.make_console())
    _note(series, outcome)
    if plan.request.accept and not outcome.interrupted:
        _accept(plan, series, missed)
    return outcome.end()


def _date(past: Past) -> str:
    return datetime.fromtimestamp(past.revision.time, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _note(series: Sequence[Series], outcome: Outcome) -> None:
    """Say why timings have no change points."""
    from layermatrix.store import changes
    from layermatrix.store.entries import TIMED

    reason = changes.missing_package()
    if reason and any(one.kind == TIMED for one in series):
        outcome.notes.append(reason)


# --- which series


def _series(plan: Plan, commits: Collection[str]) -> list[Series]:
    """The requested series. commits: only these; empty for all. RequestError if the store cannot be read, or
    has none of them."""
    from layermatrix.store import database

    try:
        with database.readable(recording.location(plan)) as store:
            return [_one(store, entry, commits) for entry in _entries(plan, store)]
    except database.StoreError as error:
        raise RequestError(str(error)) from None


def _one(store: Store, entry: Entry, commits: Collection[str]) -> Series:
    from layermatrix.report.history import Series
    from layermatrix.store import history

    found = history.history(
        store, load=entry.load, subject=entry.subject, figure=entry.figure, commits=commits
    )
    return Series(
        entry.subject, entry.load, entry.figure, entry.unit, entry.better, entry.kind, found.machine,
        found.points, found.apart,
    )  # fmt: skip


def _entries(plan: Plan, store: Store) -> list[Entry]:
    """The series of the catalogue that the command line selects. Raises SelectionError if there is none."""
    from layermatrix.store import history, query

    known = [entry for entry in history.catalogue(store) if entry.subject in _subjects(plan, store)]
    load, figure = plan.request.given.get(LOAD.name, ""), plan.request.given.get(FIGURE.name, "")
    usual = next((name for name in USUAL if any(entry.figure == name for entry in known)), "")
    figures = query.choose(store, FIGURE.name, figure) if figure else (usual,)
    of_figure = [entry for entry in known if entry.figure in figures]
    loads = query.choose(store, LOAD.name, load) if load else _usual_loads(plan, of_figure)
    found = [entry for entry in of_figure if entry.load in (*loads, OF_CODE)]
    if not found:
        available = sorted({entry.load for entry in of_figure if entry.load})
        hint = f"; loads with it: {', '.join(available)}" if available else ""
        what = f"{figure or usual or 'a figure'}{f' on {load}' if load else ''}"
        raise SelectionError(f"nothing is recorded of {what} for the selected variants{hint}")
    return found


def _usual_loads(plan: Plan, entries: Sequence[Entry]) -> tuple[str, ...]:
    """The load of the matrix file's headline, or all loads if it has no such figure."""
    headline = plan.project.matrix.timing.headline
    loads = {entry.load for entry in entries}
    return (headline,) if headline in loads else tuple(loads)


def _subjects(plan: Plan, store: Store) -> set[str]:
    """The names of the selected subjects: by default, the builds of the default variants."""
    from layermatrix.model.patterns import match_any
    from layermatrix.store import query

    axes = plan.request.axes
    variants: Sequence[str]
    if "variant" in axes:
        variants = query.choose(store, "variant", axes["variant"])
    else:
        variants = [cell.variant.name for cell in plan.select(JOB).cells]
    wanted = {axis: axes[axis].split(",") for axis in FILTERS if axis in axes}
    return {
        subject.name
        for subject in query.subjects(store)
        if subject.variant in variants
        and all(match_any([getattr(subject, axis)], patterns) for axis, patterns in wanted.items())
    }


# --- the page


def _accept(plan: Plan, series: Sequence[Series], missed: Sequence[Missed]) -> None:
    """Write the record of the series, and the page that is printed from it."""
    from layermatrix.core import records
    from layermatrix.report import history

    if not (plan.root / DOCS / f"{history.PAGE}.j2").is_file():
        raise RequestError(f"{DOCS / history.PAGE}.j2 is missing: {PAGE} is printed from it")
    commits = {point.commit for one in series for point in one.points}
    titles = {commit: revision.title(plan.root, commit) for commit in sorted(commits)}
    page = history.Page(_command(plan), tuple(series), titles, tuple(missed))
    try:
        text = history.render(page, plan.root / DOCS)
    except history.PageError as error:
        raise RequestError(f"{DOCS / history.PAGE}.j2: {error}") from None
    history.FORMAT.write(plan.root / RESULTS, page)
    records.write_text(plan.root / PAGE, text)
    print(f"accepted: {RESULTS}, {PAGE}")


def _command(plan: Plan) -> str:
    """The command line, without the place of the store."""
    given = {**plan.request.axes, **plan.request.given}
    words = [f"{name}={value}" for name, value in given.items() if name != STORE.name]
    return scons(JOB.name, *(shlex.quote(word) for word in words))


JOB = Job(
    name="history",
    doc="show how figures changed from commit to commit; commits= or from= measures earlier commits",
    variables=(LOAD, FIGURE, COMMITS, FROM, ROUNDS, STORE),
    accept=f"the shown series, to the page {PAGE.name} and its record",
    prepare=prepare,
)
