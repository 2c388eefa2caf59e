"""A check: one requirement and its result. The standard library is enough, so hosts use this module, too."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """The result of a check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not run"
    QUARANTINED = "quarantined"  # failed, and variants/quarantine.yaml says that this does not count


@dataclass(frozen=True)
class Check:
    """One requirement and its result, such as a test program or a budget. reason: why it failed or did not
    run. log: details for a reader, such as the end of a program's output. seconds: the run time."""

    name: str
    status: Status
    reason: str | None = None
    log: str = ""
    command: str = ""
    seconds: float = 0.0
