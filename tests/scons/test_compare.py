"""`compare`: a change in a real repository, against a commit and against the results of shards."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.scons.conftest import Project

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(project: Project, *words: str) -> None:
    author = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *author, *words], cwd=project.root, check=True, capture_output=True)


def test_a_change_is_compared_with_its_base(foreign: Project, cc: str) -> None:
    foreign.write(".gitignore", "/build/\n__pycache__/\n.sconsign*\n")
    git(foreign, "init", "--quiet")
    git(foreign, "add", "--all")
    git(foreign, "commit", "--quiet", "--message", "base")
    foreign.append("src/pool.c", "int pool_more(int x);\nint pool_more(int x)\n{\n    return x * 3;\n}\n")
    same = foreign.build("compare", "base=HEAD", "variant=small")
    cell = f"small-release-{cc}"
    (row,) = [line for line in same.stdout.splitlines() if line.startswith(f"| {cell} | text |")]
    assert "**+" in row
    assert "1 cell compared with HEAD (" in same.stdout
    assert foreign.read("build/report/changes.md") in same.stdout
    foreign.edit("tests/test_pool.c", "return 0;", "return 1;")
    broken = foreign.scons("compare", "base=HEAD", "variant=small")
    assert broken.status != 0
    assert f"### Fails now\n\n- **{cell}**: tests: " in broken.stdout

    shutil.copy(foreign.path("build/base").joinpath(*_results(foreign)), foreign.path("one.json"))
    merged = foreign.build("compare", "reports=one.json", "base=one.json")
    assert "## no counted figure moved: 1 cell compared with one.json\n" in merged.stdout
    # the base builds the cells of the reports, not those that the matrix builds by default
    results = json.loads(foreign.read("one.json"))
    results["cells"].append({**results["cells"][0], "id": "gone-release-gcc", "failed": "tests: x"})
    foreign.write("two.json", json.dumps(results))
    run = foreign.scons("compare", "reports=two.json", "base=HEAD")
    assert run.status == 1
    assert run.cells <= {cell}
    assert "1 cell compared with HEAD (" in run.stdout
    assert "### Fails now\n\n- **gone-release-gcc**: tests: x" in run.stdout
    for words, message in (
        ((), "compare needs base=, a commit or the results.json of an earlier run"),
        (
            ("base=nowhere",),
            "base=nowhere: there is no such file, and git knows no such commit; in a shallow clone, ",
        ),
        (("base=HEAD", "reports=none*.json"), "reports=none*.json: there is no such file"),
        (("base=src/pool.c", "reports=one.json"), "src/pool.c is not JSON"),
    ):
        run = foreign.scons("compare", *words)
        assert run.status == 2, words
        assert message in run.stderr


def _results(project: Project) -> tuple[str, ...]:
    (folder,) = project.path("build/base").iterdir()
    return (folder.name, "build/report/results.json")
