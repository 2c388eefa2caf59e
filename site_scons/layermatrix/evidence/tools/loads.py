"""The commands of the loads when they are counted, and the state of the tools that count."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build.step import StepError

if TYPE_CHECKING:
    from layermatrix.model.project import Project


def commands(project: Project, names: Iterable[str], built: Sequence[Path]) -> dict[str, tuple[str, ...]]:
    """Each load with its command. built: files among which its program is."""
    return {name: _command(project, name, built) for name in names}


def _command(project: Project, name: str, built: Sequence[Path]) -> tuple[str, ...]:
    load = project.matrix.loads[name]
    program = next((path for path in built if path.name == load.program), None)
    if program is None:
        raise StepError(f"load {name}: no benchmark program is called {load.program}")
    return (str(program), *load.counted)


def state(tool: str) -> int | None:
    """What changes when a tool is replaced; None where it is not installed."""
    path = shutil.which(tool)
    return Path(path).stat().st_mtime_ns if path else None
