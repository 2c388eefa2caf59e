"""Decide why a cell has no record of a kind of evidence, and so whether it failed.

    left out      the kind does not apply to the cell: not measured, for that reason
    interrupted   the build was interrupted: not measured
    not taken     the job does not take it, or only other targets of the cell were built: not measured, with
                  the command that takes it
    outdated      the library was built again since then: not measured, with the command that takes it
    lost          a build took it, and its file is gone: `Missing`, which is a failure if it is required

Reads the files of the cell's folder only to tell the last two apart, if the job has not built the cell.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.core.command import scons
from layermatrix.core.records import Measured, Missing, NotMeasured, Outdated

if TYPE_CHECKING:
    from layermatrix.evidence.kind import AnyKind
    from layermatrix.model.cells import Cell
    from layermatrix.model.project import Project

INTERRUPTED = NotMeasured("interrupted")


class Job(Enum):
    """What a job did before it reports. ALL: it took all evidence. SOME: it took some of it, such as `bench`.
    NONE: it built nothing and reports what is there."""

    ALL = "all"
    SOME = "some"
    NONE = "none"


def explained(
    kind: AnyKind,
    record: Measured | NotMeasured,
    cell: Cell,
    project: Project,
    root: Path,
    job: Job,
    *,
    interrupted: bool,
) -> Measured | NotMeasured:
    """The record; if its file is missing, the reason. `Missing` only if the record is lost."""
    if isinstance(record, Outdated):
        again = scons("bench") if kind.declare is None else scons("checks")
        return NotMeasured(f"{record.reason}; {again} takes it again")
    if not isinstance(record, Missing):
        return record
    reason = kind.why_left_out(cell, project)
    if reason:
        return NotMeasured(reason)
    if interrupted:
        return INTERRUPTED
    if kind.declare is None:
        return NotMeasured(f"it was not timed; {scons('bench')} times it")
    if job is Job.SOME:
        return NotMeasured(f"this job does not take it; {scons('checks')} does")
    if job is Job.ALL or _was_taken(kind, cell, project, root):
        return record
    return NotMeasured(f"only other targets of this cell were built; {scons('checks')} builds and takes it")


def _was_taken(kind: AnyKind, cell: Cell, project: Project, root: Path) -> bool:
    """Whether a build of the cell took this evidence: its stamp, or what is built only for it, is there."""
    folder = root / cell.build_dir
    return (folder / kind.stamp).is_file() or kind.is_prepared(cell, project, root)
