"""What another host can do of a cell, and the records that it took: the result of exactly its bundle.

    build/<cell>/bundle.sha256   the digest of the bundle, as sha256sum prints it
    build/results/<digest>.json  its result, once a host has run it
    build/<cell>/result.json     the result that the cell uses; an empty object if its bundle has none

Every build imports this module, so it imports little.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build.step import StepError, Task
from layermatrix.core import records
from layermatrix.hosts import results

if TYPE_CHECKING:
    from layermatrix.evidence.builder import Node
    from layermatrix.evidence.hosted import AnyPart

BUNDLE, SUM, RESULT = "bundle.pyz", "bundle.sha256", "result.json"  # in the folder of a cell
NO_RESULT = "no result"
NONE = "{}\n"  # the content of RESULT if no host has run the bundle


@dataclass(frozen=True)
class Declared:
    """One step of a cell's build that can run on another host. sources: those that its part needs. needs: the
    other files that it reads. values: texts that change with everything else that it depends on."""

    name: str
    part: AnyPart
    sources: tuple[Node, ...]
    needs: tuple[Node, ...]
    values: tuple[str, ...]


def is_hosted(root: Path, folder: Path) -> bool:
    """Whether the cell in this folder uses, or has used, results of other hosts. Fast: every cell of every
    build asks."""
    if (folder / RESULT).exists():
        return True
    digest = digest_of(folder)
    return digest is not None and results.path(root, digest).exists()


def digest_of(folder: Path) -> str | None:
    """The digest of the cell's bundle when it was last built; None if it never was."""
    try:
        return (folder / SUM).read_text(encoding="ascii").split()[0]
    except (OSError, ValueError, IndexError):
        return None


def stamp(root: Path, folder: Path) -> str:
    """A text that changes when the result of the cell's bundle comes, changes or goes."""
    digest = digest_of(folder)
    try:
        facts = results.path(root, digest or "").stat()
    except OSError:
        return NO_RESULT
    return f"{digest} {facts.st_mtime_ns} {facts.st_size}"


def collect(task: Task) -> None:
    """Write the result that the cell uses. sources: the bundle. targets: the result, or an empty object. A
    damaged result is reported and not used."""
    digest = hashlib.sha256(task.sources[0].read_bytes()).hexdigest()
    text = NONE
    try:
        found = results.read(results.path(task.root, digest), digest)
        text = results.text(found) if found else NONE
    except results.ResultError as error:
        shown = str(error).replace(f"{task.root}{os.sep}", "")
        print(f"{shown}; {task.cell.id} is checked here instead", file=sys.stderr)
    records.write_text(task.targets[0], text)


def recorded(folder: Path) -> Callable[[str], str | None]:
    """The function that gives the record of a step from the result that the cell in this folder uses."""

    def record(name: str) -> str | None:
        try:
            text = (folder / RESULT).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        if text == NONE:
            return None
        try:
            return results.parse(text).record(name)
        except results.ResultError as error:
            raise StepError(f"{RESULT}: {error}; remove it") from error

    return record
