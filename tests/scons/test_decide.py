"""`ab a= b=` and `bisect`: two sides of any origin, and the commit that moved a figure."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.scons.conftest import Project

pytestmark = [
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed"),
    pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed"),
]

SLOW = "for (volatile int i = 0; i < 9; i++) {}\n    "


def git(project: Project, *words: str) -> str:
    author = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *author, *words], cwd=project.root, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(project: Project, subject: str) -> str:
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", subject)
    return git(project, "rev-parse", "--short=12", "HEAD")


def add_function(project: Project, name: str) -> None:
    project.append("src/pool.c", f"int {name}(int x);\nint {name}(int x)\n{{\n    return x * 3;\n}}\n")


def words(text: str) -> str:
    return " ".join(text.split())


def test_a_planted_regression_is_found_among_commits_of_which_one_does_not_build(foreign: Project) -> None:
    """Also: the search goes on after an interrupt, and `ab` compares the two commits that it names."""
    foreign.write(".gitignore", "/build/\n__pycache__/\n.sconsign*\n")
    git(foreign, "init", "--quiet")
    commit(foreign, "base")
    add_function(foreign, "pool_one")
    last_good = commit(foreign, "one function")
    foreign.append("src/pool.c", "#error half done\n")
    broken = commit(foreign, "half a change")
    foreign.edit("src/pool.c", "#error half done\n", "")
    foreign.edit("src/pool.c", "return pool_take_fast(class);", f"{SLOW}return pool_take_fast(class);")
    slow = commit(foreign, "wait for the shelf")
    foreign.write("docs/notes.md", "Nothing that is built.\n")
    commit(foreign, "a document")
    add_function(foreign, "pool_two")
    commit(foreign, "another function")

    question = ("bisect", "good=HEAD~5", "variant=small")
    first = foreign.interrupted(r"  [0-9a-f]{12} ", *question)
    assert "the same command goes on where this search was" in first
    run = foreign.build(*question)
    text = words(run.stdout)
    assert "known from an earlier run" in text
    assert re.search(r"instructions per op: 2\d\.\d+ at HEAD~5, \d\d\.\d+ at HEAD", text), text
    assert f"{broken} half a change: skipped: does not build: build/" in text + words(first)
    assert "instructions moved in one of these 2 commits; all but the last do not build:" in text
    assert f"{broken} half a change {slow} wait for the shelf" in text
    ends = (f"a=small@{last_good}", f"b=small@{slow}")
    assert f"compare: scons ab {' '.join(ends)} load=churn" in text
    assert not foreign.build(*question).actions, "the second run builds nothing"

    alone = foreign.build("bisect", "variant=small")
    said = words(alone.stdout)
    assert not alone.actions
    assert f"{slow} wait for the shelf (1 back): instructions: no difference; misses: no difference" in said
    assert f"{broken} half a change (2 back): does not build: " in said
    assert re.search(r"good end: [0-9a-f]{12} base \(4 back\) instructions per op: ", said), said
    assert f"{broken} half a change {slow} wait for the shelf" in said

    duel = foreign.build("ab", *ends, "rounds=1")
    said = words(duel.stdout)
    assert f"Verdict: small@{slow} takes more instructions than small@{last_good} on churn: " in said
    assert "on churn: no verdict: " in said
    assert "too few rounds" in said
    assert not duel.actions
    foreign.append("src/pool.c", "// to be continued\n")
    mixed = words(foreign.build("ab", "a=small@HEAD", "b=small", "rounds=2").stdout)
    assert "small: this tree, with changes that are in no commit: src/pool.c" in mixed
    assert "no difference in instructions on churn" in mixed

    for bad, status, message in (
        (("good=HEAD~1", "bad=HEAD"), 3, "HEAD~1 and HEAD do not differ, so there is no commit to find"),
        (("good=HEAD~3", "bad=HEAD"), 2, "good=HEAD~3: does not build: "),
        (("bad=HEAD~4",), 3, "none of 1 commit before HEAD~4 differs from it in instructions; the last one"),
    ):
        refused = foreign.scons("bisect", "variant=small", "metric=instructions", *bad)
        assert refused.status == status, (bad, refused.stdout, refused.stderr)
        assert message in words(refused.stderr), (bad, refused.stderr)


def test_a_comparison_with_itself_with_the_system_and_with_a_file(foreign: Project) -> None:
    run = foreign.build("ab", "a=small", "b=small", "load=ch*", "rounds=2")
    said = words(run.stdout)
    assert "both sides are the same library, so this is an A/A comparison" in said
    assert "Verdict: small again and small: no difference in instructions on churn: 1.000x." in said
    kept = json.loads(foreign.read("build/report/experiments.json"))["comparisons"][
        "small against small again"
    ]
    assert [side["variant"] for side in kept["sides"]] == ["small", "small again"]
    system = words(foreign.build("ab", "a=no pool", "b=small", "rounds=1").stdout)
    assert "small takes more instructions than no pool on churn" in system
    shutil.copy(foreign.path(run_library(foreign)), foreign.path("mine.so"))
    mine = words(foreign.build("ab", "a=mine:mine.so", "b=small", "rounds=1").stdout)
    assert "A/A comparison" in mine
    refused = foreign.scons("ab", "a=smal", "b=small")
    assert refused.status == 2
    assert "a=smal: unknown variant, cell or library 'smal'; did you mean 'small'?" in refused.stderr


def run_library(project: Project) -> str:
    (found,) = project.root.glob("build/small-release-*/libpool.so")
    return str(found.relative_to(project.root))
