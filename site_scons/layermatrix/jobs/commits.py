"""What git knows about commits: their names, their files, their order.

Every question is one call of git in the project's folder. Raises BaseError with what is wrong and what helps.
"""

from __future__ import annotations

from pathlib import Path

from layermatrix.core import process
from layermatrix.core.errors import hint_for, quote

UNRELATED = (":(exclude)tests", ":(exclude)docs", ":(exclude,glob)**/*.md")  # not part of a build


class BaseError(Exception):
    """A commit cannot be measured; str() is one line."""


def commit_of(root: Path, name: str) -> str | None:
    """The full hash of a commit; None if git does not know it, or there is no repository."""
    try:
        return git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    except BaseError:
        return None


def subject(root: Path, commit: str) -> str:
    """The first line of a commit's message."""
    return git(root, "log", "-1", "--format=%s", commit)


def resolved(root: Path, name: str, given: str) -> str:
    """The full hash of the commit that a user names in `given`. Raises BaseError with suggestions."""
    found = commit_of(root, name)
    if found:
        return found
    try:
        names = git(root, "for-each-ref", "--format=%(refname:short)").split()
    except BaseError:
        raise BaseError(
            f"{given}: {root.name} is not in a git repository, so it has no other commit"
        ) from None
    hint = hint_for(name, [*names, "HEAD"]) or "git log shows the commits"
    raise BaseError(f"{given}: git knows no commit {quote(name)}; {hint}; in a shallow clone, fetch it first")


def changed_files(root: Path) -> list[str]:
    """The files of the build that differ from the last commit; none outside a repository."""
    try:
        lines = git(
            root, "status", "--porcelain", "--untracked-files=normal", "--", ".", *UNRELATED
        ).splitlines()
    except BaseError:
        return []
    return [line[2:].strip() for line in lines]


def variants_at(root: Path, commit: str) -> list[str]:
    """The names of the files in variants/ of a commit, without their ending."""
    found = git(root, "ls-tree", "--name-only", commit, "variants/").split()
    return [Path(name).stem for name in found if name.endswith(".yaml")]


def history(root: Path, good: str, bad: str) -> list[str]:
    """The commits after `good` up to `bad` that touched files of the build, oldest first: without those that
    changed only tests, documents, or nothing below the project's folder."""
    return git(
        root, "rev-list", "--first-parent", "--reverse", f"{good}..{bad}", "--", ".", *UNRELATED
    ).split()


def touching(root: Path, commit: str) -> list[str]:
    """The commit and those before it that touched files of the build, as `history` counts them, newest
    first."""
    return git(root, "rev-list", "--first-parent", commit, "--", ".", *UNRELATED).split()


def first_parents(root: Path, commit: str) -> list[str]:
    """The commit and all before it along the first parents, newest first."""
    return git(root, "rev-list", "--first-parent", commit).split()


def merged_from(root: Path, commit: str) -> str | None:
    """Where the history that a merge brought in begins; None if the commit is no merge."""
    parents = git(root, "rev-list", "--parents", "-1", commit).split()[1:]
    return git(root, "merge-base", *parents[:2]) if len(parents) > 1 else None


def is_ancestor(root: Path, old: str, new: str) -> bool:
    """Whether the history of `new` contains `old`."""
    try:
        return git(root, "merge-base", old, new) == old
    except BaseError:  # they have no common history
        return False


def git(root: Path, *words: str) -> str:
    """The output of a command of git. Raises BaseError."""
    done = process.run(["git", *words], environment=process.environment(), timeout=600, folder=root)
    if done.failure:
        raise BaseError(f"git {words[0]}: {done.failure}")
    return process.text(done.stdout).strip()
