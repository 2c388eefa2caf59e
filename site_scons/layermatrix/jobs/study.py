"""The job `study`: whether timings can be believed. Equal libraries must show no difference, and a planted
slowdown must show.

The copies of the library are in build/study/<cell>/. After the run, the library is built again without the
planted instructions, and has to be the same as before.
"""

from __future__ import annotations

import contextlib
import datetime
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import compiler_variables, request, target_compilers, toolchain
from layermatrix.build.targets import LOAD, ROUNDS, SEED, STRICT, Variable
from layermatrix.core.command import scons
from layermatrix.core.errors import hint_for, quote
from layermatrix.core.records import NotMeasured
from layermatrix.jobs import measuring
from layermatrix.jobs.base import Build, Job, Outcome, Plan, Work

if TYPE_CHECKING:
    from layermatrix.measure.study import Comparer, Study
    from layermatrix.model.cells import Cell
    from layermatrix.model.measuring import Load
    from layermatrix.model.project import Project

RUNS = Variable(
    name="runs", doc="how often a library is compared with a copy of itself", values="a count", default="20",
    number=range(1, 1001),
)  # fmt: skip
PLANTED = Variable(
    name="planted", doc="how often it is compared with a copy that is 3% slower", values="a count",
    default="10", number=range(1001),
)  # fmt: skip
USUAL_ROUNDS = 20
PAGE, RECORD = Path("docs/study.md"), Path("docs/study.json")
FLAGS = "CFLAGS"


def why_missing(project: Project) -> str | None:
    loads = project.matrix.timed.values()
    if any(not load.is_inlined for load in loads):
        return None
    return "every timed load of this project is inlined into its program, so copies of it cannot be exchanged"


def axes(project: Project) -> Mapping[str, str]:
    """One variant: the first one that is compared with other libraries, or else the first one of all."""
    wanted = project.matrix.peers
    first = wanted.variants[0] if wanted else project.matrix.axes["variant"][0]
    return {"variant": first, "mode": "release"}


def prepare(plan: Plan) -> Work:
    chosen = plan.select(JOB)
    if len(chosen.cells) != 1 or not chosen.cells[0].is_counted:
        ids = ", ".join(cell.id for cell in chosen.cells)
        raise request.RequestError(f"study takes one native release build; the selected cells are {ids}")
    load = _load(plan)
    runs, planted = int(plan.request.text(RUNS)), int(plan.request.text(PLANTED))
    then = (
        f"compare {chosen.cells[0].id} {runs} times with itself and {planted} times with a copy that is 3% "
        f"slower, each time in {_rounds(plan)} rounds of {load.name}"
    )
    build = Build(chosen, ("libs", "benches"))
    return Work((build,), then, lambda: _run(plan, build, load, runs, planted))


def _rounds(plan: Plan) -> int:
    return plan.request.number(ROUNDS) or USUAL_ROUNDS


def _load(plan: Plan) -> Load:
    """The selected load; by default the headline of reports."""
    matrix = plan.project.matrix
    able = {name: load for name, load in matrix.timed.items() if not load.is_inlined}
    usual = matrix.timing.headline if matrix.timing.headline in able else next(iter(able))
    name = plan.request.given.get(LOAD.name, usual)
    if name not in able:
        why = "it is inlined into its program" if name in matrix.loads else hint_for(name, able)
        raise request.RequestError(f"load={name}: study cannot time {quote(name)}: {why}")
    return able[name]


def _run(plan: Plan, build: Build, load: Load, runs: int, planted: int) -> int:
    from layermatrix.measure import study
    from layermatrix.report import study_page

    outcome = Outcome()
    with outcome.step():
        status = plan.build(build)
        outcome.failed(status)
        if status == 0:
            found = _study(plan, build, load, runs, planted)
            study.FORMAT.write(plan.root / study.FILE, found)
            print("\n".join(study_page.summary(found)))
            print(f"Stored in {study.FILE}")
            outcome.failed(int(not found.holds))
            if plan.request.accept:
                _accept(plan, found)
    return outcome.end()


def _accept(plan: Plan, found: Study) -> None:
    from layermatrix.core import records
    from layermatrix.measure import study
    from layermatrix.report import study_page

    study.FORMAT.write(plan.root / RECORD, found)
    records.write_text(plan.root / PAGE, study_page.page(found))
    print(f"accepted: {PAGE}, {RECORD}")


def _study(plan: Plan, build: Build, load: Load, runs: int, planted: int) -> Study:
    from layermatrix.measure import study
    from layermatrix.measure.machine import Watch

    cell = build.chosen.cells[0]
    comparer = _comparer(plan, cell, load)
    with _copies(plan, build) as copy:
        watch, plain = Watch(), copy("plain", None)
        trials = study.equal_trials(comparer, plain, copy("again", None), runs)
        found = study.planted_trials(
            comparer, plain, lambda nops: copy(f"nops-{nops}", nops), _counter(plan, cell, load), planted
        ) if planted else NotMeasured("planted=0 was requested")  # fmt: skip
        conditions = watch.conditions()
    return study.Study(
        command=_command(plan, comparer, load, runs, planted),
        date=datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        cell=cell.id,
        compiler=_compiler(plan, cell),
        load=shlex.join([load.name, *load.args]),
        rounds=comparer.rounds,
        seed=comparer.method.seed,
        smallest=comparer.method.smallest_effect,
        trials=trials,
        planted=found,
        conditions=conditions,
    )


def _comparer(plan: Plan, cell: Cell, load: Load) -> Comparer:
    from layermatrix.measure import study, timing

    (timed,) = timing.loads_of(plan.project, [load])
    program = timing.cell_subject(plan.root, plan.project, cell).programs[load.name]

    def say(line: str) -> None:
        print(line, flush=True)

    return study.Comparer(timed, program, _rounds(plan), measuring.method_of(plan), say)


def _command(plan: Plan, comparer: Comparer, load: Load, runs: int, planted: int) -> str:
    words = [f"runs={runs}", f"planted={planted}", f"load={load.name}", f"rounds={comparer.rounds}"]
    axes = [f"{name}={value}" for name, value in plan.request.axes.items()]
    return scons("study", *axes, *words, f"seed={comparer.method.seed}")


def _compiler(plan: Plan, cell: Cell) -> str:
    found = target_compilers.of_cell(cell, plan.compilers)
    return found.reason if isinstance(found, toolchain.Missing) else found.version


def _counter(plan: Plan, cell: Cell, load: Load) -> Callable[[Path], float | NotMeasured]:
    """The function that counts the instructions of one operation with a library, in the cache simulator."""
    from layermatrix.evidence import counters
    from layermatrix.evidence.taking import counters as taking
    from layermatrix.evidence.tools.cachegrind import CacheModel
    from layermatrix.measure import timing

    program = timing.cell_subject(plan.root, plan.project, cell).programs[load.name]
    shape = plan.project.matrix.counters
    counted = counters.load_of(load.name, (str(program), *load.counted))
    tools = taking.Tools(shutil.which("valgrind"), None)

    def count(library: Path) -> float | NotMeasured:
        if not load.counted:
            return NotMeasured(f"{load.name} has no 'counted' arguments")
        cache = CacheModel(shape.I1, shape.D1, shape.LL)
        record = taking.measure([counted], library, library, cache, tools)
        found = record if isinstance(record, NotMeasured) else record.load(load.name)
        return found if isinstance(found, NotMeasured) else found.raw["instructions"]

    return count


@contextlib.contextmanager
def _copies(plan: Plan, build: Build) -> Iterator[Callable[[str, int | None], Path]]:
    """The function that copies the cell's library, built with so many nops; None is the plain one. In the
    end the plain library is built again, and has to be the same."""
    from layermatrix.analysis.comparison import digest
    from layermatrix.measure import study

    cell = build.chosen.cells[0]
    library, folder = plan.root / cell.library, plan.root / "build/study" / cell.id
    before, changed = digest(library), False

    def copy(name: str, nops: int | None) -> Path:
        nonlocal changed
        place = folder / name / library.name
        if nops is not None:
            if place in made:
                return place
            changed = True
            _build(_with_flag(plan, study.FLAG.format(nops)), build)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(library, place)
        made.add(place)
        return place

    made: set[Path] = set()
    try:
        yield copy
    finally:
        if changed:
            _build(plan, build)
    if digest(library) != before:
        raise study.StudyError(f"{cell.library} differs from the one before the study, built the same way")


def _build(plan: Plan, build: Build) -> None:
    from layermatrix.measure import study

    if plan.build(replace(build, targets=("libs",))):
        raise study.StudyError("a copy of the library could not be built: the messages are above")


def _with_flag(plan: Plan, flag: str) -> Plan:
    """The plan with one more flag for the C compiler, after those of the user."""
    given = plan.request.compiler_variables
    texts = {**given.texts, FLAGS: f"{given.texts.get(FLAGS, '')} {flag}".strip()}
    typed = tuple(dict.fromkeys([*given.typed, FLAGS]))
    changed = compiler_variables.CompilerVariables(texts, typed)
    return replace(plan, request=replace(plan.request, compiler_variables=changed))


JOB = Job(
    name="study",
    doc="test the timing itself: equal libraries must show no difference, a planted slowdown must show",
    variables=(RUNS, PLANTED, LOAD, ROUNDS, SEED, STRICT),
    accept=f"the result, in {PAGE}",
    axes=axes,
    why_missing=why_missing,
    prepare=prepare,
)
