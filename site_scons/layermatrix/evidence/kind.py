"""What a kind of evidence is: everything that the build, the results and the reports have to know of it.

One module of this package is one kind. It ends in a `Kind`, which `registry` names; nothing else lists kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from layermatrix.build.step import StepError, Task
from layermatrix.core.records import Format, Measured, Missing, NotMeasured
from layermatrix.evidence.builder import Builder, Node
from layermatrix.evidence.columns import Column, Figure, FigureKind, View

if TYPE_CHECKING:
    from layermatrix.model.matrix import Cell
    from layermatrix.model.project import Project

NO_PROBE = "the system has no probe, a C file of functions that inline the entries"  # why code is not counted

R = TypeVar("R", bound=Measured)


class Status(Enum):
    """What came of a check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Check:
    """One thing that had to be so: a program that ran, a budget that was held against. reason: why it failed
    or did not run; log: what a reader needs to see of it, for instance the end of a program's output."""

    name: str
    status: Status
    reason: str | None = None
    log: str = ""
    command: str = ""
    seconds: float = 0.0


def passed(checks: Sequence[Check]) -> Figure:
    """How many of these passed, as a figure of a table."""
    good = sum(check.status is Status.PASSED for check in checks)
    bad = any(check.status is Status.FAILED for check in checks)
    whole = FigureKind.GOOD if checks and good == len(checks) else FigureKind.MEASURED
    return Figure(f"{good}/{len(checks)}", FigureKind.BAD if bad else whole)


@dataclass(frozen=True)
class Inputs:
    """What the evidence of a cell is made of: sources, in the order in which the kind takes them; `needs` and
    the texts of `values`, which make it out of date when they change; `after`: only what has to be built
    before, where it is built at all."""

    sources: Sequence[Node] = ()
    needs: Sequence[Node] = ()
    values: Sequence[str] = ()
    after: Sequence[Node] = ()


def _every_cell(cell: Cell, project: Project) -> str | None:
    return None


@dataclass(frozen=True)
class Kind(Generic[R]):
    """A kind of evidence.

    name      of its file, build/<cell>/evidence/<name>.json, and of its place in results.json
    title     for people; doc: what is established, in a sentence
    record    what is measured, a frozen dataclass
    columns   of a table with a row for each record
    declare   what it is made of in a cell; None: no node of the build, a job takes it
    take      how: reads `task.sources` and returns the record; writing it is the build's work
    left_out  why a cell has no such evidence; None: it has
    checks    what had to be so; None: nothing can fail, so the kind is no gate

    of_baseline: the system's own functions have such a record, too. required: a report without it is a failed
    one. is_figure: taken of the sides of a comparison, too, as it needs no test to run. version: of the
    record's shape.
    """

    name: str
    title: str
    doc: str
    record: type[R]
    columns: Callable[[Sequence[R], View], Sequence[Column[R]]]
    declare: Callable[[Builder], Inputs] | None = None
    take: Callable[[Task], R | NotMeasured] | None = None
    left_out: Callable[[Cell, Project], str | None] = _every_cell
    checks: Callable[[R], Sequence[Check]] | None = field(default=None)
    of_baseline: bool = False
    required: bool = False
    is_figure: bool = False
    version: int = 1

    @cached_property
    def format(self) -> Format[R]:
        """Its file."""
        return Format(self.name, self.record, self.version)

    @property
    def module(self) -> str:
        """Where it is defined: what it depends on is found from there."""
        return self.columns.__module__

    @property
    def is_gate(self) -> bool:
        return self.checks is not None

    def judge(self, record: R | NotMeasured) -> tuple[Check, ...]:
        """What had to be so, and whether it was. This alone decides what failed: the build, the results and
        every report ask here."""
        if self.checks is None:
            return ()
        if isinstance(record, NotMeasured):
            lost = self.required and isinstance(record, Missing)
            return (Check(self.name, Status.FAILED if lost else Status.NOT_RUN, record.reason),)
        return tuple(self.checks(record))

    # --- steps of the build

    def establish(self, task: Task) -> None:
        """Take the evidence of a cell. The record is written whatever it says, the stamp only when nothing
        failed."""
        assert self.take is not None
        record = self.take(task)
        unless_interrupted(task)
        self.format.write(task.targets[0], record)
        checks = self.judge(record)
        failed = [check for check in checks if check.status is Status.FAILED]
        if failed:
            raise StepError(_told(failed, len(checks)), recorded=True)
        for stamp in task.targets[1:]:
            stamp.write_text("", encoding="utf-8")

    def leave_out(self, task: Task) -> None:
        """Say why a cell has no such evidence."""
        reason = self.left_out(task.cell, task.project)
        self.format.write(task.targets[0], NotMeasured(reason or f"{self.name} is not taken"))


def _told(failed: Sequence[Check], of: int) -> str:
    """What failed, for the log of a build."""
    names = ", ".join(check.name for check in failed)
    return "\n".join(
        [f"{len(failed)} of {of} failed: {names}", *(check.log for check in failed if check.log)]
    )


AnyKind = Kind[Any]  # of records of a type of its own; who needs the type names the kind


def unless_interrupted(task: Task) -> None:
    """A program that Ctrl-C has ended says nothing about the library."""
    if task.interrupted():
        raise StepError("interrupted", recorded=True)
