"""What a job records: a run on a host, and the figures of each subject."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from layermatrix.core.host import DIGITS, Host, digest

DETERMINISTIC, TIMED = "deterministic", "timed"
CELL, PEER, BASELINE = "cell", "peer", "baseline"


@dataclass(frozen=True)
class Revision:
    """The commit of the files that were built. time: seconds since 1970. order: the number of commits before
    it. dirty: the files differ from the commit. The default: no commit is known."""

    commit: str = ""
    time: int = 0
    order: int = 0
    dirty: bool = False


@dataclass(frozen=True)
class Run:
    """started, finished: UTC, as 2026-01-31T12:00:00Z. conditions: JSON values."""

    job: str
    started: str
    finished: str
    revision: Revision
    command: str
    host: Host
    conditions: Mapping[str, object] = field(default_factory=dict)
    seed: int | None = None
    key: str = field(default_factory=lambda: os.urandom(DIGITS // 2).hex())


@dataclass(frozen=True)
class Subject:
    """What was measured. name: the id of a cell, or the name of a library. library_digest: SHA-256 of the
    shared library."""

    name: str
    source: str
    variant: str = ""
    mode: str = ""
    compiler: str = ""
    sanitizer: str = ""
    target: str = ""
    axes: Mapping[str, str] = field(default_factory=dict)
    library_digest: str = ""
    compiler_version: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of its row: the key, which is a digest of the others, then the fields."""
        values = (getattr(self, part.name) for part in fields(self))
        texts = [value if isinstance(value, str) else json.dumps(value, sort_keys=True) for value in values]
        return (digest(*texts), *texts)


@dataclass(frozen=True)
class Figure:
    """One figure. load: empty for a figure of the code. kind: DETERMINISTIC or TIMED. load_digest: changes
    with the program and arguments of the load. samples: empty for a count."""

    load: str
    name: str
    unit: str
    median: float
    low: float
    high: float
    kind: str = DETERMINISTIC
    better: str = "lower"
    load_digest: str = ""
    samples: tuple[float, ...] = ()


@dataclass(frozen=True)
class Measurement:
    """The figures of one subject in a run. seed, conditions: of its timing. host: None for this machine."""

    subject: Subject
    figures: tuple[Figure, ...]
    seed: int | None = None
    conditions: Mapping[str, object] = field(default_factory=dict)
    host: Host | None = None
