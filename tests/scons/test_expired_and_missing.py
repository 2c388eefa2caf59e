"""An expired quarantine and a missing compiler: what a user gets to read, through the whole command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scons.conftest import Project

QUARANTINE = """
doc: What is known to fail.
quarantine:
  - tests: test_broken
    cells: {{variant: small}}
    reason: the cause is not known yet
    owner: Ada
    expires: {expires}
"""


def test_the_failure_of_a_quarantined_test_counts_again_after_its_last_day(foreign: Project, cc: str) -> None:
    foreign.write("tests/test_broken.c", "int main(void)\n{\n    return 1;\n}\n")
    foreign.write("variants/quarantine.yaml", QUARANTINE.format(expires="2999-12-31"))
    words = ("evidence", "variant=small")
    assert ": 1 passed, 0 failed, 0 not tested." in foreign.build(*words).stdout

    foreign.write("variants/quarantine.yaml", QUARANTINE.format(expires="2020-01-31"))
    run = foreign.scons(*words)
    assert run.status == 1
    assert "1 of 2 failed: test_broken" in run.stderr
    reason = "exit status 1; its quarantine expired on 2020-01-31; Ada looks after it"
    checks = {check["name"]: check for check in foreign.record(f"small-release-{cc}", "tests")["programs"]}
    assert checks["test_broken"]["reason"] == reason
    assert reason in " ".join(run.stdout.split())
    assert run.made("EVIDENCE") == [f"small-release-{cc}/evidence/tests.json"], "nothing else is taken again"

    run = foreign.scons("matrix", "quarantine=check", "rounds=1", *words[1:], "mode=release")
    assert run.status == 1
    line = "quarantine: test_broken: expired on 2020-01-31; Ada has to fix it or to renew the entry"
    assert line in run.stdout


def test_a_missing_compiler_is_named_with_what_installs_it(
    foreign: Project, cc: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is built, and the exit status says that there was nothing to do."""
    foreign.edit("variants/matrix.yaml", f"compiler: [{cc}]", "compiler: [gcc, clang]")
    foreign.edit(
        "SConstruct", "env = Environment(\n", "import os\n\nenv = Environment(\n    ENV=os.environ,\n"
    )
    empty = tmp_path / "bin"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))
    run = foreign.scons("libs", "compiler=all")
    assert run.status == 3
    assert run.stderr.startswith("no cell is left: ")
    for name in ("gcc", "clang"):
        assert f"{name} is not installed: apt install {name}" in run.stderr
    run = foreign.scons("evidence", "compiler=clang", "variant=small")
    assert (run.status, run.actions) == (3, [])
    assert run.stderr == "no cell is left: clang is not installed: apt install clang\n"
