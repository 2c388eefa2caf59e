"""The definition of a kind of evidence: everything that the build, the results and the reports need.

Each kind is one module of this package, which ends with a `Kind`. Only `registry` lists the kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from layermatrix.build import paths
from layermatrix.build.step import StepError, Task
from layermatrix.core.file_digest import file_digest
from layermatrix.core.records import Format, Measured, Missing, NotMeasured
from layermatrix.evidence.builder import Builder, Node
from layermatrix.evidence.check import Check as Check  # most users of a kind need both, too
from layermatrix.evidence.check import Status as Status
from layermatrix.evidence.columns import Column, Figure, FigureKind, View
from layermatrix.evidence.hosted import AnyPart
from layermatrix.model.matrix import NATIVE

if TYPE_CHECKING:
    from layermatrix.model.cells import Cell
    from layermatrix.model.project import Project

NO_PROBE = "the system has no probe (a C file of functions that inline the entries)"  # so nothing to count

R = TypeVar("R", bound=Measured)


def passed(checks: Sequence[Check]) -> Figure:
    """The number of passed checks, as a figure of a table."""
    good = sum(check.status is Status.PASSED for check in checks)
    bad = any(check.status is Status.FAILED for check in checks)
    whole = FigureKind.GOOD if checks and good == len(checks) else FigureKind.MEASURED
    return Figure(f"{good}/{len(checks)}", FigureKind.BAD if bad else whole)


@dataclass(frozen=True)
class Inputs:
    """The inputs of a cell's evidence. sources: the files that the kind reads, in its order. needs, values:
    further files and texts whose change makes the evidence out of date. after: files that only have to be
    built earlier, if they are built at all."""

    sources: Sequence[Node] = ()
    needs: Sequence[Node] = ()
    values: Sequence[str] = ()
    after: Sequence[Node] = ()


def _nothing_else(cell: Cell, project: Project, root: Path) -> bool:
    """Nothing is built only for this evidence, so that no file shows whether it was taken."""
    return False


def _every_cell(cell: Cell, project: Project) -> str | None:
    return None


@dataclass(frozen=True)
class Kind(Generic[R]):
    """A kind of evidence.

    name      names its file, build/<cell>/evidence/<name>.json, and its key in results.json
    title     its title in reports; doc: what it establishes, in a phrase
    record    the type of its record, a frozen dataclass
    columns   the columns of a table with one row per record
    declare   returns its inputs in a cell; None: it is not a node of the build, and a job takes it
    take      reads `task.sources` and returns the record; the build writes it
    left_out  returns the reason why a cell has no such evidence; None if it has
    checks    returns the checks of a record; None: nothing can fail, so the kind is not a gate
    is_prepared  returns whether everything that is built only for this evidence of a cell is there
    hosted    the part that runs programs, if it may run on another host; `take` then uses a record from there

    of_baseline: the baseline has such a record, too. required: a report without this record has failed.
    is_figure: comparisons take it, too, because it runs no tests. of_targets: cells for other targets have
    it, too. version: the version of the record's shape.
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
    is_prepared: Callable[[Cell, Project, Path], bool] = _nothing_else
    hosted: AnyPart | None = None
    of_baseline: bool = False
    required: bool = False
    is_figure: bool = False
    of_targets: bool = False
    version: int = 1

    @cached_property
    def format(self) -> Format[R]:
        """The format of its file."""
        return Format(self.name, self.record, self.version)

    @property
    def file(self) -> str:
        """Its file, relative to the folder of a cell."""
        return paths.record(self.name)

    @property
    def stamp(self) -> str:
        """A gate's second file, which is there only if all checks passed."""
        return f"evidence/{self.name}.passed"

    @property
    def module(self) -> str:
        """The module that defines it. The build finds its dependencies from the imports of this module."""
        return self.columns.__module__

    @property
    def is_gate(self) -> bool:
        return self.checks is not None

    def judge(self, record: R | NotMeasured) -> tuple[Check, ...]:
        """The checks of a record with their results. Only this method decides what failed; the build, the
        results and every report use it."""
        if self.checks is None:
            return ()
        if isinstance(record, NotMeasured):
            lost = self.required and isinstance(record, Missing)
            return (Check(self.name, Status.FAILED if lost else Status.NOT_RUN, record.reason),)
        return tuple(self.checks(record))

    def why_left_out(self, cell: Cell, project: Project) -> str | None:
        """The reason why a cell has no such evidence; None if it has."""
        if cell.target != NATIVE and not self.of_targets:
            return "only code for this machine is read and measured"
        return self.left_out(cell, project)

    # --- steps of the build

    def establish(self, task: Task) -> None:
        """Take the evidence of a cell. The record is always written; the stamp is written only if no check
        failed. Raises StepError if a check failed."""
        assert self.take is not None
        record = self.take(task)
        unless_interrupted(task)
        self.format.write(task.targets[0], record, library=_library(task))
        checks = self.judge(record)
        failed = [check for check in checks if check.status is Status.FAILED]
        if failed:
            raise StepError(_summary(failed, len(checks)), recorded=True)
        for stamp in task.targets[1:]:
            stamp.write_text("", encoding="utf-8")

    def leave_out(self, task: Task) -> None:
        """Write a record with the reason why a cell has no such evidence."""
        reason = self.why_left_out(task.cell, task.project)
        self.format.write(task.targets[0], NotMeasured(reason or f"{self.name} is not taken"))


def _library(task: Task) -> str:
    """The digest of the library that the evidence is of; empty for the baseline, which has none."""
    return "" if task.of_baseline else file_digest(task.folder / task.variant.system.shared)


def _summary(failed: Sequence[Check], of: int) -> str:
    """The failed checks with their logs, for the log of the build."""
    names = ", ".join(check.name for check in failed)
    return "\n".join(
        [f"{len(failed)} of {of} failed: {names}", *(check.log for check in failed if check.log)]
    )


AnyKind = Kind[Any]  # each kind has its own record type; a caller that needs the type names the kind


def unless_interrupted(task: Task) -> None:
    """Raise StepError after an interrupt: a program that Ctrl-C ended proves nothing about the library."""
    if task.interrupted():
        raise StepError("interrupted", recorded=True)
