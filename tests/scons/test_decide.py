"""`ab a= b=` and `bisect`: two sides of any origin, and the commit that moved a figure."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
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
    first = interrupted(foreign, *question)
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

    duel = foreign.build("ab", *ends, "rounds=1")
    said = words(duel.stdout)
    assert f"Verdict: small@{slow} takes more instructions than small@{last_good} on churn: " in said
    assert "speed on churn was timed only once" in said
    assert not duel.actions
    foreign.append("src/pool.c", "// to be continued\n")
    mixed = words(foreign.build("ab", "a=small@HEAD", "b=small", "rounds=2").stdout)
    assert "small: this tree, with changes that are in no commit: src/pool.c" in mixed
    assert "no difference in instructions on churn" in mixed

    for bad, status, message in (
        (("good=HEAD~1", "bad=HEAD"), 3, "HEAD~1 and HEAD do not differ, so there is no commit to find"),
        (("good=HEAD~2", "bad=HEAD~1"), 3, "no commit after HEAD~2 up to HEAD~1 touched files of the build"),
        (("good=HEAD", "bad=HEAD~1"), 2, "good=HEAD is not in the history of bad=HEAD~1: exchange them"),
        (("good=HEAD~50",), 2, "good=HEAD~50: git knows no commit 'HEAD~50'"),
        (("good=HEAD~3", "bad=HEAD"), 2, "good=HEAD~3: does not build: "),
        ((), 2, "bisect needs good=, a commit whose figure was still right"),
    ):
        refused = foreign.scons("bisect", "variant=small", "metric=instructions", *bad)
        assert refused.status == status, (bad, refused.stdout, refused.stderr)
        assert message in words(refused.stderr), (bad, refused.stderr)


def interrupted(project: Project, *question: str) -> str:
    """The output of a search that gets Ctrl-C after its first step."""
    command = [sys.executable, "-m", "SCons", "-Q", "verbose=1", *question]
    lines = []
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it otherwise
    with subprocess.Popen(
        command, cwd=project.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            lines.append(line)
            if re.match(r"  [0-9a-f]{12} ", line):
                child.send_signal(signal.SIGINT)
    assert child.returncode == 130, "".join(lines)
    return "".join(lines)


def test_a_comparison_with_itself_is_one_and_what_cannot_be_compared_is_refused(foreign: Project) -> None:
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
    for given, message in (
        (("a=smal", "b=small"), "a=smal: unknown variant, cell or library 'smal'; did you mean 'small'?"),
        (("a=small",), "ab compares a= with b=: b= is not set"),
        (("a=small", "b=apart", "load=chrun"), "load=chrun: unknown load 'chrun'; did you mean 'churn'?"),
        (("a=small", "b=x:none.so"), "b=x:none.so: there is no file "),
        (("a=small@HEAD", "b=small"), "a=small@HEAD: pool is not in a git repository"),
        (("a=small", "b=apart", "experiment=x"), "leave experiment= out"),
        (("a=small", "b=apart", "variant=small"), "leave variant= and without= out"),
        (
            ("a=small-debug-*", "b=small"),
            "only native release cells without a sanitizer are counted and timed",
        ),
        (("load=churn",), "an experiment names its own loads"),
        ((), "this project has no variants/experiments.yaml; a=<variant> b=<variant> compares two sides"),
    ):
        refused = foreign.scons("ab", *given)
        assert refused.status == 2, given
        assert message in words(refused.stderr), (given, refused.stderr)


def run_library(project: Project) -> str:
    (found,) = project.root.glob("build/small-release-*/libpool.so")
    return str(found.relative_to(project.root))
