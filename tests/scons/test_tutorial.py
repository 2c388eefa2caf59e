"""docs/tutorial.md: its commands, in order, in an empty folder with only the wheel."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

from tests.scons.conftest import ROOT
from tests.scons.wheels import LIMIT

TEXT = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
FASTER = {
    "rounds=3": "rounds=1",
    "rounds=10": "rounds=2",
}  # the test checks that it works, not how fast it is


def blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_its_commands_work_word_for_word(python: Path, tmp_path: Path) -> None:
    """The fixture has made the environment with the commands of the first block."""
    install, *others = blocks()
    assert install == "python3 -m venv .venv\n.venv/bin/pip install --quiet layermatrix-*.whl\n"
    (tmp_path / ".venv").symlink_to(python.parents[1])
    script = "".join(others)
    for words, fewer in FASTER.items():
        script = script.replace(words, fewer)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        ["bash", "-eu", "-c", script],
        cwd=tmp_path,
        env=plain,
        capture_output=True,
        text=True,
        timeout=2 * LIMIT,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "over budget, as expected" in done.stdout
    assert "get hit_instructions is " in done.stdout + done.stderr
    assert "quick_without_powers" in done.stdout
    assert "1 cell compared with before.json" in done.stdout
    (folder,) = (tmp_path / "steps/build").glob("quick-release-*")
    assert "powers_find" in (folder / "gen/steps_gen.h").read_text(encoding="utf-8")
    (program,) = json.loads((folder / "evidence/tests.json").read_text(encoding="utf-8"))["programs"]
    assert program["status"] == "passed"
