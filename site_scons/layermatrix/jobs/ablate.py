"""The job `ablate`: compare a variant with itself without each layer, with each other layer, and with pairs
of such changes; recommend the best change, and write it as a variant.

The candidates are built in a folder of their own (`workshop`), so that a layer that cannot be left out or
added is named with the loader's reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from layermatrix.build import failure, paths
from layermatrix.build.request import NothingToDoError, RequestError, Selection
from layermatrix.build.targets import ROUNDS, STORE, TIMING, Variable
from layermatrix.core.errors import hint_for, quote
from layermatrix.jobs import comparing, writing
from layermatrix.jobs.base import Build, Job, Outcome, Plan, Work, shown_cells
from layermatrix.model import candidates
from layermatrix.model.candidates import Candidate
from layermatrix.model.layers import ALL

if TYPE_CHECKING:
    from layermatrix.analysis.comparison import Comparison, Side
    from layermatrix.analysis.experiments import Trial
    from layermatrix.analysis.recommendation import Judgement
    from layermatrix.jobs.workshop import Workshop
    from layermatrix.model.cells import Cell

BUILT = ("libs", "benches")
EVIDENCE = ("asm", "counters")  # what a comparison shows; the other kinds take longer
NONE = "none"
USUAL_PAIRS = 6
WITH = Variable(
    name="with",
    doc="also compare each variant with itself with each of these layers",
    values="layers, all, none",
    default="all, unless without= is set",
    choices=lambda project: (*project.catalogue.layers, ALL, NONE),
)
PAIRS = Variable(
    name="pairs",
    doc="the pairs of changes to try, of those that make a difference alone",
    values="all, none, a count",
    default=str(USUAL_PAIRS),
    choices=lambda _project: (ALL, NONE),
)


def prepare(plan: Plan) -> Work:
    wanted = _wanted(plan)
    bare = replace(plan, request=replace(plan.request, without=()))
    chosen = bare.select(JOB)
    name = plan.request.text(writing.WRITE)
    if name:
        writing.check(plan, name)
        if len(chosen.cells) != 1:
            raise RequestError(
                f"write= takes the best change of one cell, not of {shown_cells(chosen.cells)}"
            )
    rounds = plan.request.number(ROUNDS)
    timed = f", time each in {rounds} rounds" if rounds else ""
    cells = shown_cells(chosen.cells)
    then = f"build {cells} without and with single layers, and with pairs{timed}; recommend a change"
    return Work((), then, lambda: _run(bare, chosen, wanted, rounds, name))


@dataclass(frozen=True)
class Wanted:
    """The layers to leave out and to add, and the number of pairs. named: those that the user names."""

    without: tuple[str, ...]
    added: tuple[str, ...]
    pairs: int
    named: frozenset[str]


def _wanted(plan: Plan) -> Wanted:
    """What the command line selects; without a choice, every layer."""
    request, known = plan.request, tuple(plan.project.catalogue.layers)
    text = request.given.get(WITH.name)
    without = request.without or ((ALL,) if text in (None, NONE) else ())
    added = _words(text) if text is not None else (() if request.without else (ALL,))
    for variable, names in (("without", without), (WITH.name, added)):
        for name in names:
            if name not in (*known, ALL, NONE):
                hint = hint_for(name, known)
                more = f"; {hint}" if hint else ""
                raise RequestError(f"{variable}=: unknown layer {quote(name)}{more}")
    named = frozenset((*without, *added)) & frozenset(known)
    return Wanted(_layers(without, known), _layers(added, known), _pairs(request.text(PAIRS)), named)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _layers(names: Sequence[str], known: tuple[str, ...]) -> tuple[str, ...]:
    return known if ALL in names else tuple(name for name in names if name != NONE)


def _pairs(text: str) -> int:
    if text in (ALL, NONE):
        return 10_000 if text == ALL else 0
    if not (text.isascii() and text.isdigit() and len(text) < 5):
        raise RequestError(f"pairs={text}: expected all, none, or a count")
    return int(text)


def _run(plan: Plan, chosen: Selection, wanted: Wanted, rounds: int | None, name: str) -> int:
    from layermatrix.jobs.workshop import Workshop
    from layermatrix.report import terminal

    outcome, console = Outcome(), terminal.make_console()
    runs = [_Ablation(plan, cell, wanted, rounds, outcome) for cell in chosen.cells]
    with outcome.step():
        shop = Workshop(plan, JOB.name)
        for one in runs:
            one.offer(shop)
        if not any(one.tried for one in runs):
            reasons = "; ".join(f"{cell}: {why}" for one in runs for cell, why in one.left_out)
            raise RequestError(f"no layer can be left out or added: {reasons or 'none is selected'}")
        _build(shop, runs, outcome)
        for one in runs:
            one.add_pairs(shop)
        if any(one.paired for one in runs):
            _build(shop, runs, outcome)
        for one in runs:
            if not outcome.interrupted:
                one.compare(shop)
    made = [one.found for one in runs if one.found]
    left_out = [*chosen.left_out, *(pair for one in runs for pair in one.left_out)]
    work = plan.project.catalogue.unit.work
    terminal.comparisons(made, left_out, work, console, judged=False)
    for one in runs:
        for line in one.advice:
            style = "bold" if line.startswith("Recommendation") else ""
            console.print(line, markup=False, style=style, soft_wrap=True)
    if name and runs[0].found and not outcome.interrupted:
        _write(plan, name, runs[0])
    return outcome.end()


def _build(shop: Workshop, runs: Sequence[_Ablation], outcome: Outcome) -> None:
    cells = tuple(cell for one in runs for cell in one.cells(shop))
    records = [f"{cell.build_dir}/{paths.record(kind)}" for cell in cells for kind in EVIDENCE]
    status = shop.plan.build(Build(Selection(cells, ()), (*BUILT, *records)))
    # a candidate that cannot be built is a result like others; the variant itself has to be built
    bases = [shop.root / one.cell.build_dir for one in runs]
    if any(failure.file_of(folder).exists() or not folder.is_dir() for folder in bases):
        outcome.failed(status)


def _write(plan: Plan, name: str, one: _Ablation) -> None:
    """Write the winner as a variant. NothingToDoError if there is none."""
    from layermatrix.analysis import recommendation

    best = recommendation.winner(one.judgements)
    if best is None:
        raise NothingToDoError(f"write={name}: nothing is written, because no change of {one.base} is better")
    command = one.trial_command
    comments = [f"# The best change of {one.base} that `{command}` found:", f"# {best.evidence}."]
    print(writing.write(plan, name, comments, best.candidate.text))


@dataclass
class _Ablation:
    """The candidates of one cell. left_out: cell id and reason of each that cannot be built."""

    plan: Plan
    cell: Cell
    wanted: Wanted
    rounds: int | None
    outcome: Outcome
    tried: list[Candidate] = field(default_factory=list)
    paired: list[Candidate] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)
    found: Comparison | None = None

    @property
    def base(self) -> str:
        return self.cell.variant.name

    @property
    def trial_command(self) -> str:
        from layermatrix.core.command import scons

        return scons("ablate", f"variant={self.base}")

    def offer(self, shop: Workshop) -> None:
        """The candidates with one change. Of a layer that the user names, the reason if there is none."""
        catalogue = self.plan.project.catalogue
        own = {layer.name for layer in self.cell.variant.layers}
        for names, there, what in (
            (self.wanted.without, False, "has no layer"),
            (self.wanted.added, True, "already has the layer"),
        ):
            for name in names:
                if name in self.wanted.named and (name in own) is there:
                    self.left_out.append((self.cell.id, f"{self.base} {what} {quote(name)}"))
        self._keep(
            shop,
            candidates.singles(self.cell.variant, catalogue, self.wanted.without, self.wanted.added),
            self.tried,
        )

    def _keep(self, shop: Workshop, made: Sequence[Candidate], into: list[Candidate]) -> None:
        known = shop.plan.project.variants
        refused = shop.offer([one for one in made if one.name not in known])
        for one in made:
            if one.name in refused:
                cell_id = self.cell.id.replace(self.base, one.name, 1)
                self.left_out.append((cell_id, refused[one.name]))
            else:
                into.append(one)

    def cells(self, shop: Workshop) -> list[Cell]:
        """The cell itself, and those of its candidates."""
        names = [self.base, *(one.name for one in (*self.tried, *self.paired))]
        return [shop.cell(self.cell, name) for name in names]

    def add_pairs(self, shop: Workshop) -> None:
        """Pairs of the changes that make a difference by what is counted."""
        from layermatrix.analysis import recommendation

        trial = self._trial(shop)
        sides = comparing.sides_of(shop.plan, trial, None, self.outcome)
        effects = recommendation.effects(self._judged(trial, sides, self.tried))
        made, more = candidates.pairs(
            self.cell.variant, self.plan.project.catalogue, effects, self.wanted.pairs
        )
        self._keep(shop, made, self.paired)
        if self.paired:
            print(f"pairs of changes: {', '.join(one.name for one in self.paired)}", flush=True)
        if more and self.wanted.pairs:
            self.advice.append(f"{more} more pairs were not tried: pairs=all tries them.")

    def _trial(self, shop: Workshop) -> Trial:
        from layermatrix.analysis import experiments

        return experiments.ablation(self.plan.project, self.cells(shop))

    def _judged(self, trial: Trial, sides: Sequence[Side], tried: Sequence[Candidate]) -> list[Judgement]:
        from layermatrix.analysis import recommendation

        unit, smallest = self.plan.project.catalogue.unit, self.plan.project.matrix.timing.smallest_share
        by_name = {one.variant: one for one in sides}
        loads = trial.question.loads
        return [
            recommendation.judge(one, sides[0], by_name[one.name], loads, unit, smallest) for one in tried
        ]

    def compare(self, shop: Workshop) -> None:
        """Time everything if there are rounds, compare, record, and recommend."""
        from layermatrix.analysis import comparison, recommendation

        trial = self._trial(shop)
        sides = comparing.sides_of(shop.plan, trial, self.rounds, self.outcome)
        folder = shop.root.relative_to(self.plan.root)
        own = [
            replace(one, file=f"{folder}/build/{one.id}/{self.cell.variant.system.shared}") for one in sides
        ]
        unit, smallest = self.plan.project.catalogue.unit, self.plan.project.matrix.timing.smallest_share
        self.found = comparison.build(trial.question, own, unit.work, unit.better, smallest)
        comparison.store(self.plan.root, self.found)
        self.judgements = self._judged(trial, sides, [*self.tried, *self.paired])
        titles = {name: layer.title for name, layer in self.plan.project.catalogue.layers.items()}
        timed = bool(self.rounds)
        self.advice[:0] = recommendation.sentences(self.base, self.judgements, titles, timed)


JOB = Job(
    name="ablate",
    doc="compare a variant with itself without and with single layers, and in pairs; recommend a change",
    variables=(WITH, PAIRS, writing.WRITE, *TIMING, STORE),
    prepare=prepare,
)
