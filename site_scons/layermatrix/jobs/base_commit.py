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
from layermatrix.core.errors import hint_for, quote
from layermatrix.jobs.base import run_child
from layermatrix.model.cells import DEFAULT_AXES

if TYPE_CHECKING:
    from layermatrix.jobs.base import Plan
    from layermatrix.model.cells import Cell

FOLDER = Path("build/base")
UNRELATED = (":(exclude)tests", ":(exclude)docs", ":(exclude,glob)**/*.md")  # not part of a build
STAMP = "commit.json"  # in a cell's folder: what it was built with


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


def subject(root: Path, commit: str) -> str:
    """The first line of a commit's message."""
    return _git(root, "log", "-1", "--format=%s", commit)


def resolved(root: Path, name: str, given: str) -> str:
    """The full hash of the commit that a user names in `given`. Raises BaseError with suggestions."""
    found = commit_of(root, name)
    if found:
        return found
    try:
        names = _git(root, "for-each-ref", "--format=%(refname:short)").split()
    except BaseError:
        raise BaseError(
            f"{given}: {root.name} is not in a git repository, so it has no other commit"
        ) from None
    hint = hint_for(name, [*names, "HEAD"]) or "git log shows the commits"
    raise BaseError(f"{given}: git knows no commit {quote(name)}; {hint}; in a shallow clone, fetch it first")


def changed_files(root: Path) -> list[str]:
    """The files of the build that differ from the last commit; none outside a repository."""
    try:
        lines = _git(
            root, "status", "--porcelain", "--untracked-files=normal", "--", ".", *UNRELATED
        ).splitlines()
    except BaseError:
        return []
    return [line[2:].strip() for line in lines]


def variants_at(root: Path, commit: str) -> list[str]:
    """The names of the files in variants/ of a commit, without their ending."""
    found = _git(root, "ls-tree", "--name-only", commit, "variants/").split()
    return [Path(name).stem for name in found if name.endswith(".yaml")]


def history(root: Path, good: str, bad: str) -> list[str]:
    """The commits after `good` up to `bad` that touched files of the build, oldest first: without those that
    changed only tests, documents, or nothing below the project's folder."""
    return _git(
        root, "rev-list", "--first-parent", "--reverse", f"{good}..{bad}", "--", ".", *UNRELATED
    ).split()


def merged_from(root: Path, commit: str) -> str | None:
    """Where the history that a merge brought in begins; None if the commit is no merge."""
    parents = _git(root, "rev-list", "--parents", "-1", commit).split()[1:]
    return _git(root, "merge-base", *parents[:2]) if len(parents) > 1 else None


def is_ancestor(root: Path, old: str, new: str) -> bool:
    """Whether the history of `new` contains `old`."""
    try:
        return _git(root, "merge-base", old, new) == old
    except BaseError:  # they have no common history
        return False


def _git(root: Path, *words: str) -> str:
    done = process.run(["git", *words], environment=process.environment(), timeout=600, folder=root)
    if done.failure:
        raise BaseError(f"git {words[0]}: {done.failure}")
    return process.text(done.stdout).strip()
