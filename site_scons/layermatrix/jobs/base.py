"""The base of every job: its description, the plan of a run, the work to do, and the progress.

A job is more than a build: a failed cell does not stop the others, and a timing runs alone, after all
binaries are built. So a job starts SCons as a child process with `-k`, and continues with the results.
"""

from __future__ import annotations

import contextlib
import math
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import costs, targets
from layermatrix.build.request import Compilers, Request, RequestError, Selection, select
from layermatrix.core.errors import RefusedError
from layermatrix.evidence.columns import several

if TYPE_CHECKING:
    from layermatrix.analysis.layer_path import LayerPath
    from layermatrix.model.cells import Cell
    from layermatrix.model.project import Project
    from layermatrix.model.variants import Variant

# The exit status of a job. 2 is for a wrong command line or spec, and 3 if there is nothing to do.
FAILED = 1
INTERRUPTED = 130
PATIENCE = 60  # seconds that an interrupted build has to end by itself
SHOWN_CELLS = 6  # in a line of `-n`


@dataclass(frozen=True)
class Build:
    """A child build: these targets of these cells."""

    chosen: Selection
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Work:
    """The work of a job. builds: the child builds. then: what follows them, in words. run: does all of it and
    returns the exit status."""

    builds: tuple[Build, ...]
    then: str
    run: Callable[[], int]


@dataclass(frozen=True)
class Plan:
    """The input of a job. scons: the command that starts SCons again, without variables and targets.
    targets: all targets of the command line. sources: the folder of the C files. job: the name of the running
    job."""

    root: Path
    project: Project
    request: Request
    compilers: Compilers
    scons: Sequence[str]
    targets: Sequence[targets.Target] = ()
    sources: str = ""
    job: str = ""

    def select(self, job: Job, *, tried: Callable[[Cell], bool] = lambda cell: True) -> Selection:
        """The selected cells of this job. tried: as for `request.select`."""
        return select(self.project, self.request, self.compilers, job.axes(self.project), tried=tried)

    def describe(self, variant: Variant) -> LayerPath:
        """The path of a variant, as the reports show it."""
        from layermatrix.analysis import layer_path
        from layermatrix.profiles import registry

        return layer_path.describe(variant, registry.of(self.project.catalogue.profile))

    def build(self, what: Build, *options: str) -> int:
        """Build in a child process, and return its exit status."""
        axes = _axes(self, what.chosen)
        command = [*self.scons, "-k", *options, *axes, *self.request.arguments(), *what.targets]
        return run_child(command, self.root)


def run_child(command: Sequence[str], folder: Path, *, silent: bool = False) -> int:
    """Run SCons in this folder; the exit status. At an interrupt, it has time to end by itself: killed, it
    would lose what it has built since it last wrote its database. silent: without its output; errors are
    shown."""
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL if silent else None)
    try:
        return child.wait()
    except KeyboardInterrupt:  # the child receives the interrupt too, and ends its running steps
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.terminate()
        raise


@dataclass(frozen=True, kw_only=True)
class Job(targets.Target):
    """A target that starts builds of its own. prepare: checks the request and returns the work; it builds and
    prints nothing."""

    prepare: Callable[[Plan], Work]
    kind: targets.Kind = targets.Kind.JOB


@dataclass(frozen=True, kw_only=True)
class Answer(targets.Target):
    """A target that only prints a text; it builds nothing."""

    text: Callable[[Plan, Selection], str]
    kind: targets.Kind = targets.Kind.ANSWER


@dataclass
class Outcome:
    """The progress of a job. status: the status of the first failed step, of a measurement that was refused,
    or of an interrupt."""

    status: int = 0
    notes: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """A context that ends at Ctrl-C; the job then continues with the report of the finished results."""
        try:
            yield
        except KeyboardInterrupt:
            self.status = INTERRUPTED
            self.notes.append("interrupted: the report shows what was finished")
        except RefusedError as error:
            self.failed(FAILED)
            self.notes.append(str(error))

    @property
    def interrupted(self) -> bool:
        return self.status == INTERRUPTED

    def failed(self, status: int) -> None:
        self.status = self.status or status

    def end(self) -> int:
        """Print the notes; the exit status."""
        for note in self.notes:
            print(note, file=sys.stderr)
        return self.status


def run(plan: Plan, *, dry: bool = False) -> int:
    """Run the requested jobs in order, or only print what they would do. Returns FAILED if one of
    them failed, or INTERRUPTED. Raises RequestError before any job runs, if one of them is impossible."""
    taker = plan.request.taker
    wanted = [job for job in plan.request.targets if isinstance(job, Job) and taker in (None, job)]
    for job in wanted:
        reason = job.why_missing(plan.project)
        if reason:
            raise RequestError(reason)
    works = [(job, job.prepare(replace(plan, job=job.name))) for job in wanted]
    status = 0
    try:
        for job, work in works:
            status = status or (_say(plan, job, work) if dry else work.run())
        return status if status in (0, INTERRUPTED) else FAILED
    except KeyboardInterrupt:  # outside the steps: while the report was being written
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def answers(plan: Plan) -> list[str]:
    """The texts of the requested answers."""
    wanted = [answer for answer in plan.request.targets if isinstance(answer, Answer)]
    return [
        answer.text(plan, select(plan.project, plan.request, plan.compilers, answer.axes(plan.project)))
        for answer in wanted
    ]


def _say(plan: Plan, job: Job, work: Work) -> int:
    """Print what a job would do: the files that SCons would build, then the rest of the work."""
    status = 0
    for build in work.builds:
        cells = build.chosen.cells
        print(f"{job.name} would build {', '.join(build.targets)} of {shown_cells(cells)}:", flush=True)
        status = status or plan.build(build, "-n")
    print(f"{job.name} would {'then ' if work.builds else ''}{work.then}", flush=True)
    return status


def shown_cells(cells: Sequence[Cell]) -> str:
    """A line that names the first cells."""
    ids = [cell.id for cell in cells]
    more = f" and {len(ids) - SHOWN_CELLS} more" if len(ids) > SHOWN_CELLS else ""
    return f"{several(len(ids), 'cell')} ({', '.join(ids[:SHOWN_CELLS])}{more})"


def _axes(plan: Plan, chosen: Selection) -> list[str]:
    """The variables that select just these cells again, likely failures first.

    A cell without one of its layers has no file: `without=` derives it again.
    """
    cells = [cell for cell in chosen.cells if cell.variant.name in plan.project.variants]
    names = plan.project.matrix.axes.names
    words = [f"{axis}={','.join(dict.fromkeys(cell.value(axis) for cell in cells))}" for axis in names]
    ordered = costs.by_suspicion(plan.root, cells)
    product = math.prod(len({cell.value(axis) for cell in cells}) for axis in names)
    if plan.request.picks_cells or ordered != cells or product != len(cells):
        words.append(f"{targets.CELLS.name}={','.join(cell.id for cell in ordered)}")
    return words
