"""Another commit: its files in a folder of their own, built and measured like those of this one.

Uses git's worktrees below build/base/. Raises BaseError with what is wrong and what helps.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import failure, paths
from layermatrix.core import process, records
from layermatrix.jobs import commits
from layermatrix.jobs.base import run_child
from layermatrix.model.cells import DEFAULT_AXES

if TYPE_CHECKING:
    from layermatrix.jobs.base import Plan
    from layermatrix.model.cells import Cell

FOLDER = Path("build/base")
STAMP = "commit.json"  # in a cell's folder: what it was built with


def checked_out(root: Path, commit: str) -> Path:
    """The project's folder at a commit: build/base/<hash>. An existing one is used again."""
    place = (root / FOLDER / commit[:12]).resolve()
    inner = commits.git(root, "rev-parse", "--show-prefix")
    if not (place / ".git").exists():
        commits.git(root, "worktree", "prune")
        commits.git(root, "worktree", "add", "--detach", "--force", str(place), commit)
    elif changed := commits.git(place, "diff", "--name-only", "HEAD"):
        raise commits.BaseError(
            f"{place} differs from the commit ({', '.join(changed.split()[:3])}): remove it"
        )
    return place / inner


def measured(plan: Plan, folder: Path, selection: Sequence[str]) -> Path:
    """Build and count the cells in that folder; the path of its results. A failed cell is part of them.
    selection: the variables that select the cells."""
    found = folder / paths.REPORT / "results.json"
    found.unlink(missing_ok=True)  # it may be of other cells
    run_child([*plan.scons, "-k", *selection, *plan.request.arguments(), "checks"], folder)
    run_child([*plan.scons, *selection, "report"], folder, silent=True)
    if not found.is_file():
        raise commits.BaseError(f"the base could not be built in {folder}: its messages are above")
    return found


def cells_of(plan: Plan, folder: Path) -> set[str]:
    """The names of all cells that the commit in this folder can build here."""
    words = [*plan.scons, *plan.request.compiler_variables.arguments(), "variant=all", "mode=all", "export"]
    done = process.run(words, environment=process.environment(), timeout=600, folder=folder)
    try:
        if not done.failure:
            return {entry["cell"] for entry in json.loads(process.text(done.stdout))["include"]}
        why = done.failure
    except (ValueError, KeyError, TypeError):
        why = f"`export` printed {process.last_line(done.stdout)!r}"
    raise commits.BaseError(
        f"the cells of the base cannot be listed in {folder}: {why}; select cells with variant="
    )


@dataclass(frozen=True)
class Built:
    """A cell of another commit. folder: its build folder. library: its shared library; None if the commit
    does not build it, for the reason `failure`."""

    folder: Path
    library: Path | None
    failure: str | None = None


def built(plan: Plan, commit: str, cell: Cell, *, programs: bool = False, silent: bool = False) -> Built:
    """Build one cell of a commit, unless an earlier run has. programs: also its benchmark programs, for loads
    that are compiled into them. silent: show only errors. Raises BaseError if the commit cannot be checked
    out."""
    place = checked_out(plan.root, commit)
    folder = place / cell.build_dir
    words = [*selection(cell), *plan.request.compiler_variables.arguments()]
    wanted = ["libs", *(["benches"] if programs else [])]
    state = {"words": words, "targets": wanted, "compiler": _compiler(plan, cell)}
    known = _stamp(folder)
    if known is not None and {name: known.get(name) for name in state} == state:
        return _found(folder, known.get("failure"))
    status = run_child([*plan.scons, *words, *wanted], place, silent=silent)
    failed = _failure(folder, status)
    records.write_text(folder / STAMP, json.dumps({**state, "failure": failed}) + "\n")
    return _found(folder, failed)


def selection(cell: Cell) -> list[str]:
    """The variables that select a cell. Axes with their default are left out: an old commit may not have
    them."""
    words = [f"variant={cell.variant.name}", f"mode={cell.mode}", f"compiler={cell.compiler}"]
    words += [
        f"{axis}={getattr(cell, axis)}"
        for axis, usual in DEFAULT_AXES.items()
        if getattr(cell, axis) != usual
    ]
    return words + [f"{one.axis}={one.value.name}" for one in cell.own if not one.usual]


def _compiler(plan: Plan, cell: Cell) -> str:
    """The identity of the cell's compiler."""
    return str(getattr(plan.compilers.get(cell.compiler), "identity", cell.compiler))


def _stamp(folder: Path) -> dict[str, object] | None:
    """What a cell was built with; None if it is not known."""
    try:
        found = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # it is built again
    return found if isinstance(found, dict) else None


def _failure(folder: Path, status: int) -> str | None:
    """Why a cell was not built, after a build with this exit status."""
    if not status and _library(folder):
        return None
    noted = failure.FORMAT.read(failure.file_of(folder))
    if isinstance(noted, failure.Failure):
        return f"does not build: {noted.target} failed"
    return "does not build: its spec or its SConstruct has an error" if status else "builds no shared library"


def _found(folder: Path, failed: object) -> Built:
    library = _library(folder)
    if failed or library is None:
        return Built(folder, None, str(failed or "builds no shared library"))
    return Built(folder, library)


def _library(folder: Path) -> Path | None:
    return next(iter(sorted(folder.glob("lib*.so"))), None)
