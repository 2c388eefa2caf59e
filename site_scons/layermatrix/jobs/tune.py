"""The job `tune`: search the values of a variant for those that are best on a weighted set of loads.

variants/matrix.yaml declares what may change (`tune`). Each trial is a candidate in the workshop: built,
counted or timed, and compared with the variant as it is. build/tune/<variant>.sqlite keeps the trials, so
that the same command goes on after an interrupt.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build.request import RequestError, Selection
from layermatrix.build.targets import LOAD, ROUNDS, Variable
from layermatrix.core.command import scons
from layermatrix.core.errors import hint_for, quote
from layermatrix.evidence.columns import several
from layermatrix.jobs import duel, measuring, search, sides, workshop, writing
from layermatrix.jobs.base import FAILED, Build, Job, Outcome, Plan, Work
from layermatrix.jobs.bisect import METRIC, SPEED
from layermatrix.jobs.search import InfeasibleError
from layermatrix.model import tuned
from layermatrix.store import comparable
from layermatrix.store.entries import DETERMINISTIC, TIMED

if TYPE_CHECKING:
    from layermatrix.analysis.comparison import Side
    from layermatrix.analysis.duel import Duel, Row
    from layermatrix.jobs.search import Point, Search, Tried
    from layermatrix.measure.contenders import Contender
    from layermatrix.model.candidates import Candidate
    from layermatrix.model.cells import Cell
    from layermatrix.model.measuring import Load
    from layermatrix.model.project import Project
    from layermatrix.model.tuning import Tuning

FOLDER = Path("build/tune")
INSTRUCTIONS = "instructions"
USUAL_TRIALS = 30
TRIALS = Variable(
    name="trials",
    doc="the number of trials that a search has, with those of earlier runs",
    values="a count",
    default=str(USUAL_TRIALS),
    number=range(1, 100_001),
)


def why_missing(project: Project) -> str | None:
    return None if project.matrix.tune else "this project's variants/matrix.yaml has no 'tune'"


def prepare(plan: Plan) -> Work:
    search.check_installed()
    cell, tuning = _chosen(plan)
    metric = plan.request.given.get(METRIC.name, INSTRUCTIONS)
    if metric not in (INSTRUCTIONS, SPEED):
        raise RequestError(f"metric={metric}: tune decides by {INSTRUCTIONS} or by {SPEED}")
    if metric == SPEED and measuring.rounds_of(plan) < 2:
        raise RequestError("metric=speed needs rounds=2 or more: one round shows no difference")
    loads = _loads(plan, tuning, metric)
    name = plan.request.text(writing.WRITE)
    if name:
        writing.check(plan, name)
    wrong = tuned.unknown_layer(cell.variant, tuning)
    if wrong:
        raise RequestError(f"variants/matrix.yaml: tune: {cell.variant.name}: {wrong}")
    trials = plan.request.number(TRIALS) or USUAL_TRIALS
    what = ", ".join(tuned.ranges(tuning))
    then = f"try values of {what} for {cell.id} in {several(trials, 'trial')}, by {metric}"
    hunt = _Hunt(plan, cell, tuning, loads, metric)
    return Work((), then, lambda: _run(hunt, trials, name))


def _chosen(plan: Plan) -> tuple[Cell, Tuning]:
    """The cell to tune and its search."""
    known = plan.project.matrix.tune
    text = plan.request.axes.get("variant")
    if text is None and len(known) == 1:
        (text,) = known
    if text is None or text not in known:
        hint = hint_for(text or "", known) or "'tune' in variants/matrix.yaml names them"
        raise RequestError(f"tune needs variant=, one whose values may change; {hint}")
    cell = sides.find(plan_of(plan, text), "variant", text).cell
    assert cell is not None
    return cell, known[text]


def plan_of(plan: Plan, variant: str) -> Plan:
    """The plan with this variant selected."""
    return replace(plan, request=replace(plan.request, axes={**plan.request.axes, "variant": variant}))


def _loads(plan: Plan, tuning: Tuning, metric: str) -> list[Load]:
    """The loads that decide: those with a weight, or of these the ones that `load=` selects."""
    from layermatrix.measure import load_selection

    known = load_selection.known(plan.project)
    wanted = [known[name] for name in tuning.loads]
    text = plan.request.given.get(LOAD.name)
    if text is not None:
        chosen = {load.name for load in load_selection.select(plan.project, text)}
        wanted = [load for load in wanted if load.name in chosen]
        if not wanted:
            weighted = ", ".join(tuning.loads)
            raise RequestError(f"load={text}: the search has weights for {weighted} only")
    for load in wanted:
        if metric == INSTRUCTIONS and not load.counted:
            raise RequestError(f"load {quote(load.name)} has no 'counted', so its instructions cannot decide")
        if (metric == SPEED or tuning.memory_percent is not None) and not load.args:
            raise RequestError(
                f"load {quote(load.name)} has no 'args', so its speed and memory are not known"
            )
    return wanted


@dataclass(frozen=True)
class _Hunt:
    """One search. loads: those that decide."""

    plan: Plan
    cell: Cell
    tuning: Tuning
    loads: Sequence[Load]
    metric: str

    @property
    def base(self) -> str:
        return self.cell.variant.name

    @property
    def figure(self) -> str:
        """What a result is a multiple of; lower is better."""
        return "time" if self.metric == SPEED else self.metric

    def search(self) -> Search:
        """The search of this question. Another question, or a host whose figures do not compare, has other
        trials in the same file."""
        ranges = tuned.ranges(self.tuning)
        weights = {load.name: self.tuning.loads[load.name] for load in self.loads}
        host = comparable.here(TIMED if self.metric == SPEED else DETERMINISTIC)
        text = repr((self.cell.variant.as_value, ranges, weights, self.tuning.memory_percent, host))
        name = f"{self.cell.id} {self.metric} {hashlib.sha256(text.encode()).hexdigest()[:12]}"
        found = search.Search(self.plan.root / FOLDER / f"{self.base}.sqlite", name, ranges)
        start = tuned.present(self.cell.variant, self.tuning)
        if start:
            found.start_at(start)
        return found

    def candidate(self, point: Point) -> Candidate:
        from layermatrix.profiles import registry

        project = self.plan.project
        word = registry.of(project.catalogue.profile).words.get("keys", "keys")
        return tuned.candidate(self.cell.variant, project.variants, point, word)


def _run(hunt: _Hunt, trials: int, name: str) -> int:
    outcome = Outcome()
    with outcome.step():
        bench = _Bench(hunt)
        found = hunt.search()
        _try(hunt, bench, found, trials)
    if outcome.interrupted:
        outcome.notes[:] = ["interrupted: the same command goes on after the last finished trial"]
        return outcome.end()
    best = found.best
    if best is None:
        reasons = dict.fromkeys(one.reason for one in found.finished)
        print(f"no trial was feasible: {'; '.join(reasons)}")
        return FAILED
    with outcome.step():
        outcome.failed(_conclude(hunt, bench, found, best, outcome))
        if name:
            _write(hunt, best, name)
    return outcome.end()


def _try(hunt: _Hunt, bench: _Bench, found: Search, trials: int) -> None:
    """Make trials until there are as many as requested. Prints a line for each."""
    known = len(found.finished)
    if known:
        print(f"{several(known, 'trial')} known from an earlier run", flush=True)
    for number in range(known + 1, trials + 1):
        begin = time.monotonic()
        one = found.step(bench.measure)
        best = found.best
        seconds = time.monotonic() - begin
        result = f"left out: {one.reason}" if one.result is None else f"{one.result:.4f}x {hunt.figure}"
        so_far = f"; best {best.result:.4f}x" if best and best.result is not None else ""
        print(f"trial {number}/{trials}: {_point(one.point)}: {result}{so_far}; {seconds:.1f} s", flush=True)


def _point(point: Point) -> str:
    return " ".join(f"{name}={value}" for name, value in point.items())


def _conclude(hunt: _Hunt, bench: _Bench, found: Search, best: Tried, outcome: Outcome) -> int:
    """Print the best values, what matters, and a comparison with the variant."""
    from layermatrix.analysis import comparison
    from layermatrix.report import duel as report
    from layermatrix.report import terminal

    assert best.result is not None
    start = tuned.present(hunt.cell.variant, hunt.tuning)
    left_out = sum(one.result is None for one in found.finished)
    count = several(len(found.finished), "trial")
    print(f"best of {count}: {_point(best.point)}: {best.result:.4f}x {hunt.figure}")
    if left_out:
        print(f"left out: {several(left_out, 'trial')}")
    shares = found.importance()
    if isinstance(shares, str):
        print(f"importance: not known: {shares}")
    else:
        print(f"importance: {', '.join(f'{name} {share:.0%}' for name, share in shares.items())}")
    if start == best.point:
        print(f"The values of {hunt.base} are the best that were found.")
        return 0
    duelled = bench.compare(best.point, hunt.plan.request.number(ROUNDS), outcome)
    folder = bench.shop.root.relative_to(hunt.plan.root)
    moved = tuple(
        replace(one, file=f"{folder}/{one.file}") if one.file else one for one in duelled.comparison.sides
    )
    comparison.store(hunt.plan.root, replace(duelled.comparison, sides=moved))
    report.show(duelled, hunt.plan.project.catalogue.unit.work, terminal.make_console())
    return 0


def _write(hunt: _Hunt, best: Tried, name: str) -> None:
    loads = ", ".join(f"{load.name} (weight {hunt.tuning.loads[load.name]:g})" for load in hunt.loads)
    comments = [
        f"# The best values for {hunt.base} that `{scons('tune', f'variant={hunt.base}')}` found:",
        f"# {best.result:.4f}x {hunt.figure} on {loads}.",
    ]
    print(writing.write(hunt.plan, name, comments, hunt.candidate(best.point).text))


class _Bench:
    """Builds and measures the trials of a search. The variant itself is built first."""

    def __init__(self, hunt: _Hunt) -> None:
        from layermatrix.measure.contenders import Programs
        from layermatrix.measure.counting import Counter

        self.hunt = hunt
        self.shop = workshop.Workshop(hunt.plan, f"tune-{hunt.base}")
        programs = Programs(self.shop.root / hunt.cell.build_dir)
        self.counter = Counter(self.shop.root, hunt.plan.project.matrix.counters, programs, duel.say)
        self.base = self._built(hunt.base, duel.BUILT)
        if self.base.failure:
            raise RequestError(f"{hunt.cell.id} {self.base.failure}")

    def _built(self, name: str, targets: tuple[str, ...]) -> Contender:
        """A variant of the workshop, built."""
        from layermatrix.build import failure
        from layermatrix.measure.contenders import Contender

        cell = self.shop.cell(self.hunt.cell, name)
        status = self.shop.plan.build(Build(Selection((cell,), ()), targets), "-s")
        folder, reason = self.shop.root / cell.build_dir, None
        if status:
            noted = failure.FORMAT.read(failure.file_of(folder))
            target = noted.target if isinstance(noted, failure.Failure) else cell.id
            reason = f"does not build: {target} failed"
        return Contender(name, self.shop.root / cell.library, folder, "a trial", reason)

    def contender(self, candidate: Candidate) -> Contender:
        """A candidate, checked by the loader and built. Raises InfeasibleError."""
        if candidate.name not in self.shop.plan.project.variants:
            refused = self.shop.offer([candidate])
            if refused:
                raise InfeasibleError(refused[candidate.name])
        inlined = any(load.is_inlined for load in self.hunt.loads)
        made = self._built(candidate.name, duel.BUILT if inlined else duel.BUILT[:1])
        self.shop.withdraw([candidate.name])  # a loader that reads all trials would take longer each time
        if made.failure:
            raise InfeasibleError(made.failure)
        return made

    def measure(self, point: Point) -> float:
        """The weighted geometric mean of the loads' figures, each divided by that of the variant; lower is
        better. Raises InfeasibleError."""
        if point == tuned.present(self.hunt.cell.variant, self.hunt.tuning):
            return 1.0  # not measured: a difference of the variant from itself would be noise
        made = self.contender(self.hunt.candidate(point))
        rounds = measuring.rounds_of(self.hunt.plan) if self.hunt.metric == SPEED else None
        percent = self.hunt.tuning.memory_percent
        a, b = self._sides(made, rounds or (1 if percent is not None else None))
        if percent is not None:
            self._check_memory(a, b, percent)
        ratios = self._ratios(a, b)
        total = sum(self.hunt.tuning.loads[name] for name in ratios)
        return math.exp(
            sum(self.hunt.tuning.loads[name] * math.log(ratio) for name, ratio in ratios.items()) / total
        )

    def _sides(self, made: Contender, rounds: int | None) -> tuple[Side, Side]:
        """The variant and the trial, counted or timed."""
        from layermatrix.analysis import duel as comparing
        from layermatrix.core.records import NotMeasured
        from layermatrix.measure import contest

        both, idle = (self.base, made), NotMeasured("it was not measured")
        counting = self.hunt.metric == INSTRUCTIONS
        counted = [self.counter.count(one, self.hunt.loads) if counting else idle for one in both]
        timed: contest.Timings = {}
        if rounds:
            programs = self.counter.programs
            method = measuring.method_of(self.hunt.plan)
            contest.take(self.shop.plan.project, programs, both, self.hunt.loads, rounds, timed, method)
        first, second = (
            comparing.side(self.shop.root, one, counts, timed.get(one.name, idle))
            for one, counts in zip(both, counted, strict=True)
        )
        return first, second

    def _check_memory(self, a: Side, b: Side, percent: float) -> None:
        """Raise InfeasibleError if a load needs more memory than is allowed."""
        for row in self._rows(a, b, "peak memory"):
            if row.a is None or row.b is None:
                raise InfeasibleError(row.reason)
            growth = 100 * (row.b / row.a - 1)
            if growth > percent:
                limit = f"at most {percent:g}% is allowed"
                raise InfeasibleError(f"peak memory of {row.load} grows by {growth:.1f}%; {limit}")

    def _ratios(self, a: Side, b: Side) -> Mapping[str, float]:
        """Load -> the trial's figure divided by the variant's; lower is better."""
        ratios = {}
        for row in self._rows(a, b, self.hunt.metric):
            if row.ratio is None:
                raise InfeasibleError(row.reason or f"{self.hunt.metric} of {row.load} is not above 0")
            ratios[row.load] = 1 / row.ratio.median if self.hunt.metric == SPEED else row.ratio.median
        return ratios

    def _rows(self, a: Side, b: Side, figure: str) -> list[Row]:
        from layermatrix.analysis import duel as comparing

        names = [load.name for load in self.hunt.loads]
        project = self.hunt.plan.project
        rows = comparing.rows(a, b, names, project.catalogue.unit, project.matrix.timing.smallest_share)
        return [row for row in rows if row.figure == figure and row.load != comparing.OVERALL]

    def compare(self, point: Point, rounds: int | None, outcome: Outcome) -> Duel:
        """The comparison of these values with the variant."""
        made = self.contender(self.hunt.candidate(point))
        both = (self.base, replace(made, name=f"{self.hunt.base} tuned", origin=_point(point)))
        named = [sides.Named(one.name, self.hunt.cell) for one in both]
        return duel.compare(self.shop.plan, named, both, self.hunt.loads, rounds, outcome)


JOB = Job(
    name="tune",
    doc="search the values of a variant that variants/matrix.yaml declares under 'tune', with Optuna",
    variables=(LOAD, METRIC, TRIALS, writing.WRITE, ROUNDS),
    axes=lambda project: {"mode": "release"},
    why_missing=why_missing,
    prepare=prepare,
)
