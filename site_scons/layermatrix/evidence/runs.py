"""Evidence `runs`: the test programs pass in the ways of running that the command line selects (run axes).

A run axis changes the environment of a program, or the command that starts it, and nothing that is built.
Each way of running has a result file of its own, so that another choice repeats only what has not been run
yet.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from layermatrix.build.step import Task
from layermatrix.core.records import Measured, NotMeasured
from layermatrix.evidence import tests
from layermatrix.evidence.builder import Builder, Node
from layermatrix.evidence.columns import Column, Heading, View
from layermatrix.evidence.hosted import Part
from layermatrix.evidence.kind import Check, Inputs, Kind, Status, passed, unless_interrupted
from layermatrix.evidence.taking import tests as taking
from layermatrix.model.axes import Running, missing_command

if TYPE_CHECKING:
    from layermatrix.model.cells import Cell
    from layermatrix.model.project import Project


@dataclass(frozen=True)
class Runs(Measured):
    """programs: one check for each program and way of running."""

    programs: tuple[Check, ...]


def _left_out(cell: Cell, project: Project) -> str | None:
    return None if project.matrix.run else "variants/matrix.yaml has no run axes"


def _declare(build: Builder) -> Inputs:
    return Inputs([_result(build, way) for way in build.runs], values=[way.name for way in build.runs])


def _result(build: Builder, way: Running) -> Node:
    """The result of one way of running. If a program failed, it has no stamp, so the next build repeats
    it."""
    programs = tests.wanted(build, build.tests)
    values = [f"{way!r} {_missing(way)}", *tests.settings(build, programs)]
    targets = [f"evidence/runs/{way.name}.json", f"evidence/runs/{way.name}.passed"]
    step = _Way(way)
    return build.made(
        "EVIDENCE",
        targets,
        programs,
        step.take,
        module=__name__,
        needs=build.libraries,
        values=values,
        hosted=Part(taking.HOSTED, step.ask),
    )[0]


def _missing(way: Running) -> str | None:
    return missing_command(way.needs, filter(shutil.which, way.needs))


@dataclass(frozen=True)
class _Way:
    """The step that takes the result of one way of running."""

    way: Running

    def ask(self, task: Task) -> taking.Request:
        return tests.ask(task, self.way)

    def take(self, task: Task) -> None:
        """Run the tests. sources: the test programs. targets: the record, and a stamp that is written only if
        all passed. A failure does not raise here, so that the build still collects the other results."""
        found = tests.take(task, f"runs/{self.way.name}", self.ask(task))
        unless_interrupted(task)
        record_file, stamp = task.targets
        if isinstance(found, NotMeasured):
            KIND.format.write(record_file, NotMeasured(f"{self.way.name} was not run: {found.reason}"))
            return
        checks = [replace(check, name=f"{self.way.name}: {check.name}") for check in found.programs]
        KIND.format.write(record_file, Runs(tuple(checks)))
        if not any(check.status is Status.FAILED for check in checks):
            stamp.write_text("", encoding="utf-8")


def _take(task: Task) -> Runs | NotMeasured:
    """Join the results. sources: the record of each way of running."""
    records = [KIND.format.read(path) for path in task.sources]
    found = [record for record in records if isinstance(record, Runs)]
    if not found:
        reasons = [record.reason for record in records if isinstance(record, NotMeasured)]
        return NotMeasured("; ".join(reasons) or "only the default way of running is selected")
    idle = [
        Check(path.stem, Status.NOT_RUN, record.reason)
        for path, record in zip(task.sources, records, strict=True)
        if isinstance(record, NotMeasured)
    ]
    return Runs((*(check for record in found for check in record.programs), *idle))


def _checks(record: Runs) -> Sequence[Check]:
    return record.programs


def _columns(records: Sequence[Runs], view: View) -> list[Column[Runs]]:
    heading = Heading(
        "runs", "passed", "test programs in the selected ways of running: exit status 0", "checks"
    )
    return [Column(heading, lambda record: passed(record.programs))] if records else []


KIND = Kind(
    name="runs",
    title="Runs",
    doc="the test programs, run in the ways that the run axes describe",
    record=Runs,
    columns=_columns,
    declare=_declare,
    take=_take,
    left_out=_left_out,
    checks=_checks,
    of_targets=True,
)
