"""Write the bundle of a cell: the steps of its build that can run on another host, with their files.

build/<cell>/bundle.pyz      the bundle
build/<cell>/bundle.sha256   its digest, as sha256sum prints it
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from layermatrix.build import dependencies
from layermatrix.build.step import Task
from layermatrix.core.emulator import NATIVE as NATIVE_MACHINE
from layermatrix.evidence.builder import Node
from layermatrix.hosts import bundle
from layermatrix.hosts.cell_result import Declared
from layermatrix.hosts.cell_result import digest_of as digest_of
from layermatrix.hosts.manifest import HostNeeds
from layermatrix.model.cells import Cell
from layermatrix.model.matrix import NATIVE

LEFT_OUT = ".a"  # a host links nothing
_GLIBC = re.compile(r"GLIBC_(\d+(?:\.\d+)+)")


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
        names = {name for step in steps for name in step.hosted.outline(step.request).files}
        names |= {task.inside(path) for one in self.declared for path in _paths(one.needs)}
        files = {name: task.root / name for name in names if not name.endswith(LEFT_OUT)}
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
