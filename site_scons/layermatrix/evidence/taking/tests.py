"""Run test programs and scripts. Exit status 0 is a pass.

Each runs alone in a new folder, with the cell's folder in LAYERED_CELL. pytest runs the Python files. A
program that is linked with the shared library passes only if it loads that library.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import layermatrix
from layermatrix.core import library_use, process
from layermatrix.core.emulator import NATIVE as NATIVE_MACHINE
from layermatrix.core.emulator import Emulator
from layermatrix.core.records import Measured, NotMeasured
from layermatrix.evidence import tolerance
from layermatrix.evidence.check import Check, Status
from layermatrix.evidence.hosted import Hosted, Outline
from layermatrix.evidence.tools import running

PYTEST = "pytest is not installed (PyPI: pytest)"
_NO_PACKAGE = re.compile(r"^E +ModuleNotFoundError: No module named '(\w+)", re.MULTILINE)
_NO_LIBRARY = re.compile(r"error while loading shared libraries: (\S+): cannot open shared object file")


@dataclass(frozen=True)
class Tests(Measured):
    programs: tuple[Check, ...]


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
        alone = self.alone(test)
        return min(alone, self.whole + self.more - used) if self.whole else alone

    def alone(self, test: str) -> float:
        """The seconds of a test if the tests before it have used none."""
        return self.own.get(test, self.each) + self.more


@dataclass(frozen=True)
class Request:
    """The tests of a cell. cell: its folder. programs: the files. environment: variables. arguments: program
    -> its arguments. linked: program -> the shared library that it is linked with. before: a command that
    starts each program. attempts: program -> how often it is run at most, if it fails. needs: command ->
    package; without one of them, no program is run."""

    cell: str
    programs: tuple[str, ...]
    limits: Limits
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    linked: Mapping[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    attempts: Mapping[str, int] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)


def take_on_host(request: Request, root: Path) -> Tests | NotMeasured:
    """Run the tests on another host. It may lack Python packages that the scripts import: such a script is
    not run. Scripts find the modules of the project below the folder, and those of this library in the
    bundle."""
    library = Path(layermatrix.__file__).parents[1]
    modules = {"PYTHONPATH": os.pathsep.join((os.fspath(root), os.fspath(library)))}
    found = take(replace(request, environment={**modules, **request.environment}), root)
    if isinstance(found, NotMeasured):
        return found
    return Tests(tuple(map(_without_package, found.programs)))


def _without_package(check: Check) -> Check:
    lacking = _NO_PACKAGE.search(check.log) if check.status is Status.FAILED else None
    if lacking is None:
        return check
    return replace(
        check, status=Status.NOT_RUN, reason=f"the Python package {lacking[1]} is not installed (PyPI)"
    )


def take(request: Request, root: Path, emulator: Emulator = NATIVE_MACHINE) -> Tests | NotMeasured:
    """Run the tests whose files are below this folder."""
    missing = [name for name in request.needs if shutil.which(name) is None]
    if missing:
        return NotMeasured(f"{missing[0]} is not installed (package {request.needs[missing[0]]})")
    return run(
        [root / program for program in request.programs],
        request.limits,
        extra={running.CELL_VARIABLE: str(root / request.cell), **request.environment},
        arguments=request.arguments,
        linked={name: root / library for name, library in request.linked.items()},
        emulator=emulator,
        before=request.before,
        attempts=lambda test: request.attempts.get(test, 1),
        root=root,
    )


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
    root: Path | None = None,
    run: process.Run = process.run,
) -> Tests | NotMeasured:
    """Run the programs, each in a new folder. attempts: how often a failing test is run at most. extra:
    environment variables. arguments: program -> its arguments. linked: program -> the shared library that it
    is linked with. before: a command that starts each program. root: the folder that the paths in the record
    are relative to."""

    def test(program: Path) -> Check:
        cannot = emulator.cannot_run(program)
        if cannot:
            return Check(program.name, Status.NOT_RUN, cannot)
        timeout = limits.of(program.stem, time.monotonic() - begin)
        if timeout <= 0:
            return Check(
                program.name, Status.FAILED, f"the {limits.whole:g} s of the cell's tests were used up"
            )
        given = (arguments or {}).get(program.stem, ())
        command = [*before, *emulator.before(program), *_command(program), *given]
        with running.temporary_folder() as folder:
            variables = running.environment(folder, extra or {})
            finished = run(command, environment=variables, timeout=timeout, folder=folder)
        check, library = running.judge(program.name, finished), (linked or {}).get(program.stem)
        if library is not None:
            ran = library_use.Ran(program.absolute(), variables, emulator=emulator)
            check = running.proved(check, lambda: library_use.prove(ran, library, run=run))
        return running.portable(_without_tool(check, program, finished, library), root, folder)

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


def _without_tool(check: Check, program: Path, finished: process.Finished, library: Path | None) -> Check:
    """A failed check is "not run" if this host lacks pytest, or a shared library other than the tested
    one."""
    if check.status is not Status.FAILED:
        return check
    if program.suffix == ".py" and b"No module named pytest" in finished.stderr[-4096:]:
        return replace(check, status=Status.NOT_RUN, reason=PYTEST)
    lacking = _NO_LIBRARY.search(process.text(finished.stderr[-4096:])) if finished.status == 127 else None
    if lacking is None or (library is not None and lacking[1].startswith(library.name)):
        return check
    reason = f"the shared library {lacking[1]} is not installed"
    return replace(check, status=Status.NOT_RUN, reason=reason)


def outline(request: Request) -> Outline:
    """What the request runs."""
    commands, names = [], [Path(program) for program in request.programs]
    for path in names:
        start = ["python3", "-m", "pytest", "-q"] if path.suffix == ".py" else []
        commands.append([*request.before, *start, str(path), *request.arguments.get(path.stem, ())])
    timeouts = {path.name: request.limits.alone(path.stem) for path in names}
    if request.limits.whole:
        timeouts["all tests"] = request.limits.whole + request.limits.more
    wants = {"pytest": "PyPI: pytest"} if any(path.suffix == ".py" for path in names) else {}
    variables = {running.CELL_VARIABLE: request.cell, **request.environment}
    files = (*request.programs, *request.linked.values())
    return Outline(commands, variables, timeouts, request.needs, wants, files)


HOSTED = Hosted("tests", Request, take_on_host, outline)
