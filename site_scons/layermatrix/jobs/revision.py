"""The commit of the project's files, for what is recorded about a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.jobs.commits import BaseError, git
from layermatrix.store.entries import Revision

if TYPE_CHECKING:
    from layermatrix.jobs.base import Plan

BUILT_FROM = ("SConstruct", "variants", "templates", "site_scons")


def built_from(plan: Plan) -> list[str]:
    """The files and folders that decide what a cell contains, relative to the project's folder."""
    found = [name for name in (*BUILT_FROM, plan.sources) if name and (plan.root / name).exists()]
    return list(dict.fromkeys(found))


def current(plan: Plan) -> Revision:
    """The present commit. Edited files make it dirty if a cell is built from them. Outside a repository, and
    in one that does not have the project's files, no commit is known."""
    folders = built_from(plan)
    try:
        if not git(plan.root, "ls-files", "--", "variants"):
            return Revision()
        found = of_commit(plan.root, "HEAD")
        changed = git(plan.root, "status", "--porcelain", "--", *folders)
    except BaseError:
        return Revision()
    return Revision(found.commit, found.time, found.order, dirty=bool(changed))


def of_commit(root: Path, name: str) -> Revision:
    """A commit by its name. Raises BaseError."""
    commit, time = git(root, "log", "-1", "--format=%H %ct", "--end-of-options", name).split()
    return Revision(commit, int(time), int(git(root, "rev-list", "--count", commit)))


def title(root: Path, commit: str) -> str:
    """The first line of a commit's message; empty if git does not know the commit."""
    try:
        return git(root, "log", "-1", "--format=%s", commit)
    except BaseError:
        return ""
