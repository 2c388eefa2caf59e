"""Which entries of variants/quarantine.yaml are still needed, according to the last results of the cells."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from layermatrix.core.file_digest import file_digest
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import tests
from layermatrix.evidence.kind import Check, Status
from layermatrix.model.cells import Cell
from layermatrix.model.project import Project
from layermatrix.model.quarantine import Quarantined


@dataclass(frozen=True)
class Review:
    """lines: one for each entry. needs_work: whether an entry has expired, or its tests pass again."""

    lines: tuple[str, ...]
    needs_work: bool


def review(project: Project, root: Path, cells: Sequence[Cell], today: datetime.date | None = None) -> Review:
    """The state of each entry in these cells."""
    entries = project.quarantine.quarantine
    found = [_state(entry, root, cells, today or datetime.date.today()) for entry in entries]
    lines = [
        f"quarantine: {', '.join(entry.tests)}: {words}"
        for entry, (words, _) in zip(entries, found, strict=True)
    ]
    return Review(tuple(lines) or ("quarantine: there are no entries",), any(work for _, work in found))


def _state(entry: Quarantined, root: Path, cells: Sequence[Cell], today: datetime.date) -> tuple[str, bool]:
    """The state in words, and whether its owner has to act."""
    checks = [check for cell in cells for check in _checks(entry, root, cell)]
    failing = sum(check.status in (Status.FAILED, Status.QUARANTINED) for check in checks)
    passing = sum(check.status is Status.PASSED for check in checks)
    if entry.is_expired(today):
        return f"expired on {entry.expires}; {entry.owner} has to fix it or to renew the entry", True
    if not failing and not passing:
        return "was not run in these cells", False
    if not failing:
        return f"passes again in {passing} of {passing} cells: remove the entry", True
    return (
        f"still fails in {failing} of {failing + passing} cells; {entry.owner}, until {entry.expires}",
        False,
    )


def _checks(entry: Quarantined, root: Path, cell: Cell) -> Iterator[Check]:
    library = file_digest(root / cell.library)
    record = tests.KIND.format.read(root / cell.build_dir / tests.KIND.file, library=library)
    if not isinstance(record, NotMeasured):
        yield from (check for check in record.programs if entry.is_about(cell, Path(check.name).stem))
