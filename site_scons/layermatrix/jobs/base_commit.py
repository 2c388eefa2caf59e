"""The results of another commit: its files in a folder of their own, built and measured like this one.

Uses git's worktrees below build/base/. Raises BaseError with what is wrong and what helps.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import paths
from layermatrix.core import process
from layermatrix.jobs.base import run_child

if TYPE_CHECKING:
    from layermatrix.jobs.base import Plan

FOLDER = Path("build/base")


class BaseError(Exception):
    """A commit cannot be measured; str() is one line."""


def commit_of(root: Path, name: str) -> str | None:
    """The full hash of a commit; None if git does not know it, or there is no repository."""
    try:
        return _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    except BaseError:
        return None


def checked_out(root: Path, commit: str) -> Path:
    """The project's folder at a commit: build/base/<hash>. An existing one is used again."""
    place = (root / FOLDER / commit[:12]).resolve()
    inner = _git(root, "rev-parse", "--show-prefix")
    if not (place / ".git").exists():
        _git(root, "worktree", "prune")
        _git(root, "worktree", "add", "--detach", "--force", str(place), commit)
    elif changed := _git(place, "diff", "--name-only", "HEAD"):
        raise BaseError(f"{place} differs from the commit ({', '.join(changed.split()[:3])}): remove it")
    return place / inner


def measured(plan: Plan, folder: Path, selection: Sequence[str]) -> Path:
    """Build and count the cells in that folder; the path of its results. A failed cell is part of them.
    selection: the variables that select the cells."""
    found = folder / paths.REPORT / "results.json"
    found.unlink(missing_ok=True)  # it may be of other cells
    run_child([*plan.scons, "-k", *selection, *plan.request.arguments(), "checks"], folder)
    run_child([*plan.scons, *selection, "report"], folder, silent=True)
    if not found.is_file():
        raise BaseError(f"the base could not be built in {folder}: its messages are above")
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
    raise BaseError(f"the cells of the base cannot be listed in {folder}: {why}; select cells with variant=")


def _git(root: Path, *words: str) -> str:
    done = process.run(["git", *words], environment=process.environment(), timeout=600, folder=root)
    if done.failure:
        raise BaseError(f"git {words[0]}: {done.failure}")
    return process.text(done.stdout).strip()
