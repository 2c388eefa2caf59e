"""Run test programs, and real programs with a library preloaded, and keep what came of each.

Returns the records `tests`, `programs` and `plain`. A program or script that cannot run on this machine says
so with exit status 77 and the reason in its last line; it is "not run", which is not "passed".
"""

from __future__ import annotations

import contextlib
import difflib
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from layermatrix.core import preload, process, records

PASSED, FAILED, NOT_RUN = "passed", "failed", "not run"
LOG_LINES = 40
_COMPARED_LINES = 2000  # of each output, for showing the difference; equality is that of all bytes


def run_tests(
    programs: Sequence[Path],
    timeout: float,
    *,
    extra: Mapping[str, str] | None = None,
    told: Mapping[str, Sequence[str]] | None = None,
    linked: Collection[str] = (),
    library: Path | None = None,
    run: process.Run = process.run,
) -> records.Record:
    """The record `tests`. Each program runs alone in a new folder; exit status 0 is passed. A Python file is
    run by pytest. extra: variables of the environment. told: arguments, by the program's name. linked: the
    names of those that have to load the library, or their pass does not count."""

    def test(program: Path) -> records.Record:
        command = [*_command(program), *(told or {}).get(program.stem, ())]
        with _temporary_folder(None) as folder:
            variables = _environment(folder, dict(extra or {}))
            finished = run(command, environment=variables, timeout=timeout, folder=folder)
        result = _judge(program.name, finished, _tail(finished.stdout + finished.stderr))
        if result["status"] == PASSED and library and program.stem in linked:
            ran = preload.Ran(program.absolute(), variables)
            return _unless_unproven(result, lambda: preload.prove(ran, library.absolute(), run=run))
        return result

    if not programs:
        return records.not_measured("tests", "there are no test programs")
    return records.measured("tests", programs=[test(program) for program in programs])


def _command(program: Path) -> list[str]:
    path = os.fspath(program.absolute())
    pytest = [sys.executable, "-m", "pytest", "-q"]
    return [*pytest, path] if program.suffix == ".py" else [path]


def run_plain(
    script: Path,
    timeout: float,
    *,
    extra: Mapping[str, str] | None = None,
    run: process.Run = process.run,
) -> records.Record:
    """The record `plain` of a script: what it prints with the variable PRELOAD empty, for `run_preloaded`. A
    script that fails or cannot run has none."""
    with _temporary_folder(None) as place:
        finished = _run_script(run, script, place, {**(extra or {}), "PRELOAD": ""}, timeout)
    if finished.failure:
        return records.not_measured("plain", finished.failure)
    outputs = {"stdout": finished.stdout, "stderr": finished.stderr}
    return records.measured("plain", **{name: text.decode("latin-1") for name, text in outputs.items()})


def run_preloaded(
    script: Path,
    library: Path,
    timeout: float,
    workdir: Path | None = None,
    *,
    plain: records.Record | None = None,
    extra: Mapping[str, str] | None = None,
    run: process.Run = process.run,
) -> records.Record:
    """The record `programs` of one script. It runs with the variable PRELOAD empty and with it naming a copy
    of the library; the script starts what it tests with `env LD_PRELOAD="$PRELOAD"`. Output, errors and exit
    status of both runs have to be the same, and a program has to have loaded the library. Folders are made in
    `workdir`. extra: variables of the environment.

    plain: the record `plain` of the script, which stands for the run without the library if it is the same as
    what comes with it. Else that run is made: what was kept may be old, or tell the folder of its run."""

    def once(place: Path, loading: str) -> process.Finished:
        return _run_script(run, script, place, {**(extra or {}), "PRELOAD": loading}, timeout)

    if not library.is_file():
        return records.not_measured("programs", f"{library.name} is not built")
    kept = plain if plain and records.is_measured(plain) else None
    try:
        with _temporary_folder(workdir) as place, preload.copy_of(library) as copy:
            result = _beside_plain(script.stem, kept, lambda path: once(place, path), os.fspath(copy.path))
            if result["status"] == PASSED:
                result = _unless_unproven(
                    result, lambda: preload.prove_opened(copy, process.environment(), run=run)
                )
    except preload.NotLoadedError as error:
        return records.not_measured("programs", str(error))
    return records.measured("programs", programs=[result])


def _beside_plain(
    name: str, kept: records.Record | None, once: Callable[[str], process.Finished], library: str
) -> records.Record:
    """The result of a script with the library, beside what it prints without."""
    preloaded = once(library) if kept else None
    if kept and preloaded and _is_as_kept(preloaded, kept):
        return _passed(name, preloaded)
    today = once("")
    if today.failure:
        return _judge(name, today, _tail(today.stdout + today.stderr), " without the library")
    return _judge_pair(name, today, preloaded or once(library))


def _unless_unproven(result: records.Record, prove: Callable[[], None]) -> records.Record:
    """The result of a run that passed, failed where the run did not use the library."""
    try:
        prove()
    except preload.NotLoadedError as error:
        return {**result, "status": FAILED, "reason": str(error)}
    return result


def gathered(parts: Sequence[records.Record]) -> records.Record:
    """The record `programs` of all scripts, from each one's."""
    if not parts:
        return records.not_measured("programs", "there are no scripts")
    bad = next((part for part in parts if not records.is_measured(part)), None)
    return bad or records.measured("programs", programs=[one for part in parts for one in part["programs"]])


@contextlib.contextmanager
def _temporary_folder(parent: Path | None) -> Iterator[Path]:
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder).absolute()


def _environment(folder: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """One in which the user's own settings and language do not matter."""
    fixed = {"HOME": os.fspath(folder), "TMPDIR": os.fspath(folder), "LC_ALL": "C.UTF-8"}
    return {**process.environment(), **fixed, **extra}


def _run_script(
    run: process.Run, script: Path, place: Path, extra: Mapping[str, str], timeout: float
) -> process.Finished:
    """One run in a new folder. Both runs of a script get the same path, since they may print it."""
    work = place / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    path = os.fspath(script.absolute())
    command = [path] if os.access(path, os.X_OK) else ["sh", path]
    return run(command, environment=_environment(work, extra), timeout=timeout, folder=work)


def _judge(name: str, finished: process.Finished, log: str, where: str = "") -> records.Record:
    """The result of a run that is judged by its exit status alone."""
    if finished.status == process.CANNOT_RUN and not finished.timed_out:
        reason = process.last_line(finished.stdout) or "it gave no reason"
        return _result(name, NOT_RUN, finished, reason, log)
    if finished.failure is None:
        return _result(name, PASSED, finished, None, log)
    said = finished.failure.removeprefix(finished.end)
    return _result(name, FAILED, finished, f"{finished.end}{where}{said}", log)


def _is_as_kept(preloaded: process.Finished, kept: records.Record) -> bool:
    outputs = [text.decode("latin-1") for text in (preloaded.stdout, preloaded.stderr)]
    return preloaded.failure is None and outputs == [kept["stdout"], kept["stderr"]]


def _judge_pair(name: str, plain: process.Finished, preloaded: process.Finished) -> records.Record:
    if preloaded.failure:
        reason, log = preloaded.failure, _tail(preloaded.stdout + preloaded.stderr)
    elif plain.stdout != preloaded.stdout:
        reason, log = "stdout is not the same", _difference(plain.stdout, preloaded.stdout)
    elif plain.stderr != preloaded.stderr:
        reason, log = "stderr is not the same", _difference(plain.stderr, preloaded.stderr)
    else:
        return _passed(name, preloaded)
    return _result(name, FAILED, preloaded, reason, log)


def _passed(name: str, preloaded: process.Finished) -> records.Record:
    return _result(name, PASSED, preloaded, None, _tail(preloaded.stdout + preloaded.stderr))


def _result(
    name: str, status: str, finished: process.Finished, reason: str | None, log: str
) -> records.Record:
    return {
        "name": name,
        "status": status,
        "seconds": round(finished.seconds, 3),
        "reason": reason,
        "log": log,
        "command": shlex.join(finished.command),
    }


def _tail(output: bytes) -> str:
    return "\n".join(process.text(output).splitlines()[-LOG_LINES:])


def _difference(plain: bytes, preloaded: bytes) -> str:
    """The first lines of what differs."""
    old, new = (process.text(output).splitlines()[:_COMPARED_LINES] for output in (plain, preloaded))
    lines = difflib.unified_diff(old, new, "without the library", "with the library", lineterm="")
    return "\n".join(list(lines)[:LOG_LINES]) or f"they differ in bytes, or behind line {_COMPARED_LINES}"
