"""Evidence `tests`: the test programs and scripts of the matrix file. `taking.tests` runs them.

Reads the programs of the cell. Applies variants/quarantine.yaml to the result, also if it comes from another
host.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import paths
from layermatrix.build.step import Task
from layermatrix.core.records import Format, NotMeasured
from layermatrix.evidence import tolerance
from layermatrix.evidence.builder import Builder, Node
from layermatrix.evidence.check import Check, Status
from layermatrix.evidence.columns import Column, Heading, View
from layermatrix.evidence.hosted import Part
from layermatrix.evidence.kind import Inputs, Kind, passed
from layermatrix.evidence.taking import tests as taking
from layermatrix.evidence.taking.tests import Limits
from layermatrix.evidence.taking.tests import Tests as Tests  # the record of this kind
from layermatrix.model.matrix import NATIVE

if TYPE_CHECKING:
    from layermatrix.model.axes import Running
    from layermatrix.model.cells import Cell
    from layermatrix.model.measuring import Suite
    from layermatrix.model.project import Project

FORMAT = Format("tests", Tests)
NOT_EMULATED = "an emulator changes what it tests ('native' in variants/matrix.yaml)"


def _declare(build: Builder) -> Inputs:
    suite = build.project.matrix.tests
    patterns = suite.scripts if build.cell.target == NATIVE else ()  # a script starts programs by itself
    scripts = [script for pattern in patterns for script in build.glob(build.at(pattern))]
    folders = sorted({str(Path(script.path).parent) for script in scripts})
    beside = [file for folder in folders for file in build.glob(f"#{folder}/*.py")]
    fuzz = build.project.matrix.fuzz
    seeds = build.glob(build.at(f"{fuzz.corpus}/*")) if fuzz and scripts else ()  # scripts may try them
    programs = wanted(build, (*build.tests, *scripts))
    needs = [*build.libraries, *beside, *seeds]
    return Inputs(programs, needs=needs, values=settings(build, programs))


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
    return take(task, KIND.name, ask(task))


def ask(task: Task, way: Running | None = None) -> taking.Request:
    """What has to be run. sources: the test programs and scripts. way: how to run them, if not in the default
    way."""
    suite = task.project.matrix.tests
    idle = suite.native if task.emulator.words else ()
    programs = [program for program in task.sources if program.stem not in idle]
    tests = [program.stem for program in programs]
    attempts = {test: task.project.quarantine.attempts(task.cell, test) for test in tests}
    soak = _of_soak(suite, task.soak)
    return taking.Request(
        cell=task.inside(task.folder),
        programs=tuple(task.inside(program) for program in programs),
        limits=Limits(
            suite.timeout,
            {test: seconds for test, seconds in suite.timeouts.items() if test in tests},
            suite.cell_timeout,
            task.soak or 0,
        ),
        environment={**task.cell.environment, **(way.environment if way else {})},
        arguments={test: words for test, words in soak.items() if test in tests},
        linked={test: library for test, library in _linked(task, suite).items() if test in tests},
        before=way.before if way else (),
        attempts={test: times for test, times in attempts.items() if times > 1},
        needs=way.needs if way else {},
    )


def take(task: Task, name: str, request: taking.Request) -> Tests | NotMeasured:
    """The record of a request: that of another host, if there is one of this name, otherwise taken here."""
    found = task.from_host(name, FORMAT)
    if found is None and task.emulator.missing:
        return NotMeasured(f"not run: {task.emulator.missing}")
    if found is None:
        found = taking.take(request, task.root, task.emulator)
    if isinstance(found, NotMeasured):
        return found
    judged = (_tolerated(check, task) for check in found.programs)
    asked = {Path(program).name for program in request.programs}
    left = sorted(program.stem for program in task.sources if program.name not in asked)
    return Tests((*judged, *(Check(test, Status.NOT_RUN, NOT_EMULATED) for test in left)))


def _tolerated(check: Check, task: Task) -> Check:
    return tolerance.tolerated(check, Path(check.name).stem, task.cell, task.project.quarantine)


def _linked(task: Task, suite: Suite) -> dict[str, str]:
    """The programs that are linked with the shared library, and the library."""
    if task.cell.has_sanitizer:
        return {}
    library = task.inside(task.folder / Path(task.cell.library).name)
    return {source.stem: library for pattern in suite.sources for source in task.root.glob(pattern)}


def _of_soak(suite: Suite, seconds: int | None) -> dict[str, tuple[str, ...]]:
    """Program -> its arguments in a soak test of this duration; empty without a soak test."""
    if seconds is None:
        return {}
    return {
        name: tuple(word.replace("{seconds}", str(seconds)) for word in words)
        for name, words in suite.soak.items()
    }


def _checks(record: Tests) -> list[Check]:
    """The checks of the suite. If no program could run, the suite proves nothing and fails."""
    ran = any(check.status is not Status.NOT_RUN for check in record.programs)
    nothing = Check("tests", Status.FAILED, f"none of {len(record.programs)} test programs could run")
    return [*record.programs, *([] if ran else [nothing])]


def _is_prepared(cell: Cell, project: Project, root: Path) -> bool:
    """Whether every program of `sources` is built; `tests=short` leaves out the long ones. One alone may be
    built for something else, such as a page of docs/."""
    suite = project.matrix.tests
    stems = {source.stem for pattern in suite.sources for source in root.glob(pattern)} - {*suite.long}
    return bool(stems) and all((root / cell.build_dir / paths.program(stem)).exists() for stem in stems)


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
    hosted=Part(taking.HOSTED, ask),
    checks=_checks,
    is_prepared=_is_prepared,
    required=True,
    of_targets=True,
)
