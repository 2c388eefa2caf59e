"""The commands for counting the loads, and the state of the counting tools."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import paths
from layermatrix.build.step import StepError

if TYPE_CHECKING:
    from layermatrix.model.project import Project


def commands(project: Project, names: Iterable[str], built: Sequence[Path]) -> dict[str, tuple[str, ...]]:
    """Load -> its command. built: the built files, which include the programs. Raises StepError if a program
    is missing."""
    return {name: _command(project, name, built) for name in names}


def _command(project: Project, name: str, built: Sequence[Path]) -> tuple[str, ...]:
    load = project.matrix.loads[name]
    program = next((path for path in built if path.name == load.program), None)
    if program is None:
        raise StepError(f"load {name}: there is no benchmark program {load.program}")
    return (str(program), *load.counted)


def files(root: Path, words: Iterable[str]) -> list[Path]:
    """The files that a program finds by these arguments: paths in the project, and names of traces."""
    found = dict.fromkeys(root / place for word in words for place in (word, paths.trace(word)))
    inside = (path for path in found if path.is_relative_to(root) and ".." not in path.parts)
    return [path for path in inside if path.is_file()]


def state(tool: str) -> int | None:
    """The modification time (ns) of a tool, which changes when it is replaced; None if not installed."""
    path = shutil.which(tool)
    return Path(path).stat().st_mtime_ns if path else None
