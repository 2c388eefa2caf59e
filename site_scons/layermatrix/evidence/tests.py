"""Evidence `tests`: the test programs and scripts of the matrix file. Exit status 0 is a pass.

Each runs alone, with the cell's folder in LAYERED_CELL. pytest runs the Python files. A program that is
linked with the shared library passes only if it loads the library of this cell.
"""

from __future__ import annotations

import datetime
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build.step import Task
from layermatrix.core import library_use, process
from layermatrix.core.emulator import NATIVE as NATIVE_MACHINE
from layermatrix.core.emulator import Emulator
from layermatrix.core.records import Measured, NotMeasured
from layermatrix.evidence import tolerance
from layermatrix.evidence.builder import Builder, Node
from layermatrix.evidence.columns import Column, Heading, View
from layermatrix.evidence.kind import Check, Inputs, Kind, Status, passed
from layermatrix.evidence.tools import running
from layermatrix.model.matrix import NATIVE

if TYPE_CHECKING:
    from layermatrix.model.axes import Running
    from layermatrix.model.measuring import Suite


NOT_EMULATED = "an emulator changes what it tests ('native' in variants/matrix.yaml)"


@dataclass(frozen=True)
class Tests(Measured):
    programs: tuple[Check, ...]


def _declare(build: Builder) -> Inputs:
    suite = build.project.matrix.tests
    patterns = suite.scripts if build.cell.target == NATIVE else ()  # a script starts programs by itself
    scripts = [script for pattern in patterns for script in build.glob(build.at(pattern))]
    folders = sorted({str(Path(script.path).parent) for script in scripts})
    beside = [file for folder in folders for file in build.glob(f"#{folder}/*.py")]
    programs = wanted(build, (*build.tests, *scripts))
    return Inputs(programs, needs=[*build.libraries, *beside], values=settings(build, programs))


def wanted(build: Builder, programs: Sequence[Node]) -> list[Node]:
    """The programs without those that `tests=short` leaves out in this cell."""
    suite, cell = build.project.matrix.tests, build.cell
    thorough = suite.is_thorough(cell.variant.name) and not cell.choices
    left_out = suite.long if build.short and not thorough else ()
    return [node for node in programs if Path(node.path).stem not in left_out]


def settings(build: Builder, programs: Sequence[Node]) -> list[str]:
    """Texts that change with everything besides the files that decides on the results of these programs."""
    names = [Path(node.path).stem for node in programs]
    known = build.project.quarantine.text(build.cell, names, datetime.date.today())
    environment = build.cell.environment
    texts = [f"{build.project.matrix.tests}, soak {build.soak}{known}{environment or ''}"]
    return texts if build.cell.target == NATIVE else [*texts, f"{build.emulator}"]


def _take(task: Task) -> Tests | NotMeasured:
    """Run the tests. sources: the test programs and scripts."""
    return take(task, task.sources)


def take(task: Task, programs: Sequence[Path], way: Running | None = None) -> Tests | NotMeasured:
    """Run these tests of a cell. way: how to run them, if not in the default way."""
    suite = task.project.matrix.tests
    if task.emulator.missing:
        return NotMeasured(f"not run: {task.emulator.missing}")
    extra = {running.CELL_VARIABLE: str(task.folder), **task.cell.environment}
    idle = suite.native if task.emulator.words else ()
    limits = Limits(suite.timeout, suite.timeouts, suite.cell_timeout, task.soak or 0)
    found = run(
        [program for program in programs if program.stem not in idle],
        limits,
        extra={**extra, **(way.environment if way else {})},
        arguments=_of_soak(suite, task.soak),
        linked=_linked(task, suite),
        emulator=task.emulator,
        before=way.before if way else (),
        attempts=lambda test: task.project.quarantine.attempts(task.cell, test),
    )
    if isinstance(found, NotMeasured):
        return found
    judged = (_tolerated(check, task) for check in found.programs)
    left = [
        Check(name, Status.NOT_RUN, NOT_EMULATED) for name in sorted({one.stem for one in programs} & {*idle})
    ]
    return replace(found, programs=(*judged, *left))


def _tolerated(check: Check, task: Task) -> Check:
    return tolerance.tolerated(check, Path(check.name).stem, task.cell, task.project.quarantine)


@dataclass(frozen=True)
class Limits:
    """The seconds that tests may take. own: those of single tests. whole: those of all tests of a cell; 0: no
    limit. more: added to each."""

    each: float
    own: Mapping[str, float] = field(default_factory=dict)
    whole: float = 0
    more: float = 0

    def of(self, test: str, used: float) -> float:
        """The seconds of a test after the tests before it have used some; 0 or less if none are left."""
        alone = self.own.get(test, self.each) + self.more
        return min(alone, self.whole + self.more - used) if self.whole else alone


def _linked(task: Task, suite: Suite) -> Mapping[str, Path]:
    """The programs that are linked with the shared library."""
    if task.cell.has_sanitizer:
        return {}
    library = task.folder / Path(task.cell.library).name
    return {source.stem: library for pattern in suite.sources for source in task.root.glob(pattern)}


def _of_soak(suite: Suite, seconds: int | None) -> Mapping[str, Sequence[str]]:
    """Program -> its arguments in a soak test of this duration; empty without a soak test."""
    if seconds is None:
        return {}
    return {
        name: [word.replace("{seconds}", str(seconds)) for word in words]
        for name, words in suite.soak.items()
    }


def run(
    programs: Sequence[Path],
    limits: Limits,
    *,
    extra: Mapping[str, str] | None = None,
    arguments: Mapping[str, Sequence[str]] | None = None,
    linked: Mapping[str, Path] | None = None,
    emulator: Emulator = NATIVE_MACHINE,
    before: Sequence[str] = (),
    attempts: Callable[[str], int] = lambda test: 1,
    run: process.Run = process.run,
) -> Tests | NotMeasured:
    """Run the programs, each in a new folder. attempts: how often a failing test is run at most. extra:
    environment variables. arguments: program -> its arguments. linked: program -> the shared library that it
    is linked with. before: a command that starts each program."""

    def test(program: Path) -> Check:
        cannot = emulator.cannot_run(program)
        if cannot:
            return Check(program.name, Status.NOT_RUN, cannot)
        timeout = limits.of(program.stem, time.monotonic() - begin)
        if timeout <= 0:
            return Check(
                program.name, Status.FAILED, f"the {limits.whole:g} s of the cell's tests were used up"
            )
        command = [
            *before,
            *emulator.before(program),
            *_command(program),
            *(arguments or {}).get(program.stem, ()),
        ]
        with running.temporary_folder() as folder:
            variables = running.environment(folder, extra or {})
            finished = run(command, environment=variables, timeout=timeout, folder=folder)
        check, library = running.judge(program.name, finished), (linked or {}).get(program.stem)
        if library is None:
            return check
        ran = library_use.Ran(program.absolute(), variables, emulator=emulator)
        return running.proved(check, lambda: library_use.prove(ran, library, run=run))

    if not programs:
        return NotMeasured("there are no test programs")
    begin = time.monotonic()
    return Tests(
        tuple(tolerance.repeated(partial(test, program), attempts(program.stem)) for program in programs)
    )


def _command(program: Path) -> list[str]:
    path = os.fspath(program.absolute())
    pytest = [sys.executable, "-m", "pytest", "-q"]
    return [*pytest, path] if program.suffix == ".py" else [path]


def _checks(record: Tests) -> list[Check]:
    """The checks of the suite. If no program could run, the suite proves nothing and fails."""
    ran = any(check.status is not Status.NOT_RUN for check in record.programs)
    nothing = Check("tests", Status.FAILED, f"none of {len(record.programs)} test programs could run")
    return [*record.programs, *([] if ran else [nothing])]


def _columns(records: Sequence[Tests], view: View) -> list[Column[Tests]]:
    heading = Heading("tests", "passed", "test programs: exit status 0", "checks")
    return [Column(heading, lambda record: passed(record.programs), brief=True)]


KIND = Kind(
    name="tests",
    title="Tests",
    doc="the test programs and scripts, run with the cell's library",
    record=Tests,
    columns=_columns,
    declare=_declare,
    take=_take,
    checks=_checks,
    required=True,
    of_targets=True,
)
