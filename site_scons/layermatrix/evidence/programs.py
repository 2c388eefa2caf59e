"""Evidence `programs`: real programs behave the same with the library preloaded.

Scripts start the programs. A script runs twice: with PRELOAD empty, and with PRELOAD set to a copy of the
library; it starts the tested program with `env LD_PRELOAD="$PRELOAD"`. Both runs must have the same stdout,
stderr and exit status, and a program must have loaded the copy. LAYERED_CELL holds the cell's folder, and
LAYERED_SOAK the duration of a soak test in seconds.
"""

from __future__ import annotations

import difflib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import paths
from layermatrix.build.step import Task
from layermatrix.core import library_use, process
from layermatrix.core.records import Format, Measured, NotMeasured
from layermatrix.evidence.builder import Builder, Node
from layermatrix.evidence.columns import Column, Heading, View
from layermatrix.evidence.kind import Check, Inputs, Kind, Status, passed, unless_interrupted
from layermatrix.evidence.tools import running

if TYPE_CHECKING:
    from layermatrix.model.cells import Cell
    from layermatrix.model.project import Project

_COMPARED_LINES = 2000  # lines of each output in the shown difference; the comparison is of all bytes


@dataclass(frozen=True)
class Programs(Measured):
    programs: tuple[Check, ...]


@dataclass(frozen=True)
class Plain(Measured):
    """A script's output without the library; each character stands for one byte (latin-1)."""

    stdout: str
    stderr: str


PLAIN = Format("plain", Plain)


# --- build nodes


def _left_out(cell: Cell, project: Project) -> str | None:
    return "a library with a sanitizer in it cannot be preloaded" if cell.has_sanitizer else None


def _declare(build: Builder) -> Inputs:
    """Each script has a result file of its own, so that a changed script does not repeat the others."""
    programs = build.project.matrix.programs
    left_out = () if build.soak else programs.soak
    scripts = [one for one in build.glob(build.at(programs.scripts)) if Path(one.path).stem not in left_out]
    return Inputs([_result(build, script) for script in scripts])


def _result(build: Builder, script: Node) -> Node:
    """One script's result. It depends on the files in data/, next to the script, that the script names. A
    script that did not pass has no stamp, so the next build runs it again."""
    path = Path(script.path)
    text = Path(script.abspath).read_text(encoding="utf-8", errors="replace")
    used = [file for file in build.glob(f"#{path.parent}/data/*") if Path(file.path).name in text]
    values = [f"{build.project.matrix.programs}, soak {build.soak}"]
    plain: Sequence[Node] = ()
    if (
        running.CELL_VARIABLE not in text
    ):  # the script does not depend on the cell: one plain run for all cells
        target = build.at(f"{paths.BASELINE}/evidence/programs/{path.stem}.plain.json")
        plain = build.made("EVIDENCE", [target], [script], take_plain, needs=used, values=values, once=True)
    targets = [f"evidence/programs/{path.stem}.json", f"evidence/programs/{path.stem}.passed"]
    sources = [build.libraries[0], script, *plain]
    return build.made("EVIDENCE", targets, sources, take_script, needs=used, values=values)[0]


# --- taking the evidence


def take_plain(task: Task) -> None:
    """Record a script's output without a library. sources: the script. targets: the record."""
    record = run_plain(task.sources[0], _timeout(task), extra=_of_soak(task))
    unless_interrupted(task)
    PLAIN.write(task.targets[0], record)


def take_script(task: Task) -> None:
    """Run one script with the library. sources: the shared library, the script, and its output without a
    library unless the script needs the cell. targets: the record, and a stamp that is written only on a pass.
    A failure does not raise here, so that the build still collects the other results."""
    library, script, *plain = task.sources
    record_file, stamp = task.targets
    kept = PLAIN.read(plain[0]) if plain else None
    extra = {running.CELL_VARIABLE: str(task.folder), **_of_soak(task)}
    record = run_preloaded(script, library, _timeout(task), plain=kept, extra=extra)
    unless_interrupted(task)
    KIND.format.write(record_file, record)
    if isinstance(record, Programs) and all(one.status is Status.PASSED for one in record.programs):
        stamp.write_text("", encoding="utf-8")


def _take(task: Task) -> Programs | NotMeasured:
    """Join the results. sources: the record of each script."""
    return gathered([KIND.format.read(path) for path in task.sources])


def gathered(parts: Sequence[Programs | NotMeasured]) -> Programs | NotMeasured:
    """Join the records of all scripts into one."""
    if not parts:
        return NotMeasured("there are no scripts")
    programs: list[Check] = []
    for part in parts:
        if isinstance(part, NotMeasured):
            return part
        programs += part.programs
    return Programs(tuple(programs))


def _timeout(task: Task) -> float:
    return task.project.matrix.programs.timeout + (task.soak or 0)


def _of_soak(task: Task) -> dict[str, str]:
    return {"LAYERED_SOAK": str(task.soak or "")}


# --- running


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
    run: process.Run = process.run,
) -> Programs | NotMeasured:
    """The result of one script with the library.

    timeout: seconds. workdir: the parent of its temporary folder. plain: the recorded output without the
    library. If it differs from the output with the library, the script also runs without the library again,
    because the record may be old or contain the folder of its run. extra: environment variables.
    """

    def once(place: Path, loading: str) -> process.Finished:
        return _run_script(run, script, place, {**(extra or {}), "PRELOAD": loading}, timeout)

    if not library.is_file():
        return NotMeasured(f"{library.name} is not built")
    try:
        with running.temporary_folder(workdir) as place, library_use.copy_of(library) as copy:
            check = _beside_plain(script.stem, plain, lambda path: once(place, path), os.fspath(copy.path))
            environment = process.environment()
            return Programs(
                (running.proved(check, lambda: library_use.prove_opened(copy, environment, run=run)),)
            )
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


# --- checks and columns


def _checks(record: Programs) -> Sequence[Check]:
    return record.programs


SAME_OUTPUT = "real programs under LD_PRELOAD print the same as without it"


def _columns(records: Sequence[Programs], view: View) -> list[Column[Programs]]:
    heading = Heading("programs", "passed", SAME_OUTPUT, "checks")
    return [Column(heading, lambda record: passed(record.programs), brief=True)]


KIND = Kind(
    name="programs",
    title="Programs",
    doc="real programs with the library preloaded: the same output, errors and exit status as without it",
    record=Programs,
    columns=_columns,
    declare=_declare,
    take=_take,
    left_out=_left_out,
    checks=_checks,
)
