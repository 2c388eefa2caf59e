"""Run scripts that start real programs, with the library preloaded and without.

A script runs twice: with PRELOAD empty, and with PRELOAD set to a copy of the library; it starts the tested
program with `env LD_PRELOAD="$PRELOAD"`. Both runs must have the same stdout, stderr and exit status, and a
program must have loaded the copy. LAYERED_CELL holds the cell's folder, and LAYERED_SOAK the duration of a
soak test in seconds.
"""

from __future__ import annotations

import difflib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from layermatrix.core import library_use, process
from layermatrix.core.records import Measured, NotMeasured
from layermatrix.evidence.check import Check, Status
from layermatrix.evidence.hosted import Hosted, Outline
from layermatrix.evidence.tools import running

_COMPARED_LINES = 2000  # lines of each output in the shown difference; the comparison is of all bytes


@dataclass(frozen=True)
class Programs(Measured):
    programs: tuple[Check, ...]


@dataclass(frozen=True)
class Plain(Measured):
    """A script's output without the library; each character stands for one byte (latin-1)."""

    stdout: str
    stderr: str


@dataclass(frozen=True)
class Request:
    """One script of a cell. cell: its folder. library: the shared library. timeout: seconds. environment:
    variables."""

    cell: str
    script: str
    library: str
    timeout: float
    environment: Mapping[str, str] = field(default_factory=dict)


def take(request: Request, root: Path, plain: Plain | NotMeasured | None = None) -> Programs | NotMeasured:
    """Run the script, whose files are below this folder. plain: see `run_preloaded`."""
    extra = {running.CELL_VARIABLE: str(root / request.cell), **request.environment}
    library, script = root / request.library, root / request.script
    return run_preloaded(script, library, request.timeout, plain=plain, extra=extra, root=root)


def outline(request: Request) -> Outline:
    """What the request runs. The scripts test by themselves which programs are installed."""
    variables = {running.CELL_VARIABLE: request.cell, "PRELOAD": request.library, **request.environment}
    name = Path(request.script).name
    timeouts = dict.fromkeys((f"{name} without the library", f"{name} with it"), request.timeout)
    return Outline([[request.script]], variables, timeouts, files=(request.script, request.library))


HOSTED = Hosted("programs", Request, take, outline)


def run_plain(
    script: Path,
    timeout: float,
    *,
    extra: Mapping[str, str] | None = None,
    run: process.Run = process.run,
) -> Plain | NotMeasured:
    """A script's output with PRELOAD empty, for `run_preloaded`; NotMeasured if the script fails. timeout:
    seconds."""
    with running.temporary_folder() as place:
        finished = _run_script(run, script, place, {**(extra or {}), "PRELOAD": ""}, timeout)
    if finished.failure:
        return NotMeasured(finished.failure)
    return Plain(finished.stdout.decode("latin-1"), finished.stderr.decode("latin-1"))


def run_preloaded(
    script: Path,
    library: Path,
    timeout: float,
    workdir: Path | None = None,
    *,
    plain: Plain | NotMeasured | None = None,
    extra: Mapping[str, str] | None = None,
    root: Path | None = None,
    run: process.Run = process.run,
) -> Programs | NotMeasured:
    """The result of one script with the library.

    timeout: seconds. workdir: the parent of its temporary folder. plain: the recorded output without the
    library. If it differs from the output with the library, the script also runs without the library again,
    because the record may be old or contain the folder of its run. extra: environment variables. root: the
    folder that the paths in the record are relative to.
    """

    def once(place: Path, loading: str) -> process.Finished:
        return _run_script(run, script, place, {**(extra or {}), "PRELOAD": loading}, timeout)

    if not library.is_file():
        return NotMeasured(f"{library.name} is not built")
    try:
        with running.temporary_folder(workdir) as place, library_use.copy_of(library) as copy:
            check = _beside_plain(script.stem, plain, lambda path: once(place, path), os.fspath(copy.path))
            environment = process.environment()
            check = running.proved(check, lambda: library_use.prove_opened(copy, environment, run=run))
            return Programs((running.portable(check, root, place),))
    except library_use.NotLoadedError as error:
        return NotMeasured(str(error))


def _beside_plain(
    name: str, plain: Plain | NotMeasured | None, once: Callable[[str], process.Finished], library: str
) -> Check:
    """Compare a script's output with the library and without."""
    preloaded = once(library) if isinstance(plain, Plain) else None
    if isinstance(plain, Plain) and preloaded and _is_as_kept(preloaded, plain):
        return _passed(name, preloaded)
    today = once("")
    if today.failure:
        return running.judge(name, today, " without the library")
    return _judge_pair(name, today, preloaded or once(library))


def _run_script(
    run: process.Run, script: Path, place: Path, extra: Mapping[str, str], timeout: float
) -> process.Finished:
    """Run a script in a new folder. Both runs get the same path, because a script may print it."""
    work = place / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    path = os.fspath(script.absolute())
    command = [path] if os.access(path, os.X_OK) else ["sh", path]
    return run(command, environment=running.environment(work, extra), timeout=timeout, folder=work)


def _is_as_kept(preloaded: process.Finished, kept: Plain) -> bool:
    outputs = [text.decode("latin-1") for text in (preloaded.stdout, preloaded.stderr)]
    return preloaded.failure is None and outputs == [kept.stdout, kept.stderr]


def _judge_pair(name: str, plain: process.Finished, preloaded: process.Finished) -> Check:
    if preloaded.failure:
        reason, log = preloaded.failure, running.tail(preloaded)
    elif plain.stdout != preloaded.stdout:
        reason, log = "stdout differs", _difference(plain.stdout, preloaded.stdout)
    elif plain.stderr != preloaded.stderr:
        reason, log = "stderr differs", _difference(plain.stderr, preloaded.stderr)
    else:
        return _passed(name, preloaded)
    return running.result(name, Status.FAILED, preloaded, reason, log)


def _passed(name: str, preloaded: process.Finished) -> Check:
    return running.result(name, Status.PASSED, preloaded, None, running.tail(preloaded))


def _difference(plain: bytes, preloaded: bytes) -> str:
    """The first lines of the difference."""
    old, new = (process.text(output).splitlines()[:_COMPARED_LINES] for output in (plain, preloaded))
    lines = difflib.unified_diff(old, new, "without the library", "with the library", lineterm="")
    return (
        "\n".join(list(lines)[: running.LOG_LINES])
        or f"they differ in bytes that are not text, or after line {_COMPARED_LINES}"
    )
