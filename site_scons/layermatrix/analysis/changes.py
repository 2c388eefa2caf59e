"""What a change moved: the figures of two results that are counted, not timed, cell by cell.

Reads two documents of the form of results.json (`results.document`). Speeds are left out: runs of two moments
or machines do not compare. Counts are left out, with the reason, where `store.comparable` does not allow to
compare the hosts that took them. Results of shards are first merged to one document.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layermatrix.analysis.results import SCHEMA
from layermatrix.core.errors import quote
from layermatrix.core.host import Host
from layermatrix.evidence.counters import KIND
from layermatrix.store import comparable
from layermatrix.store.entries import DETERMINISTIC

Document = Mapping[str, Any]
COUNTED = {  # of a load -> digits that are compared and shown
    "instructions": 1, "d1_misses": 3, "i1_misses": 3, "ll_misses": 3, "mispredicted": 3,
}  # fmt: skip
OF_CODE = ("instructions", "bytes", "branches", "calls", "stack")
OF_HIT = ("instructions", "branches", "calls")
OF_LIBRARY = ("text", "tls")


class DocumentError(Exception):
    """A file holds no results that can be compared; str() is one line."""


@dataclass(frozen=True)
class Moved:
    """A figure that differs. group: what kind of figure it is. before, now: None if it was not measured.
    limit: its budget now. digits: of both values."""

    cell: str
    group: str
    figure: str
    before: float | None
    now: float | None
    limit: float | None = None
    digits: int = 0

    @property
    def is_worse(self) -> bool:
        """Whether it grew: less is better for every counted figure."""
        return self.before is not None and self.now is not None and self.now > self.before

    @property
    def percent(self) -> float | None:
        if not self.before or self.now is None:
            return None
        return 100 * (self.now - self.before) / abs(self.before)


@dataclass(frozen=True)
class Failed:
    """A cell that fails, with its first reason and the command that repeats it."""

    cell: str
    reason: str
    repeat: str


@dataclass(frozen=True)
class Apart:
    """Cells whose counts do not compare, because of the hosts that took them, and the reason."""

    cells: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Changes:
    """broken: fail now, not before. fixed: failed before, not now. failing: failed before as well. added,
    gone: cells of one side alone. compared: the number of cells of both sides. base: what it is called.
    apart: cells whose counts do not compare; their code does."""

    base: str
    compared: int
    broken: tuple[Failed, ...]
    failing: tuple[Failed, ...]
    fixed: tuple[str, ...]
    added: tuple[str, ...]
    gone: tuple[str, ...]
    moved: tuple[Moved, ...]
    apart: tuple[Apart, ...] = ()


def load(path: Path) -> Document:
    """The results in a file. Raises DocumentError."""
    found: Any
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DocumentError(f"{path}: {error.strerror or error}") from None
    except ValueError:
        raise DocumentError(f"{path} is not JSON") from None
    cells = found.get("cells") if isinstance(found, dict) else None
    if not isinstance(cells, list) or not all(isinstance(one, dict) and "id" in one for one in cells):
        raise DocumentError(f"{path} holds no results: build/report/results.json of a run is expected")
    if found.get("schema") != SCHEMA:
        form = found.get("schema")
        raise DocumentError(f"{path} has the form {form!r}, and {SCHEMA} is expected: measure the base again")
    document: Document = found
    return document


def merged(documents: Sequence[Document]) -> Document:
    """One document with the cells of all; each names the host of its own document. Raises DocumentError if
    two have the same cell."""
    cells: dict[str, Any] = {}
    hosts: dict[str, Host] = {}
    for document in documents:
        own = _own_host(document)
        hosts |= _hosts(document)
        for cell in document["cells"]:
            if cell["id"] in cells:
                raise DocumentError(f"two results have the cell {quote(cell['id'])}: give each shard once")
            cells[cell["id"]] = cell if "host" in cell else {**cell, "host": own.id if own else None}
    listed = [{"id": name, **host.to_json()} for name, host in hosts.items()]
    return {**documents[0], "cells": list(cells.values()), "hosts": listed}


def compare(base: Document | None, now: Document, name: str, *, is_from_here: bool = False) -> Changes:
    """What differs. Without a base, every cell is new. name: what the base is called. is_from_here: this
    machine has counted both."""
    before = {cell["id"]: cell for cell in base["cells"]} if base else {}
    after = {cell["id"]: cell for cell in now["cells"]}
    failed = {
        cell["id"]: Failed(cell["id"], cell["failed"], cell["repeat"])
        for cell in after.values()
        if cell["failed"]
    }
    failed_before = {name for name, cell in before.items() if cell["failed"]}
    both = [name for name in after if name in before]
    reasons = {} if is_from_here or base is None else _why_apart(base, now, both)
    return Changes(
        base=name,
        compared=len(both),
        broken=tuple(one for name, one in failed.items() if name not in failed_before),
        failing=tuple(one for name, one in failed.items() if name in failed_before),
        fixed=tuple(name for name in both if name in failed_before and name not in failed),
        added=tuple(name for name in after if name not in before) if base else (),
        gone=tuple(name for name in before if name not in after),
        moved=tuple(
            one
            for name in both
            for one in _moved(name, before[name], after[name])
            if name not in reasons or one.group != COUNTERS
        ),
        apart=tuple(
            Apart(tuple(name for name in both if reasons.get(name) == reason), reason)
            for reason in dict.fromkeys(reasons.values())
        ),
    )


def _why_apart(base: Document, now: Document, cells: Sequence[str]) -> dict[str, str]:
    """Cell -> the reason why its counts do not compare; without the cells whose counts do."""
    before, after = _counting_hosts(base), _counting_hosts(now)
    found = {}
    for name in cells:
        reason = _why_other(before[name], after[name])
        if reason:
            found[name] = reason
    return found


def _why_other(before: Host | None, now: Host | None) -> str | None:
    if before is None or now is None:
        side = "the base" if before is None else "these results"
        return f"the kind of host that counted {side} is unknown: measure it again"
    return comparable.why_other_host(DETERMINISTIC, now, before)


def _counting_hosts(document: Document) -> dict[str, Host | None]:
    """Cell -> the host that counted it; None if the document does not name it."""
    own, hosts = _own_host(document), _hosts(document)
    found = {}
    for cell in document["cells"]:
        noted = (cell.get("hosts") or {}).get(KIND.name) or cell.get("host")
        found[cell["id"]] = hosts.get(noted) if noted or "host" in cell else own
    return found


def _own_host(document: Document) -> Host | None:
    """The host that wrote a document; None if it is of a version that did not note its kind."""
    try:
        return Host.from_json(document.get("host"))
    except ValueError:
        return None


def _hosts(document: Document) -> dict[str, Host]:
    """The hosts that a document names, by their ids. Raises DocumentError for a damaged one."""
    try:
        found = [Host.from_json(one) for one in document.get("hosts", ())]
    except ValueError as error:
        raise DocumentError(f"the results are damaged: {error}; measure them again") from None
    own = _own_host(document)
    return {host.id: host for host in (*found, *([own] if own else []))}


def _moved(cell: str, before: Document, after: Document) -> Iterator[Moved]:
    """The figures of a cell that differ."""
    old, new, limits = dict(_figures(before)), dict(_figures(after)), dict(_limits(after))
    for key in {**new, **old}:
        group, figure = key
        digits = COUNTED.get(figure.rpartition(" ")[2], 0) if group == COUNTERS else 0
        values = [side.get(key) for side in (old, new)]
        was, now = (None if value is None else round(value, digits) + 0.0 for value in values)
        if was != now:
            yield Moved(cell, group, figure, was, now, limits.get(key), digits)


COUNTERS, CODE, LIBRARY = "counters", "code", "library"  # the groups


def _figures(cell: Document) -> Iterator[tuple[tuple[str, str], float]]:
    """The counted figures of a cell, by group and name."""
    for load_name, counted in _part(cell, "counters", "loads").items():
        for event in COUNTED:
            value = counted.get("per_op", {}).get(event)
            if value is not None:
                yield (COUNTERS, f"{load_name} {event}"), value
    for entry, code in _part(cell, "asm", "entries").items():
        if "instructions" in code:
            yield from (((CODE, f"{entry} {metric}"), code[metric]) for metric in OF_CODE if metric in code)
        hit = code.get("hit") or {}
        yield from (((CODE, f"{entry} hit_{metric}"), hit[metric]) for metric in OF_HIT if metric in hit)
    library = _part(cell, "asm", "library")
    yield from (((LIBRARY, metric), library[metric]) for metric in OF_LIBRARY if metric in library)


def _limits(cell: Document) -> Iterator[tuple[tuple[str, str], float]]:
    """The budget of a cell, by the same keys."""
    for figure in _part(cell, "budget").get("figures", ()):
        entry, metric = figure["entry"], figure["metric"]
        yield ((LIBRARY, metric) if entry == "library" else (CODE, f"{entry} {metric}")), figure["limit"]


def _part(cell: Document, *path: str) -> Mapping[str, Any]:
    """A mapping in a cell; empty if it was not measured."""
    found: Any = cell
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}
