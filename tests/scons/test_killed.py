"""After a kill at any moment, the next run keeps what was finished and believes nothing half-written."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scons.conftest import Project, Run

SLOW = "#include <unistd.h>\nint main(void) { return (int)sleep(2); }\n"


def start(project: Project, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "SCons", "-Q", "-j2", *words]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=project.root, stdout=quiet, stderr=quiet, start_new_session=True)


def kill(run: subprocess.Popen[bytes]) -> None:
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def test_runs_killed_at_random_moments_leave_nothing_that_a_later_run_believes(foreign: Project) -> None:
    moments = random.Random(7)
    for _ in range(3):
        run = start(foreign, "evidence", "variant=all", "mode=release")
        time.sleep(moments.uniform(0.5, 3))
        kill(run)
    foreign.build("evidence", "variant=all", "mode=release")
    for record in foreign.root.glob("build/*/evidence/*.json"):
        assert json.loads(record.read_text(encoding="utf-8"))["status"] in ("measured", "not measured"), (
            record
        )
    assert foreign.build("evidence", "variant=all", "mode=release").actions == []


def test_what_was_finished_before_the_kill_is_not_made_again(foreign: Project, cc: str) -> None:
    foreign.write("tests/test_slow.c", SLOW)
    done = foreign.path(f"build/small-release-{cc}/evidence/guards.json")
    run = start(foreign, "evidence", "variant=small")
    deadline = time.monotonic() + 60
    while not done.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    wait_for_a_save(foreign.path(".sconsign.dblite"), done)
    kill(run)
    again = foreign.scons("evidence", "variant=small")
    assert not {"gen/pool_gen.h", "libpool.so", "unit_gen.o"} & {
        name.split("/", 1)[1] for name in made(again)
    }
    assert f"EVIDENCE small-release-{cc}/evidence/tests.json" in again.actions


def made(run: Run) -> list[str]:
    return [action.split()[1] for action in run.actions]


def wait_for_a_save(database: Path, after: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if database.exists() and database.stat().st_mtime >= after.stat().st_mtime:
            return
        time.sleep(0.05)
