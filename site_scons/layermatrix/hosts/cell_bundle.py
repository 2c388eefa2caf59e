"""The bundle of a cell, and the records that another host took with it.

The build declares the steps that can run on another host; this module writes them into one bundle. Later, it
looks for the result of exactly that bundle, and the steps of the build take their records from it.

    build/<cell>/bundle.pyz      the bundle
    build/<cell>/bundle.sha256   its digest, as sha256sum prints it
    build/results/<digest>.json  its result, once a host has run it
    build/<cell>/result.json     the result that the cell uses; an empty object if its bundle has none
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from layermatrix.build import dependencies, paths
from layermatrix.build.step import StepError, Task
from layermatrix.core import records
from layermatrix.core.emulator import NATIVE as NATIVE_MACHINE
from layermatrix.evidence.builder import Node
from layermatrix.evidence.hosted import AnyPart
from layermatrix.hosts import bundle, results
from layermatrix.hosts.manifest import HostNeeds
from layermatrix.model.cells import Cell
from layermatrix.model.matrix import NATIVE

SUM, RESULT = "bundle.sha256", "result.json"  # in the folder of a cell
NONE = "{}\n"  # the content of RESULT if no host has run the bundle
_GLIBC = re.compile(r"GLIBC_(\d+(?:\.\d+)+)")


@dataclass(frozen=True)
class Declared:
    """One step of the cell's build that can run on another host. sources: as the step of the build has them.
    needs: the other files that it reads."""

    name: str
    part: AnyPart
    sources: tuple[Node, ...]
    needs: tuple[Node, ...]
    values: tuple[str, ...]

    @property
    def carried(self) -> tuple[Node, ...]:
        """The files that the bundle holds for it: a host links nothing, so it needs no static library."""
        files = (*self.sources[: self.part.carried], *self.needs)
        return tuple(node for node in files if not node.path.endswith(".a"))


@dataclass(frozen=True)
class Writer:
    """The step of the build that writes the bundle."""

    declared: Sequence[Declared]

    def write(self, task: Task) -> None:
        """Write the bundle. sources: the files of all its steps. targets: the bundle, and its digest."""
        host = replace(task, emulator=NATIVE_MACHINE)  # a host of the cell's target runs its programs itself
        steps = [
            bundle.Step(one.name, one.part.hosted, one.part.ask(replace(host, sources=_paths(one.sources))))
            for one in self.declared
        ]
        nodes = {node.abspath for one in self.declared for node in one.carried}
        files = {task.inside(Path(path)): Path(path) for path in nodes}
        content = bundle.Content(
            (task.cell.id,), host_needs(task.cell, files.values()), steps, files, _links(task)
        )
        digest = bundle.write(task.targets[0], content, dependencies.library(task.root))
        task.targets[1].write_text(f"{digest}  {task.targets[0].name}\n", encoding="ascii")


def _paths(nodes: Iterable[Node]) -> tuple[Path, ...]:
    return tuple(Path(node.abspath) for node in nodes)


def _links(task: Task) -> dict[str, str]:
    """The link by which the loader finds the shared library, if that is not the library's own name."""
    system = task.variant.system
    return {} if system.soname == system.shared else {task.inside(task.folder / system.soname): system.shared}


def host_needs(cell: Cell, files: Iterable[Path]) -> HostNeeds:
    """The kind of host that can run these files of a cell."""
    needs = native_host(files)
    return needs if cell.target == NATIVE else replace(needs, architecture=cell.target.partition("-")[0])


def native_host(files: Iterable[Path]) -> HostNeeds:
    """The kind of host that can run these files, which were built for this machine."""
    from layermatrix.evidence.binary import elf  # pyelftools is needed only when a bundle is written

    versions = {version for file in files for version in elf.needed_versions(file)}
    found = [match[1] for match in map(_GLIBC.fullmatch, versions) if match]
    least = max(found, key=lambda version: [int(part) for part in version.split(".")], default="")
    system = os.uname()
    return HostNeeds(system.machine, system.sysname, "glibc" if found else "", least)


# --- results


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
        content = results.path(root, digest).read_bytes() if digest else b""
    except OSError:
        content = b""
    return hashlib.sha256(content).hexdigest() if content else "no result"


def collect(task: Task) -> None:
    """Write the result that the cell uses. sources: the bundle. targets: the result, or an empty object. A
    damaged result is reported and not used."""
    digest = bundle.digest(task.sources[0])
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
            raise StepError(f"{paths.record('result')}: {error}") from error

    return record
