"""Apply what variants/quarantine.yaml says to failed checks: repeat flaky ones, do not count quarantined
ones.

A check that passed only when it was repeated, or whose failure does not count, says so in its reason.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from layermatrix.evidence.check import Check, Status

if TYPE_CHECKING:
    from layermatrix.model.cells import Cell
    from layermatrix.model.quarantine import Quarantine


def repeated(run: Callable[[], Check], attempts: int) -> Check:
    """The first attempt that does not fail, or the last one."""
    check = run()
    for attempt in range(2, attempts + 1):
        if check.status is not Status.FAILED:
            break
        first = check.reason
        check = run()
        if check.status is Status.PASSED:
            return replace(check, reason=f"flaky: passed in attempt {attempt} of {attempts}; before: {first}")
    return check


def tolerated(
    check: Check, test: str, cell: Cell, known: Quarantine, today: datetime.date | None = None
) -> Check:
    """The check; quarantined if it failed and an entry that has not expired is about it."""
    entry = known.of(cell, test)
    if check.status is not Status.FAILED or entry is None:
        return check
    if entry.is_expired(today or datetime.date.today()):
        end = f"its quarantine expired on {entry.expires}; {entry.owner} looks after it"
        return replace(check, reason=f"{check.reason}; {end}")
    why = f"quarantined until {entry.expires}, {entry.owner}: {entry.reason}; {check.reason}"
    return replace(check, status=Status.QUARANTINED, reason=why)
