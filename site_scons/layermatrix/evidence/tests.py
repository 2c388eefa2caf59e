"""Evidence `tests`: the test programs and scripts of the matrix file. Exit status 0 is a pass.

Each runs alone, with the cell's folder in LAYERED_CELL. pytest runs the Python files. A program that is
linked with the shared library passes only if it loads the library of this cell.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build.step import Task
from layermatrix.core import library_use, process
from layermatrix.core.records import Measured, NotMeasured
from layermatrix.evidence.builder import Builder
from layermatrix.evidence.columns import Column, Heading, View
from layermatrix.evidence.kind import Check, Inputs, Kind, Status, passed
from layermatrix.evidence.tools import running

if TYPE_CHECKING:
    from layermatrix.model.measuring import Suite


@dataclass(frozen=True)
class Tests(Measured):
    programs: tuple[Check, ...]


def _declare(build: Builder) -> Inputs:
    suite = build.project.matrix.tests
    scripts = [script for pattern in suite.scripts for script in build.glob(build.at(pattern))]
    folders = sorted({str(Path(script.path).parent) for script in scripts})
    beside = [file for folder in folders for file in build.glob(f"#{folder}/*.py")]
    return Inputs(
        [*build.tests, *scripts], needs=[*build.libraries, *beside], values=[f"{suite}, soak {build.soak}"]
    )


def _take(task: Task) -> Tests | NotMeasured:
    """Run the tests. sources: the test programs and scripts."""
    suite = task.project.matrix.tests
    extra = {running.CELL_VARIABLE: str(task.folder)}
    timeout = suite.timeout + (task.soak or 0)
    arguments, linked = _of_soak(suite, task.soak), _linked(task, suite)
    return run(task.sources, timeout, extra=extra, arguments=arguments, linked=linked)


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
    timeout: float,
    *,
    extra: Mapping[str, str] | None = None,
    arguments: Mapping[str, Sequence[str]] | None = None,
    linked: Mapping[str, Path] | None = None,
    run: process.Run = process.run,
) -> Tests | NotMeasured:
    """Run the programs, each in a new folder. timeout: seconds. extra: environment variables. arguments:
    program -> its arguments. linked: program -> the shared library that it is linked with."""

    def test(program: Path) -> Check:
        command = [*_command(program), *(arguments or {}).get(program.stem, ())]
        with running.temporary_folder() as folder:
            variables = running.environment(folder, extra or {})
            finished = run(command, environment=variables, timeout=timeout, folder=folder)
        check, library = running.judge(program.name, finished), (linked or {}).get(program.stem)
        if library is None:
            return check
        ran = library_use.Ran(program.absolute(), variables)
        return running.proved(check, lambda: library_use.prove(ran, library, run=run))

    if not programs:
        return NotMeasured("there are no test programs")
    return Tests(tuple(test(program) for program in programs))


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
)
