"""`history`: which commits are measured, and which command lines are refused before anything is built."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from layermatrix.build import request
from layermatrix.build.request import RequestError
from layermatrix.build.toolchain import Toolchain
from layermatrix.jobs import history, past_commits, registry
from layermatrix.jobs.base import Plan
from layermatrix.spec.loader import load_project

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
GCC = Toolchain("gcc", ("gcc",), "gcc 12", "x86_64-linux-gnu")


def git(root: Path, *words: str) -> str:
    author = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    done = subprocess.run(["git", *author, *words], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def plan(project: Callable[..., Path]) -> Plan:
    """A project whose commits 1 to 5 change its variants, each followed by one of a note."""
    root = project()
    loaded = load_project(root)
    git(root, "init", "--quiet")
    for number in range(1, 6):
        for file, title in (("variants/notes.txt", f"commit {number}"), ("notes.md", f"note {number}")):
            (root / file).write_text(f"{number}\n", encoding="utf-8")
            git(root, "add", "--all")
            git(root, "commit", "--quiet", "--message", title)
    return Plan(root, loaded, request.parse([], ["history"], registry.TARGETS), {"gcc": GCC}, [])


def titles(plan: Plan, commits: str, start: str = "") -> list[str]:
    return [past.title for past in past_commits.chosen(plan, commits, start)]


def test_a_number_selects_the_last_commits_that_changed_what_is_built(plan: Plan) -> None:
    assert titles(plan, "2") == ["commit 5", "commit 4"]
    assert len(titles(plan, "100")) == 5


def test_from_selects_the_commits_since_or_some_of_them_at_equal_distances(plan: Plan) -> None:
    first = git(plan.root, "log", "--format=%H", "--reverse").splitlines()[0]
    assert titles(plan, "", "HEAD~4") == ["commit 5", "commit 4", "note 3"]
    assert titles(plan, "", first) == [f"commit {number}" for number in (5, 4, 3, 2, 1)]
    assert titles(plan, "3", first) == ["commit 5", "commit 3", "commit 1"]


def test_names_select_just_these_commits(plan: Plan) -> None:
    found = past_commits.chosen(plan, "HEAD~2, HEAD", "")
    assert [(past.title, past.revision.order) for past in found] == [("note 4", 8), ("note 5", 10)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"commits": "nowhere"},
            "commits=nowhere: git knows no such commit; in a shallow clone, fetch it first",
        ),
        ({"from": "nowhere"}, "from=nowhere: git knows no such commit"),
        ({"commits": "0"}, "commits=0: expected a number from 1 to 9999, or names of commits"),
        ({"commits": "HEAD", "from": "HEAD~1"}, "from= and a list of commits exclude each other"),
        ({"rounds": "3"}, "rounds= times the commits of commits= or from=: history needs one of them"),
    ],
)
def test_a_wrong_command_line_is_refused(plan: Plan, given: dict[str, str], message: str) -> None:
    wanted = request.parse([*given.items()], ["history"], registry.TARGETS)
    with pytest.raises(RequestError) as error:
        history.prepare(Plan(plan.root, plan.project, wanted, plan.compilers, []))
    assert message in str(error.value)


def test_outside_a_repository_the_error_of_git_is_shown(plan: Plan) -> None:
    shutil.rmtree(plan.root / ".git")
    with pytest.raises(RequestError, match="commits=2: git log: "):
        past_commits.chosen(plan, "2", "")
