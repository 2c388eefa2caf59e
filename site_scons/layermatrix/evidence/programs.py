"""Evidence `programs`: real programs behave the same with the library preloaded.

Scripts start the programs; `taking.programs` runs them and compares their outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import paths
from layermatrix.build.step import Task
from layermatrix.core.records import Format, NotMeasured
from layermatrix.evidence.builder import Builder, Node
from layermatrix.evidence.check import Status
from layermatrix.evidence.columns import Column, Heading, View
from layermatrix.evidence.hosted import Part
from layermatrix.evidence.kind import Check, Inputs, Kind, passed, unless_interrupted
from layermatrix.evidence.taking import programs as taking
from layermatrix.evidence.taking.programs import Plain
from layermatrix.evidence.taking.programs import Programs as Programs  # the record of this kind
from layermatrix.evidence.tools import running

if TYPE_CHECKING:
    from layermatrix.model.cells import Cell
    from layermatrix.model.project import Project

PLAIN = Format("plain", Plain)
NONE = "there are no scripts, or tests=short leaves them out in this cell"


# --- build nodes


def _left_out(cell: Cell, project: Project) -> str | None:
    return "a library with a sanitizer in it cannot be preloaded" if cell.has_sanitizer else None


def _declare(build: Builder) -> Inputs:
    """Each script has a result file of its own, so that a changed script does not repeat the others. With
    `tests=short`, only the usual cells run them: without a sanitizer, for this machine, each own axis at its
    default."""
    if build.short and build.cell.choices:
        return Inputs([], values=["left out by tests=short"])
    programs = build.project.matrix.programs
    left_out = () if build.soak else programs.soak
    scripts = [one for one in build.glob(build.at(programs.scripts)) if Path(one.path).stem not in left_out]
    return Inputs([_result(build, script) for script in scripts])


def _result(build: Builder, script: Node) -> Node:
    """One script's result. It depends on the files in data/, next to the script, that the script names. A
    script that did not pass has no stamp, so the next build runs it again. A script that uses the folder of
    the cell runs in the build only, because it is not known what it reads there."""
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
    part = None if running.CELL_VARIABLE in text else PART
    return build.made("EVIDENCE", targets, sources, take_script, needs=used, values=values, hosted=part)[0]


# --- taking the evidence


def take_plain(task: Task) -> None:
    """Record a script's output without a library. sources: the script. targets: the record."""
    record = taking.run_plain(task.sources[0], _timeout(task), extra=_of_soak(task))
    unless_interrupted(task)
    PLAIN.write(task.targets[0], record)


def ask(task: Task) -> taking.Request:
    """What has to be run. sources: the shared library, and the script."""
    library, script = (task.inside(path) for path in task.sources[:2])
    return taking.Request(task.inside(task.folder), script, library, _timeout(task), _of_soak(task))


PART = Part(taking.HOSTED, ask, sources=2)  # a host has no use for the output of another machine


def take_script(task: Task) -> None:
    """Run one script with the library. sources: the shared library, the script, and its output without a
    library unless the script needs the cell. targets: the record, and a stamp that is written only on a pass.
    A failure does not raise here, so that the build still collects the other results."""
    _, script, *plain = task.sources
    record_file, stamp = task.targets
    record = task.from_host(f"programs/{script.stem}", KIND.format)
    if record is None:
        record = taking.take(ask(task), task.root, PLAIN.read(plain[0]) if plain else None)
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
        return NotMeasured(NONE)
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
