"""The job `ab` with `a=` and `b=`: count and time two contenders with the same loads, and print a verdict."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from layermatrix.build.request import RequestError, Selection
from layermatrix.core.command import scons
from layermatrix.evidence.columns import several
from layermatrix.jobs import commits, measuring, sides
from layermatrix.jobs.base import Build, Outcome, Plan, Work

if TYPE_CHECKING:
    from layermatrix.analysis.comparison import Question
    from layermatrix.analysis.duel import Duel
    from layermatrix.measure.contenders import Contender
    from layermatrix.model.measuring import Load

BUILT = ("libs", "benches")
UNTIMED = "it was not timed: interrupted"


def work(plan: Plan, a: str, b: str, loads: str, rounds: int) -> Work:
    """The work of comparing the sides that these texts name."""
    from layermatrix.measure import load_selection

    if not a or not b:
        raise RequestError(f"ab compares a= with b=: {'b' if a else 'a'}= is not set")
    chosen = load_selection.select(plan.project, loads)
    named = sides.pair(plan, a, b)
    build = Build(built_here(plan, named), BUILT)
    commits = [f"build {one.name}, " for one in named if one.commit]
    count = several(len(chosen), "load")
    then = f"{''.join(commits)}count {count} and time them in {several(rounds, 'round')}: {a} against {b}"
    return Work((build,), then, lambda: _run(plan, build, named, chosen, rounds))


def built_here(plan: Plan, named: Sequence[sides.Named]) -> Selection:
    """The cells of this tree that a comparison needs: its own sides, and the cell whose programs run."""
    cells = [one.cell for one in named if one.is_here and one.cell]
    return Selection(tuple(dict.fromkeys([*cells, sides.host(plan, named)])), ())


def _run(
    plan: Plan, build: Build, named: tuple[sides.Named, sides.Named], loads: Sequence[Load], rounds: int
) -> int:
    from layermatrix.analysis import comparison
    from layermatrix.report import duel as report
    from layermatrix.report import terminal

    outcome = Outcome()
    with outcome.step():
        outcome.failed(plan.build(build))
        programs = any(load.is_inlined for load in loads)
        both = [sides.contender(plan, one, programs=programs) for one in named]
        for line in notes(plan, named, both):
            print(line, flush=True)
        outcome.failed(int(any(one.failure for one in both)))
        found = compare(plan, named, both, loads, rounds, outcome)
        comparison.store(plan.root, found.comparison)
        report.show(found, plan.project.catalogue.unit.work, terminal.make_console())
    return outcome.end()


def compare(
    plan: Plan,
    named: Sequence[sides.Named],
    both: Sequence[Contender],
    loads: Sequence[Load],
    rounds: int | None,
    outcome: Outcome,
) -> Duel:
    """Count the two, time them if there are rounds, and compare the second with the first. An interrupt of
    the timing keeps what is finished."""
    from layermatrix.analysis import duel
    from layermatrix.core.records import NotMeasured
    from layermatrix.measure import contest
    from layermatrix.measure.contenders import Programs
    from layermatrix.measure.counting import Counter

    programs = Programs(plan.root / sides.host(plan, named).build_dir)
    counter = Counter(plan.root, plan.project.matrix.counters, programs, say)
    counted = [counter.count(one, loads) for one in both]
    timed: contest.Timings = {}
    with outcome.step() if rounds else contextlib.nullcontext():
        if rounds:
            contest.take(plan.project, programs, both, loads, rounds, timed, measuring.method_of(plan))
    idle = NotMeasured(UNTIMED if rounds else "it was not timed")
    a, b = (
        duel.side(plan.root, one, counts, timed.get(one.name, idle))
        for one, counts in zip(both, counted, strict=True)
    )
    unit, smallest = plan.project.catalogue.unit, plan.project.matrix.timing.smallest_share
    return duel.build(_question(both, loads, rounds), a, b, unit, smallest)


def say(line: str) -> None:
    print(line, flush=True)


def _question(both: Sequence[Contender], loads: Sequence[Load], rounds: int | None) -> Question:
    from layermatrix.analysis.comparison import Question

    a, b = (one.name for one in both)
    names = [load.name for load in loads]
    more = [f"rounds={rounds}"] if rounds else []
    return Question(
        name=f"{a} against {b}",
        title=f"{a} or {b}?",
        doc="; ".join(f"{one.name}: {one.origin}" for one in both) + ".",
        loads=tuple(names),
        figure=None,
        kept=None,
        command=scons(
            "ab", f"a={_word(a)}", f"b={_word(b.removesuffix(' again'))}", f"load={','.join(names)}", *more
        ),
    )


def _word(text: str) -> str:
    return f"'{text}'" if " " in text else text


def notes(plan: Plan, named: Sequence[sides.Named], both: Sequence[Contender]) -> list[str]:
    """What a reader has to know about the two: an A/A comparison, changes that are in no commit, a side that
    cannot run."""
    from layermatrix.analysis import comparison

    lines = [f"{one.name}: not measured: {one.failure}" for one in both if one.failure]
    digests = [comparison.digest(one.library) if one.library else "system" for one in both if not one.failure]
    if len(digests) == 2 and len(set(digests)) == 1:
        what = "both sides are the same library, so this is an A/A comparison"
        lines.append(f"{what}: every difference that it shows is an error of the measurement")
    changed = commits.changed_files(plan.root) if any(one.commit for one in named) else []
    if changed and any(one.is_here for one in named):
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        names = ", ".join(one.name for one in named if one.is_here)
        lines.append(
            f"{names}: this tree, with changes that are in no commit: {', '.join(changed[:3])}{more}"
        )
    return lines
