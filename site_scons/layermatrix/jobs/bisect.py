"""The job `bisect`: find the commit that moved a figure of a cell, by building and measuring some of them.

Each commit is built in a folder of its own (`base_commit`) and runs the benchmark programs of this tree.
Without good=, a commit with another figure is found first (`good_commit`).
Counted figures come first; speed decides only where they do not differ between the ends, or with
metric=speed. build/bisect/ keeps what is known, so that an interrupted search goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build.request import NothingToDoError, RequestError
from layermatrix.build.targets import LOAD, ROUNDS, Variable
from layermatrix.core import records
from layermatrix.core.command import scons
from layermatrix.evidence.columns import several
from layermatrix.jobs import base_commit, commits, duel, good_commit, measuring, recording, sides
from layermatrix.jobs.base import Build, Job, Outcome, Plan, Work
from layermatrix.store import comparable
from layermatrix.store.entries import DETERMINISTIC, TIMED

if TYPE_CHECKING:
    from layermatrix.analysis.bisection import Ends, Finding
    from layermatrix.analysis.duel import Row
    from layermatrix.measure.contenders import Contender
    from layermatrix.measure.counting import Counter
    from layermatrix.model.cells import Cell
    from layermatrix.model.measuring import Load

FOLDER = Path("build/bisect")
SPEED = "speed"
COUNTED = ("instructions", "misses", "mispredictions")
METRIC = Variable(
    name="metric",
    doc="the figure that decides",
    values=(*COUNTED, SPEED),
    default="bisect: the first that differs; tune: instructions",
)
GOOD = Variable(
    name="good", doc="a commit whose figure was still right", values="a commit",
    default="one that is found in the store or by steps back",
)  # fmt: skip
BAD = Variable(name="bad", doc="a commit whose figure has moved", values="a commit", default="HEAD")


def prepare(plan: Plan) -> Work:
    from layermatrix.measure import load_selection

    good, bad = plan.request.given.get(GOOD.name, ""), plan.request.text(BAD)
    chosen = plan.select(JOB)
    counted = [cell for cell in chosen.cells if cell.is_counted]
    if len(counted) != 1:
        ids = ", ".join(cell.id for cell in chosen.cells)
        raise RequestError(f"bisect follows one native release cell, not {ids}: set variant= and compiler=")
    loads = load_selection.select(
        plan.project, plan.request.text(LOAD) if LOAD.name in plan.request.given else ""
    )
    try:
        end = commits.resolved(plan.root, bad, f"bad={bad}")
        search = _Hunt(plan, counted[0], loads, bad, end)
        then = search.between(good) if good else search.around()
    except commits.BaseError as error:
        raise RequestError(str(error)) from None
    build = Build(type(chosen)((counted[0],), ()), duel.BUILT)
    return Work((build,), then, lambda: _run(plan, build, search))


def _run(plan: Plan, build: Build, search: _Hunt) -> int:
    outcome = Outcome()
    with outcome.step():
        status = plan.build(build)
        outcome.failed(status)
        if status == 0:
            search.run()
    if outcome.interrupted:
        outcome.notes[:] = ["interrupted: the same command goes on where this search was"]
    return outcome.end()


@dataclass
class _Hunt:
    """One search. bad_name, good_name: the ends as the user named them; a good end that is found is named by
    its hash. commits: those in question, oldest first. candidates: for the good end, without good=."""

    plan: Plan
    cell: Cell
    loads: Sequence[Load]
    bad_name: str
    bad: str
    good_name: str = ""
    good: str = ""
    commits: Sequence[str] = ()
    candidates: Sequence[good_commit.Candidate] = ()
    contenders: dict[str, Contender] = field(default_factory=dict)

    def between(self, good: str) -> str:
        """Search from this commit on; what will be done, in words. Raises BaseError, RequestError, or
        NothingToDoError."""
        root = self.plan.root
        self.good_name, self.good = good, commits.resolved(root, good, f"good={good}")
        if not commits.is_ancestor(root, self.good, self.bad):
            raise RequestError(
                f"good={good} is not in the history of bad={self.bad_name}: exchange them if they are"
                " mixed up"
            )
        self.commits = commits.history(root, self.good, self.bad)
        if not self.commits:
            raise NothingToDoError(f"no commit after {good} up to {self.bad_name} touched files of the build")
        count = several(len(self.commits), "commit")
        return f"measure some of {count} from {good} to {self.bad_name}, each built in {base_commit.FOLDER}"

    def around(self) -> str:
        """Look for the good end, too; what will be done, in words. Raises BaseError or NothingToDoError."""
        wanted = good_commit.Wanted(self.bad, self.cell.id, self._metrics, [load.name for load in self.loads])
        store = recording.location(self.plan)
        self.candidates = good_commit.candidates(self.plan.root, store, wanted)
        if not self.candidates:
            raise NothingToDoError(f"no commit before {self.bad_name} touched files of the build")
        count = several(len(self.candidates), "commit")
        return (
            f"look among {count} before {self.bad_name} for one whose figure differs, and measure some of the"
            f" commits between the two, each built in {base_commit.FOLDER}"
        )

    def run(self) -> None:
        """Find the good end if it is not given, measure the ends, then halve. Prints each step and the
        answer."""
        from layermatrix.analysis.bisection import Search

        if not self.good:
            self._find_good()
        metric, ends = self._ends()
        search = Search(self.commits, ends, self._load(metric))
        if search.findings:
            print(f"{several(len(search.findings), 'commit')} known from an earlier run", flush=True)
        while (commit := search.next) is not None:
            print(f"about {several(search.steps_left, 'step')} left", flush=True)
            found = self._measure(metric, commit)
            search.findings[commit] = found
            self._store(metric, search.findings)
            print(f"  {self._title(commit)}: {_shown(metric, found, ends)}", flush=True)
        after = search.findings.get(search.suspects[-1], ends.bad)
        before = search.findings.get(search.last_good or "", ends.good)
        for line in self._answer(metric, search.last_good or self.good, search.suspects, before, after):
            print(line)

    # --- the good end

    @property
    def _metrics(self) -> tuple[str, ...]:
        """The figures by which the good end is found. Timing each step back would take long, so that speed
        has to be selected."""
        wanted = self.plan.request.given.get(METRIC.name)
        return (wanted,) if wanted else COUNTED

    def _find_good(self) -> None:
        """Make the first candidate whose figure differs from the bad end's the good end. Raises
        NothingToDoError if there is none, and RequestError if the bad end cannot be measured."""
        failure = self._contender(self.bad).failure or self._uncounted
        if failure:
            raise RequestError(f"bad={self.bad_name}: {failure}")
        for one in self.candidates:
            reasons = self._alike(one.commit)
            if not reasons:
                print(f"good end: {self._title(one.commit)} ({one.why})", flush=True)
                self.between(one.commit[:12])
                return
            print(f"  {self._title(one.commit)} ({one.why}): {reasons}", flush=True)
        raise NothingToDoError(self._no_good())

    @property
    def _uncounted(self) -> str | None:
        """Why no figure of the bad end can be counted; None if one can, or if speed decides."""
        if SPEED in self._metrics:
            return None
        found = [self._count(metric, self._contender(self.bad)) for metric in self._metrics]
        reasons = [one for one in found if isinstance(one, str)]
        return f"not measured: {reasons[0]}" if len(reasons) == len(found) else None

    def _alike(self, commit: str) -> str:
        """Why this commit cannot be the good end; empty if it can."""
        failure = self._contender(commit).failure
        if failure:
            return failure
        self.good = commit
        reasons = [self._silence(metric) for metric in self._metrics]
        return "" if None in reasons else "; ".join(filter(None, reasons))

    def _no_good(self) -> str:
        """Why there is no good end, and what helps."""
        tried, figures = several(len(self.candidates), "commit"), " or ".join(self._metrics)
        last = self.candidates[-1]
        speed = "" if SPEED in self._metrics else "metric=speed compares speed; "
        return (
            f"none of {tried} before {self.bad_name} differs from it in {figures}; the last one tried is"
            f" {last.commit[:12]}, {last.why}; {speed}good= names an older commit"
        )

    # --- measuring

    def _ends(self) -> tuple[str, Ends]:
        """The figure that differs between the ends, and its values. Raises RequestError if one end cannot be
        built, and NothingToDoError if nothing differs."""
        from layermatrix.analysis.bisection import Ends

        for commit, name in ((self.good, f"good={self.good_name}"), (self.bad, f"bad={self.bad_name}")):
            failure = self._contender(commit).failure
            if failure:
                raise RequestError(f"{name}: {failure}: choose another commit")
        wanted = self.plan.request.given.get(METRIC.name)
        reasons = []
        for metric in (wanted,) if wanted else METRIC.listed:
            reason = self._silence(metric)
            if reason is None:
                values = [self._measure(metric, commit) for commit in (self.good, self.bad)]
                good, bad = (value for value in values if isinstance(value, float))
                unit = "" if metric == SPEED else f" per {self.plan.project.catalogue.unit.work}"
                shown = (
                    f"{_number(metric, good)} at {self.good_name}, {_number(metric, bad)} at {self.bad_name}"
                )
                print(f"{metric}{unit}: {shown}", flush=True)
                return metric, Ends(good, bad)
            reasons.append(reason)
            print(reason, flush=True)
        more = "" if not wanted else "; without metric= the other figures are compared, too"
        raise NothingToDoError(
            f"{self.good_name} and {self.bad_name} do not differ, so there is no commit to find{more}"
        )

    def _silence(self, metric: str) -> str | None:
        """Why a figure cannot decide: it does not differ between the ends, or is not measured. None if it
        can."""
        from layermatrix.analysis import duel as comparing
        from layermatrix.analysis.comparison import Word

        rounds = measuring.rounds_of(self.plan) if metric == SPEED else None
        rows = self._rows(metric, self.good, self.bad, rounds)
        known = [row for row in rows if row.word]
        top = next((row for row in known if row.load == comparing.OVERALL), next(iter(known), None))
        if top is None:
            return f"{metric}: not measured: {rows[0].reason}"
        return f"{metric}: no difference" if top.word is Word.SAME else None

    def _rows(self, metric: str, one: str, other: str, rounds: int | None) -> list[Row]:
        """The rows of the comparison of two commits that are about this figure."""
        both = [self._contender(one), self._contender(other)]
        named = [
            sides.Named(side.name, self.cell, commit) for side, commit in zip(both, (one, other), strict=True)
        ]
        found = duel.compare(self.plan, named, both, self.loads, rounds, Outcome())
        return [row for row in found.rows if row.figure == metric]

    def _measure(self, metric: str, commit: str) -> Finding:
        """The figure of a commit, or why it has none. Speed is relative to the good end."""
        contender = self._contender(commit)
        if contender.failure:
            return contender.failure
        return self._speed(commit) if metric == SPEED else self._count(metric, contender)

    def _count(self, metric: str, contender: Contender) -> Finding:
        """The mean over the loads."""
        from layermatrix.analysis import figures
        from layermatrix.analysis.comparison import COUNTED
        from layermatrix.analysis.duel import side
        from layermatrix.core.records import NotMeasured

        counted = self._counter.count(contender, self.loads)
        one = side(self.plan.root, contender, counted, NotMeasured("it was not timed"))
        values = [COUNTED[metric].value(one, load.name) for load in self.loads if load.counted]
        known = [value.middle for value in values if isinstance(value, figures.Interval)]
        if not known:
            reasons = [value.reason for value in values if isinstance(value, NotMeasured)]
            return reasons[0] if reasons else "no selected load is counted"
        return sum(known) / len(known)

    def _speed(self, commit: str) -> Finding:
        if commit == self.good:
            return 1.0
        rows = self._rows(SPEED, self.good, commit, measuring.rounds_of(self.plan))
        top = rows[-1]  # overall, if there are several loads
        return top.ratio.median if top.ratio else top.reason

    def _contender(self, commit: str) -> Contender:
        if commit not in self.contenders:
            name = f"{self.cell.variant.name}{sides.AT}{commit[:12]}"
            inlined = any(load.is_inlined for load in self.loads)
            self.contenders[commit] = sides.of_commit(
                self.plan, name, self.cell, commit, programs=inlined, silent=True
            )
        return self.contenders[commit]

    @cached_property
    def _counter(self) -> Counter:
        from layermatrix.measure.contenders import Programs
        from layermatrix.measure.counting import Counter

        programs = Programs(self.plan.root / self.cell.build_dir)
        return Counter(self.plan.root, self.plan.project.matrix.counters, programs, duel.say)

    # --- the state of a search

    def _file(self, metric: str) -> Path:
        """The file of this question: the same command finds it again, on a host whose figures compare."""
        words = (
            self.good,
            self.bad,
            metric,
            *comparable.here(TIMED if metric == SPEED else DETERMINISTIC),
            *base_commit.selection(self.cell),
            *(load.name for load in self.loads),
        )
        return self.plan.root / FOLDER / f"{hashlib.sha256(repr(words).encode()).hexdigest()[:16]}.json"

    def _load(self, metric: str) -> dict[str, Finding]:
        from layermatrix.analysis import bisection

        try:
            found = json.loads(self._file(metric).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}  # the builds and counts of an earlier run are used again all the same
        return bisection.known(found) if isinstance(found, dict) else {}

    def _store(self, metric: str, findings: dict[str, Finding]) -> None:
        records.write_text(self._file(metric), json.dumps(findings, indent=1) + "\n")

    # --- the answer

    def _title(self, commit: str) -> str:
        return f"{commit[:12]} {commits.subject(self.plan.root, commit)}"

    def _answer(
        self, metric: str, good: str, suspects: Sequence[str], before: Finding, after: Finding
    ) -> list[str]:
        """The commit, or the range in which it is, with the figures and the command that compares them."""
        *unbuilt, bad = suspects
        if unbuilt:
            head = [f"{metric} moved in one of these {len(suspects)} commits; all but the last do not build:"]
        else:
            head = [f"{metric} moved in this commit:"]
        loads = ",".join(load.name for load in self.loads)
        name = self.cell.variant.name
        command = scons("ab", f"a={name}@{good[:12]}", f"b={name}@{bad[:12]}", f"load={loads}")
        unit = "of the good end's" if metric == SPEED else f"per {self.plan.project.catalogue.unit.work}"
        figures = f"{_number(metric, before)} before, {_number(metric, after)} after ({unit}, {loads})"
        named = (f"  {self._title(one)}" for one in suspects)
        return [*head, *named, figures, f"compare: {command}", *self._merged(metric, bad, loads)]

    def _merged(self, metric: str, commit: str, loads: str) -> list[str]:
        """If the commit is a merge, the command that searches what it merged."""
        base = commits.merged_from(self.plan.root, commit)
        if base is None:
            return []
        words = (f"good={base[:12]}", f"bad={commit[:12]}^2", f"variant={self.cell.variant.name}")
        command = scons("bisect", *words, f"load={loads}", f"metric={metric}")
        return [f"It is a merge; this searches its commits: {command}"]


def _shown(metric: str, found: Finding, ends: Ends) -> str:
    if isinstance(found, str):
        return f"skipped: {found}"
    return f"{_number(metric, found)}, like the {'bad' if ends.is_bad(found) else 'good'} end"


def _number(metric: str, value: Finding) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.3f}x" if metric == SPEED else f"{value:,.3f}"


JOB = Job(
    name="bisect",
    doc="find the commit that moved a figure between good= and bad=: counted first, timed if need be",
    variables=(LOAD, METRIC, GOOD, BAD, ROUNDS),
    axes=lambda project: {"mode": "release"},
    prepare=prepare,
)
