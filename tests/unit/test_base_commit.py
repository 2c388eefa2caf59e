"""The files of another commit: checked out once, and used only if they are those of the commit."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from layermatrix.jobs import base_commit, commits
from layermatrix.jobs.commits import BaseError

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
AUTHOR = ("-c", "user.name=x", "-c", "user.email=x@example.org")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a.c").write_text("int a;\n", encoding="utf-8")
    for words in (["init", "--quiet"], ["add", "a.c"], ["commit", "--quiet", "--message", "base"]):
        subprocess.run(["git", *AUTHOR, *words], cwd=tmp_path, check=True)
    return tmp_path


def test_a_checkout_that_lacks_files_or_was_edited_is_not_used(root: Path) -> None:
    """Such as one that was interrupted."""
    commit = commits.commit_of(root, "HEAD")
    assert commit is not None
    place = base_commit.checked_out(root, commit)
    assert base_commit.checked_out(root, commit) == place
    (place / "a.c").unlink()
    with pytest.raises(BaseError, match=r"differs from the commit \(a.c\): remove it"):
        base_commit.checked_out(root, commit)


@dataclass(frozen=True)
class Plan:
    """The part of a plan that is used: a command that fails at once, and builds nothing."""

    scons: tuple[str, ...] = ("false",)

    @property
    def request(self) -> Any:
        return self

    def arguments(self) -> list[str]:
        return []


def test_results_of_an_earlier_run_are_not_those_of_a_failed_one(tmp_path: Path) -> None:
    old = tmp_path / "build/report/results.json"
    old.parent.mkdir(parents=True)
    old.write_text("{}", encoding="utf-8")
    with pytest.raises(BaseError, match="could not be built"):
        base_commit.measured(Plan(), tmp_path, ["variant=gone"])  # type: ignore[arg-type]
