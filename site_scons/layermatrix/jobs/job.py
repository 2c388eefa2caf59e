"""The jobs: build in a child SCons, time what was built, write the report, print the table.

A job is more than a build: a cell that fails does not stop the others, and timings run alone, when every
binary is there. So SCons is started as a child with `-k`, and this driver goes on with what it has built.
Reads and writes `build/<cell>/evidence/`; the report goes to `build/report/`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import request
from layermatrix.build.toolchain import Toolchain
from layermatrix.core.errors import SpecErrors
from layermatrix.model.layers import ALL

if TYPE_CHECKING:
    from rich.console import Console

    from layermatrix.analysis.counter_lock import Reference
    from layermatrix.analysis.experiments import Trial
    from layermatrix.core.records import Record
    from layermatrix.model.matrix import Cell
    from layermatrix.model.measuring import Load, Page
    from layermatrix.model.project import Project

INTERRUPTED = 130
PATIENCE = 60  # seconds that an interrupted build has to end by itself
REPORT = Path("build/report")

# what is fuzzed where nothing else is said: inputs are told apart, and what they break is noticed at once
FUZZED = {"mode": "debug", "compiler": "clang", "sanitizer": "asan"}
STORY = Path("docs/story.md")


@dataclass(frozen=True)
class Plan:
    """What a job works on. scons: the command that starts SCons again, without variables and targets."""

    root: Path
    project: Project
    asked: request.Request
    compilers: request.Compilers
    scons: Sequence[str]


@dataclass
class Outcome:
    """How far a job came: the exit status of the first step that failed, or that of an interrupt."""

    status: int = 0
    notes: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """Whatever is done in here ends at Ctrl-C, and the job goes on to the report of what there is."""
        try:
            yield
        except KeyboardInterrupt:
            self.status = INTERRUPTED
            self.notes.append("interrupted: the report shows what was finished")

    def failed(self, status: int) -> None:
        self.status = self.status or status


def run(plan: Plan) -> int:
    """Do the jobs that are asked for, in turn; the exit status of the first that failed."""
    status = 0
    try:
        for name in plan.asked.jobs:
            status = status or JOBS[name](plan)
    except KeyboardInterrupt:  # beside the steps: while the report was being written
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return status


def phases(plan: Plan) -> int:
    """Build, check and time the selected cells; the phase table."""
    from layermatrix.report import terminal

    chosen = request.select(plan.project, plan.asked, plan.compilers)
    return _measure(plan, chosen, ["checks", "benches"], terminal.phase_table)


def bench(plan: Plan) -> int:
    """Time the selected cells, whatever was timed before; the phase table."""
    from layermatrix.report import terminal

    chosen = request.select(plan.project, plan.asked, plan.compilers)
    return _measure(plan, chosen, ["libs", "benches"], terminal.phase_table, anew=True)


def whole_matrix(plan: Plan) -> int:
    """Build, check and time every cell; a line for each."""
    from layermatrix.report import terminal

    chosen = request.every_cell(plan.project, plan.asked, plan.compilers)
    return _measure(plan, chosen, ["checks", "benches"], terminal.matrix_table)


def report(plan: Plan) -> int:
    """The report of the cells that were built; nothing is run."""
    from layermatrix.report import terminal

    every = request.every_cell(plan.project, plan.asked, plan.compilers)
    built = tuple(cell for cell in every.cells if (plan.root / cell.build_dir).is_dir())
    if not built:
        print("nothing was built yet that a report could tell of", file=sys.stderr)
        return 1
    one_configuration = len({cell.id.removeprefix(cell.variant.name) for cell in built}) == 1
    table = terminal.phase_table if one_configuration else terminal.matrix_table
    _write_report(plan, request.Selection(built, every.left_out), table)
    return 0


def story(plan: Plan) -> int:
    """The story of the selected cells from what was measured; nothing is run. --accept: it goes to docs/."""
    from layermatrix import report as reports

    chosen = request.select(plan.project, plan.asked, plan.compilers)
    results = _collect(plan, chosen)
    failed = [f"{cell['id']}: {cell['failed']}" for cell in results["cells"] if cell["failed"]]
    if failed:
        for line in failed:
            print(line, file=sys.stderr)
        print(
            "no story is told of cells that did not pass; ./sconsw builds and measures them", file=sys.stderr
        )
        return 1
    text = reports.write_story(results, plan.root / REPORT)
    print(f"written: {REPORT / reports.STORY_NAME}")
    if plan.asked.accept:
        (plan.root / STORY).parent.mkdir(exist_ok=True)
        reports.write(plan.root / STORY, text)
        print(f"accepted: {STORY}")
    return 0


def pages(plan: Plan) -> int:
    """The pages of docs/ beside what their tests say now; 1 where one differs. --accept: they are written."""
    wanted = plan.project.matrix.pages
    if not wanted:
        raise request.RequestError("this project's variants/matrix.yaml names no 'pages'")
    if "variant" in plan.asked.axes:
        raise request.RequestError("pages takes its variants from variants/matrix.yaml: leave variant= out")
    outcome = Outcome()
    for page in wanted.values():
        with outcome.step():
            outcome.failed(_page(plan, page))
        if outcome.status == INTERRUPTED:
            break
    return outcome.status


def evidence(plan: Plan) -> int:
    """What the binaries of the selected cells prove, established and shown; nothing is timed."""
    from layermatrix.report import terminal

    chosen = request.select(plan.project, plan.asked, plan.compilers)
    outcome, status = Outcome(), 0
    with outcome.step():
        status = _build(plan, chosen, ["checks"])
    results = _collect(plan, chosen)
    terminal.evidence_tables(results, terminal.make_console())
    for note in outcome.notes:
        print(note, file=sys.stderr)
    # what was found is told by the tables; a status of the build's own is left where it could not be made
    found = any(cell["failed"] and cell["built"] for cell in results["cells"])
    outcome.failed(1 if found else status)
    return outcome.status


def layers(plan: Plan) -> int:
    """What each layer of the selected variants does in each load, counted and shown."""
    from layermatrix.analysis import layercost
    from layermatrix.report import explain

    chosen = request.select(plan.project, plan.asked, plan.compilers)
    outcome = Outcome()
    # of a variant without one of its layers, what was counted is a column of its parent's table
    own = [cell for cell in chosen.cells if cell.variant.name in plan.project.variants]
    with outcome.step():
        counted = [f"{cell.build_dir}/evidence/layers.json" for cell in chosen.cells]
        code = [f"{cell.shipped.build_dir}/evidence/asm.json" for cell in own]
        both = replace(chosen, cells=(*chosen.cells, *(cell.shipped for cell in own)))
        outcome.failed(_build(plan, both, counted + code))
    for cell in own:
        print(explain.layer_figures(cell.variant, layercost.of_cell(cell, plan.root)))
    return outcome.status


def ab(plan: Plan) -> int:
    """The experiments that are asked for: both sides built, timed in turn, and a verdict."""
    from layermatrix.analysis import experiments

    trials, chosen = experiments.of_request(plan.project, plan.asked, plan.compilers)
    return _compare(plan, chosen, trials, plan.asked.rounds or plan.project.matrix.timing.rounds)


def ablate(plan: Plan) -> int:
    """Each selected variant beside itself without each of its layers; timed where rounds are given."""
    from layermatrix.analysis import experiments

    asked = replace(plan.asked, without=plan.asked.without or (ALL,))
    plan = replace(plan, asked=asked)
    chosen = request.select(plan.project, asked, plan.compilers)
    return _compare(plan, chosen, experiments.ablations(plan.project, chosen), asked.rounds)


def counters(plan: Plan) -> int:
    """What an operation costs in each selected cell, beside what was accepted; or accept it."""
    from layermatrix.spec import lockspec

    lockspec.read(plan.root)  # a mistake in it is told before anything is built
    chosen = request.counted(request.select(plan.project, plan.asked, plan.compilers))
    outcome = Outcome()
    with outcome.step():
        files = [f"{cell.build_dir}/evidence/counters.json" for cell in chosen.cells]
        outcome.failed(_build(plan, chosen, files))
    if outcome.status == INTERRUPTED:  # nothing is compared, nor accepted, that is half done
        return outcome.status
    outcome.failed(_judge_counters(plan, chosen))
    return outcome.status


def peers(plan: Plan) -> int:
    """The selected variants beside other libraries, each load in turn; nothing else is built or tested."""
    from layermatrix.core import records
    from layermatrix.measure import peers as contest
    from layermatrix.measure import timing
    from layermatrix.report import terminal

    wanted = plan.project.matrix.peers
    if wanted is None:
        raise request.RequestError("this project's variants/matrix.yaml names no 'peers'")
    chosen = request.select(
        plan.project, plan.asked, plan.compilers, {"variant": ",".join(wanted.variants), "mode": "release"}
    )
    uncounted = [cell.id for cell in chosen.cells if not cell.is_counted]
    names = [cell.variant.name for cell in chosen.cells]
    if uncounted or len(set(names)) < len(names):
        ids = ", ".join(uncounted or [cell.id for cell in chosen.cells])
        raise request.RequestError(f"peers times native release builds, one a variant, and these are {ids}")
    outcome, rounds = Outcome(), plan.asked.rounds or plan.project.matrix.timing.rounds
    with outcome.step():
        floor = [str(contest.floor_library(wanted.floor))] if wanted.floor else []
        status = _build(plan, chosen, ["libs", "benches", *floor])
        outcome.failed(status)
        if status == 0:
            with timing.watch() as progress:
                contest.take(
                    plan.root,
                    plan.project.matrix,
                    chosen.cells,
                    rounds,
                    store=lambda record: records.write(plan.root / contest.FILE, record),
                    on_progress=progress,
                )
    if outcome.status in (0, INTERRUPTED):
        terminal.peers(contest.load(plan.root), terminal.make_console(), contest.FILE)
    for note in outcome.notes:
        print(note, file=sys.stderr)
    return outcome.status


def test(plan: Plan) -> int:
    """The C suite and the real programs in the matrix' variants and shipped modes, then the Python tests."""
    chosen = request.select(plan.project, plan.asked, plan.compilers, request.shipped(plan.project))
    outcome = Outcome()
    with outcome.step():
        outcome.failed(_build(plan, chosen, ["checks"]))
        if (plan.root / "tests").is_dir():
            outcome.failed(_pytest(plan))
    for line in _counts(plan, chosen):
        print(line)
    print("tests: " + ("passed" if outcome.status == 0 else "FAILED"))
    return outcome.status


def fuzz(plan: Plan) -> int:
    """Search for inputs that break the selected variants: a line a program, and what was found."""
    from layermatrix.build import toolchain
    from layermatrix.evidence import fuzz as fuzzing

    wanted = plan.project.matrix.fuzz
    chosen = request.select(plan.project, plan.asked, plan.compilers, FUZZED)
    reasons = {cell.compiler: toolchain.fuzzer_missing(compiler_of(plan, cell)) for cell in chosen.cells}
    why = next((reason for reason in reasons.values() if reason), None)
    if wanted is None or why:
        raise request.RequestError(f"nothing to fuzz: {why or 'variants/matrix.yaml has no fuzz'}")
    outcome = Outcome()
    with outcome.step():
        names = [source.stem for source in sorted(plan.root.glob(wanted.sources))]
        files = [f"{cell.build_dir}/fuzz/bin/{name}" for cell in chosen.cells for name in names]
        outcome.failed(_build(plan, chosen, files))
        for cell in chosen.cells if outcome.status == 0 else ():
            record = fuzzing.run(plan.root / cell.build_dir, plan.root / wanted.corpus, plan.asked.seconds)
            print("\n".join(fuzzing.lines(cell.id, record)), flush=True)
            outcome.failed(int(fuzzing.has_findings(record)))
    return outcome.status


def compiler_of(plan: Plan, cell: Cell) -> Toolchain:
    """The compiler of a selected cell, which is there."""
    found = plan.compilers[cell.compiler]
    assert isinstance(found, Toolchain)
    return found


JOBS: Mapping[str, Callable[[Plan], int]] = {
    "phases": phases,
    "bench": bench,
    "matrix": whole_matrix,
    "ab": ab,
    "ablate": ablate,
    "counters": counters,
    "fuzz": fuzz,
    "peers": peers,
    "pages": pages,
    "report": report,
    "story": story,
    "evidence": evidence,
    "layers": layers,
    "test": test,
}


def answer(name: str, root: Path, project: Project, chosen: request.Selection) -> str:
    """The text of `list` or `explain`."""
    from layermatrix.analysis import layercost
    from layermatrix.report import explain

    if name == "list":
        return explain.list_variants(project, chosen.cells, chosen.left_out)
    cells = {cell.variant.name: cell for cell in reversed(chosen.cells)}  # of each variant the first one
    return "\n".join(
        explain.explain(cell.variant, layercost.of_cell(cell, root)) for cell in reversed(cells.values())
    )


# --- steps of the jobs


def _measure(
    plan: Plan,
    chosen: request.Selection,
    targets: Sequence[str],
    table: Callable[[Record, Console, Path], None],
    *,
    anew: bool = False,
) -> int:
    """Build, time, report. What is there after a failure or an interrupt is reported just the same."""
    from layermatrix.measure import timing

    outcome = Outcome()
    with outcome.step():
        outcome.failed(_build(plan, chosen, targets))
        timing.take(plan.root, plan.project, chosen.cells, rounds=plan.asked.rounds, anew=anew)
    results = _write_report(plan, chosen, table)
    for note in outcome.notes:
        print(note, file=sys.stderr)
    outcome.failed(1 if any(cell["failed"] for cell in results["cells"]) else 0)
    return outcome.status


def _compare(plan: Plan, chosen: request.Selection, trials: Sequence[Trial], rounds: int | None) -> int:
    """Build all sides, take the trials one after the other, keep and print what each shows."""
    from layermatrix.analysis import comparison
    from layermatrix.report import terminal

    outcome, made = Outcome(), []
    with outcome.step():
        outcome.failed(_build(plan, chosen, ["libs", "benches", "figures"]))
        for trial in trials:
            made.append(_trial(plan, trial, rounds, outcome))
            if outcome.status == INTERRUPTED:
                break
    terminal.comparisons(made, chosen.left_out, terminal.make_console(), comparison.FILE)
    for note in outcome.notes:
        print(note, file=sys.stderr)
    return outcome.status


def _trial(plan: Plan, trial: Trial, rounds: int | None, outcome: Outcome) -> Record:
    """One comparison, timed where there are rounds; an interrupt keeps the rounds that are done."""
    from layermatrix.analysis import comparison, results
    from layermatrix.core import records
    from layermatrix.measure import timing

    timed: dict[str, Record] = {}
    if rounds:
        with outcome.step():
            timing.side_by_side(plan.root, plan.project, trial.cells, trial.question.loads, rounds, timed)
    idle = records.not_measured("bench", "it was not timed: rounds=7 does" if not rounds else "interrupted")
    sides = results.collect(trial.cells, plan.root, plan.project.matrix.baseline)["cells"]
    sides = [{**side, "bench": timed.get(side["id"], idle)} for side in sides]
    libraries = {
        cell.id: plan.root / cell.build_dir / f"lib{cell.variant.system.library}.so" for cell in trial.cells
    }
    found = comparison.build(trial.question, sides, libraries)
    comparison.store(plan.root, found)
    return found


def _page(plan: Plan, page: Page) -> int:
    """One page: its test built and run in each variant, the text compared, or written."""
    from layermatrix import report as reports
    from layermatrix.jobs import pages as printed

    axes = {"mode": "release", **plan.asked.axes, "variant": ",".join(page.variants)}
    chosen = request.select(plan.project, replace(plan.asked, axes=axes), plan.compilers)
    cells = {cell.variant.name: cell for cell in chosen.cells}
    if len(chosen.cells) != len(page.variants):
        ids = ", ".join(cell.id for cell in chosen.cells)
        raise request.RequestError(f"a page is made in one configuration, and these are {ids}")
    programs = {name: Path(cells[name].build_dir) / "bin" / page.test for name in page.variants}
    if _build(plan, chosen, [str(program) for program in programs.values()]) != 0:
        return 1
    timeout = plan.project.matrix.tests.timeout
    try:
        said = {name: printed.ask(plan.root / path, page.mark, timeout) for name, path in programs.items()}
        text = printed.render(page, printed.rows_of(said), plan.root)
    except printed.PageError as error:
        print(error, file=sys.stderr)
        return 1
    file = printed.file_of(page)
    there = (plan.root / file).read_text(encoding="utf-8") if (plan.root / file).is_file() else ""
    if text == there:
        print(f"{file} is what the tests say")
        return 0
    if plan.asked.accept:
        reports.write(plan.root / file, text)
        print(f"accepted: {file}")
        return 0
    print(printed.difference(there, text))
    print(f"{file} is not what the tests say; --accept writes it", file=sys.stderr)
    return 1


def _build(plan: Plan, chosen: request.Selection, targets: Sequence[str]) -> int:
    """Build these targets of these cells in a child; its exit status."""
    command = [*plan.scons, "-k", *_axes(plan.project, chosen), *plan.asked.arguments(), *targets]
    child = subprocess.Popen(command, cwd=plan.root)
    try:
        return child.wait()
    except KeyboardInterrupt:  # the child has had it, too, and ends what it has under way
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.terminate()
        raise


def _axes(project: Project, chosen: request.Selection) -> list[str]:
    """The variables that select these cells again; the rules leave out the same ones."""
    values = {  # a variant without one of its layers has no file: `without=` makes it again
        "variant": [cell.variant.name for cell in chosen.cells if cell.variant.name in project.variants],
        **{
            axis: [getattr(cell, axis) for cell in chosen.cells] for axis in request.AXES if axis != "variant"
        },
    }
    return [f"{axis}={','.join(dict.fromkeys(found))}" for axis, found in values.items()]


def _described(load: Load) -> str:
    """What a load does, and the command that is timed."""
    return f"{load.doc} ({' '.join([load.program, *load.args])})"


def _write_report(
    plan: Plan, chosen: request.Selection, table: Callable[[Record, Console, Path], None]
) -> Record:
    from layermatrix import report as reports
    from layermatrix.report import terminal

    record = _collect(plan, chosen)
    reports.write_all(record, plan.root / REPORT)
    table(record, terminal.make_console(), REPORT)
    return record


def _collect(plan: Plan, chosen: request.Selection) -> Record:
    """Everything that is known of these cells."""
    from layermatrix.analysis import results

    matrix = plan.project.matrix
    return results.collect(
        chosen.cells,
        plan.root,
        matrix.baseline,
        left_out=chosen.left_out,
        compilers={
            name: found.version for name, found in plan.compilers.items() if isinstance(found, Toolchain)
        },
        loads={load.name: _described(load) for load in matrix.timed.values()},
        headline=matrix.timing.headline,
        reference=_reference(plan),
        places=plan.project.catalogue.places,
    )


def _reference(plan: Plan) -> Reference:
    """What counters are compared with. A lock with a mistake in it is said to be one, and stops no report."""
    from layermatrix.analysis.counter_lock import Reference
    from layermatrix.spec import lockspec

    identities = {
        name: found.identity for name, found in plan.compilers.items() if isinstance(found, Toolchain)
    }
    try:
        return Reference(lockspec.read(plan.root), identities, plan.project.matrix.counters.limits)
    except SpecErrors as errors:
        return Reference({}, identities, {}, trouble=str(errors).splitlines()[0])


def _judge_counters(plan: Plan, chosen: request.Selection) -> int:
    """Print the comparison, and accept the figures where that is asked for; 1 where a figure is worse or
    missing."""
    from layermatrix.analysis import counter_lock, results
    from layermatrix.report import reference as printed
    from layermatrix.report import terminal
    from layermatrix.spec import lockspec

    against, matrix = _reference(plan), plan.project.matrix
    cells = results.collect(chosen.cells, plan.root, matrix.baseline, reference=against)["cells"]
    broken: tuple[str, ...] = counter_lock.BROKEN
    console = terminal.make_console()
    printed.print_table(cells, console)
    hint = "" if plan.asked.accept else "; --accept writes what they cost now"
    printed.print_findings(cells, console, hint)
    if plan.asked.accept:
        shapes = {name: getattr(matrix.counters, name) for name in ("I1", "D1", "LL")}
        known = counter_lock.Known(plan.project.variants, matrix.counters.loads, counter_lock.caches(shapes))
        lock = counter_lock.accepted(against, cells, known)
        print(counter_lock.write(plan.root, lock) or f"{lockspec.FILE} is as it was\n", end="")
        broken = (counter_lock.MISSED,)
    return int(any(cell["reference"].get("verdict", counter_lock.MISSED) in broken for cell in cells))


def _pytest(plan: Plan) -> int:
    """The Python tests; where pytest can, in as many processes as there are cores, each file in one."""
    spread = ["-n", "auto", "--dist", "loadfile"] if importlib.util.find_spec("xdist") else []
    command = [sys.executable, "-m", "pytest", "-q", *spread, "tests"]
    return subprocess.run(command, cwd=plan.root).returncode


def _counts(plan: Plan, chosen: request.Selection) -> Iterator[str]:
    """A line a cell: how many of its tests and programs passed, and the first that did not."""
    from layermatrix.analysis import results

    record = results.collect(chosen.cells, plan.root, plan.project.matrix.baseline)
    for cell in record["cells"]:
        parts = [_passed(kind, cell[kind]) for kind in ("tests", "programs")]
        yield f"{cell['id']:<28}{', '.join(parts)}" + (
            f"  FAILED: {cell['failed']}" if cell["failed"] else ""
        )


def _passed(kind: str, evidence: Record) -> str:
    programs = evidence.get("programs")
    if not programs:
        return f"{kind} not run: {evidence.get('reason')}"
    passed = sum(program["status"] == "passed" for program in programs)
    idle = sum(program["status"] == "not run" for program in programs)
    return f"{passed} of {len(programs)} {kind} passed" + (f" ({idle} not run)" if idle else "")
