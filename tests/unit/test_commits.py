"""`commits`: the order of commits, merges, and the suggestions for a name that git does not know."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from layermatrix.jobs import commits
from layermatrix.jobs.commits import BaseError

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
AUTHOR = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main")


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", *AUTHOR, *words], cwd=root, check=True, capture_output=True)


def commit(root: Path, name: str) -> str:
    path = root / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(path.name + ".\n" + (path.read_text() if path.exists() else ""), encoding="utf-8")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", f"change {name}")
    return head(root)


def head(root: Path) -> str:
    found = commits.commit_of(root, "HEAD")
    assert found
    return found


@pytest.fixture
def merged(tmp_path: Path) -> Path:
    """first, then a branch with two commits that is merged, then a document and a source."""
    git(tmp_path, "init", "--quiet")
    commit(tmp_path, "first.c")
    git(tmp_path, "branch", "first")
    git(tmp_path, "checkout", "--quiet", "-b", "side")
    commit(tmp_path, "one.c")
    commit(tmp_path, "two.c")
    git(tmp_path, "checkout", "--quiet", "main")
    commit(tmp_path, "main.c")
    git(tmp_path, "merge", "--quiet", "--no-ff", "--message", "Merge side", "side")
    commit(tmp_path, "docs/notes.md")
    commit(tmp_path, "last.c")
    return tmp_path


def test_the_history_follows_first_parents_and_leaves_out_what_is_not_built(merged: Path) -> None:
    found = commits.history(merged, "first", "main")
    assert [commits.subject(merged, one) for one in found] == ["change main.c", "Merge side", "change last.c"]


def test_a_merge_names_where_its_commits_begin(merged: Path) -> None:
    merge = commits.commit_of(merged, "main~2")
    assert merge
    assert commits.merged_from(merged, merge) == commits.commit_of(merged, "first")
    assert commits.merged_from(merged, head(merged)) is None


def test_ancestors_are_known(merged: Path) -> None:
    first, last = (commits.resolved(merged, name, "") for name in ("first", "main"))
    assert commits.is_ancestor(merged, first, last)
    assert not commits.is_ancestor(merged, last, first)


def test_an_unknown_commit_gets_a_suggestion(merged: Path) -> None:
    with pytest.raises(BaseError, match="base=sied: git knows no commit 'sied'; did you mean 'side'"):
        commits.resolved(merged, "sied", "base=sied")
    with pytest.raises(BaseError, match=r"in a shallow clone, fetch it first$"):
        commits.resolved(merged, "HEAD~99", "base=HEAD~99")


def test_changes_of_the_build_are_named_and_others_are_not(merged: Path) -> None:
    assert commits.changed_files(merged) == []
    (merged / "first.c").write_text("changed\n", encoding="utf-8")
    (merged / "new.c").write_text("new\n", encoding="utf-8")
    (merged / "docs/notes.md").write_text("changed\n", encoding="utf-8")
    assert commits.changed_files(merged) == ["first.c", "new.c"]


def test_a_folder_without_a_repository_has_no_commits(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("none\n", encoding="utf-8")  # git does not look further up
    assert commits.changed_files(tmp_path) == []
    with pytest.raises(BaseError, match="is not in a git repository"):
        commits.resolved(tmp_path, "HEAD", "a=x@HEAD")
