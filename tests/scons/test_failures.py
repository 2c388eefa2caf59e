"""A failure is reported, recorded and tried again. Steps that do not depend on it continue."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.scons.conftest import Project

MARK = "#define POOL_CLASSES"
TAKE = "return pool_take_fast(class);"


def break_variant_apart(foreign: Project) -> None:
    """Make one variant fail to compile."""
    foreign.edit("templates/pool.h.j2", MARK, f"#define POOL_{{{{ variant.name | upper }}}}\n{MARK}")
    include = '#include "pool_gen.h"\n'
    foreign.edit("src/pool.c", include, f"{include}#ifdef POOL_APART\n#error no\n#endif\n")


def break_test(foreign: Project) -> None:
    """Make the test fail, because no buffer is returned."""
    foreign.edit("src/pool.c", TAKE, "pool_take_fast(class);\n    return malloc(8);")


def test_a_failed_compile_shows_and_keeps_its_command_and_its_log(foreign: Project, cc: str) -> None:
    break_variant_apart(foreign)
    run = foreign.scons("variant=apart", "libs")
    assert run.status == 2
    failure = foreign.record(f"apart-release-{cc}", "failure")
    assert "src/pool.c" in failure["command"]
    assert failure["command"] in run.stdout
    assert failure["target"] == f"build/apart-release-{cc}/obj/pool.o"
    assert "#error no" in failure["log"]
    assert "#error no" in run.stderr


def test_a_failure_is_forgotten_when_the_cell_is_built(foreign: Project, cc: str) -> None:
    break_variant_apart(foreign)
    assert foreign.scons("variant=apart", "libs").status == 2
    foreign.edit("src/pool.c", "#error no", "")
    foreign.build("variant=apart", "libs")
    assert not foreign.path(f"build/apart-release-{cc}/evidence/failure.json").exists()


def test_a_cell_that_fails_does_not_stop_the_others_of_a_job(foreign: Project, cc: str) -> None:
    break_variant_apart(foreign)
    run = foreign.scons("matrix", "mode=release")
    assert run.status != 0
    cells = {cell["id"]: cell for cell in json.loads(foreign.read("build/report/results.json"))["cells"]}
    assert cells[f"small-release-{cc}"]["failed"] is None
    assert cells[f"small-release-{cc}"]["bench"]["status"] == "measured"
    assert "pool.o" in cells[f"apart-release-{cc}"]["failed"]
    assert f"variant=apart mode=release compiler={cc} checks" in run.stdout


def test_a_failed_test_fails_the_build_and_is_run_again_by_the_next_one(foreign: Project, cc: str) -> None:
    break_test(foreign)
    for _ in range(2):
        run = foreign.scons("variant=small", "evidence")
        assert run.status == 1
        assert f"EVIDENCE small-release-{cc}/evidence/tests.json" in run.actions
        assert "1 of 1 failed: test_pool" in run.stderr
        assert "Traceback" not in run.stderr
    (program,) = foreign.record(f"small-release-{cc}", "tests")["programs"]
    assert program["status"] == "failed"
    assert "another buffer came" in program["log"]


def test_a_failure_that_was_undone_is_not_taken_for_the_old_pass(foreign: Project, cc: str) -> None:
    foreign.build("variant=small", "evidence")
    good = foreign.read("src/pool.c")
    break_test(foreign)
    assert foreign.scons("variant=small", "evidence").status == 1
    foreign.write("src/pool.c", good)
    foreign.build("variant=small", "evidence")
    assert foreign.record(f"small-release-{cc}", "tests")["programs"][0]["status"] == "passed"


def test_the_test_job_counts_the_tests_of_each_cell_and_fails_with_them(foreign: Project, cc: str) -> None:
    foreign.write("tests/test_nothing.py", "def test_nothing() -> None:\n    pass\n")
    run = foreign.build("test", "variant=small")
    assert f"small-debug-{cc}" in run.stdout
    assert "1 of 1 tests passed, 1 of 1 programs passed" in run.stdout
    assert run.stdout.endswith("tests: passed\n")
    break_test(foreign)
    run = foreign.scons("test", "variant=small", "mode=release")
    assert run.status != 0
    assert "0 of 1 tests passed" in run.stdout
    assert run.stdout.endswith("tests: FAILED\n")


def test_a_failed_python_test_fails_the_test_job(foreign: Project) -> None:
    foreign.write("tests/test_nothing.py", "def test_nothing() -> None:\n    assert False\n")
    run = foreign.scons("test", "variant=small", "mode=release")
    assert run.status != 0
    assert run.stdout.endswith("tests: FAILED\n")


def test_the_test_job_spreads_the_python_tests_over_the_cores(foreign: Project) -> None:
    text = 'import os\n\n\ndef test_spread() -> None:\n    assert "PYTEST_XDIST_WORKER" in os.environ\n'
    foreign.write("tests/test_spread.py", text)
    run = foreign.build("test", "variant=small", "mode=release")
    assert run.stdout.endswith("tests: passed\n")


def test_ctrl_c_ends_a_job_soon_and_keeps_what_was_finished(foreign: Project, cc: str) -> None:
    started = foreign.path("started")
    foreign.write(
        "tests/test_sleep.c",
        "#include <fcntl.h>\n#include <unistd.h>\nint main(void)\n{\n"
        f'    close(open("{started}", O_CREAT | O_WRONLY, 0600));\n'
        "    return (int)sleep(90);\n}\n",
    )
    command = [sys.executable, "-m", "SCons", "-Q", "verbose=1", "-j4", "phases", "variant=small"]
    job = subprocess.Popen(
        command,
        cwd=foreign.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    bench = foreign.path(f"build/small-release-{cc}/bin/bench_churn")
    asm = foreign.path(f"build/small-release-{cc}/evidence/asm.json")
    deadline = time.monotonic() + 30
    while not (bench.exists() and asm.exists() and started.exists()) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(job.pid, signal.SIGINT)
    begin = time.monotonic()
    stdout, stderr = job.communicate(timeout=60)
    assert time.monotonic() - begin < 45, "it has waited for the test"
    assert job.returncode == 130
    assert "interrupted" in stderr
    assert "build/report/index.html" in stdout
    assert "Traceback" not in stderr
    assert not foreign.path(f"build/small-release-{cc}/evidence/tests.json").exists()
    (cell,) = json.loads(foreign.read("build/report/results.json"))["cells"]
    assert (cell["failed"], cell["tests"]["reason"]) == (None, "interrupted")
    assert "Failed" not in stdout
