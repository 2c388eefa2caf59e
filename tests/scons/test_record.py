"""`record`: a program's calls become a load that a benchmark replays."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.scons.conftest import Project

# Only these calls have these sizes. A C library allocates a buffer or two of its own.
PROGRAM = """
#include <stdlib.h>
#include <unistd.h>
int main(int count, char **words)
{
    if (count > 1 && words[1][0] == 'd') execl(words[2], words[2], (char *)NULL);
    void *volatile kept[300];
    for (int i = 0; i < 300; i++) kept[i] = malloc(3000000 + (size_t)i);
    for (int i = 0; i < 300; i += 3) kept[i] = realloc(kept[i], 6000000);
    for (int i = 0; i < 300; i += 2) free(kept[i]);
    return 0;
}
"""


def counts_of(project: Project, name: str) -> dict[str, Any]:
    words = ["build/baseline/bin/bench_replay", "--trace", name, "--print", "counts"]
    done = subprocess.run(words, cwd=project.root, capture_output=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_program_is_recorded_and_replayed(project: Project) -> None:
    project.write("own.c", PROGRAM)
    project.compile("own.c", "own program")
    project.compile("own.c", "driver")
    traces = project.path("csrc/bench/traces")
    for packed in traces.glob("*.xz"):
        packed.unlink()
    command = "program=./driver driver 'own program'"
    run = project.build("record", "trace=own", command, "process=own program", "events=5000")
    assert "csrc/bench/traces/own.trace.xz: " in run.stdout
    assert " malloc 300, calloc 0, aligned 0, realloc 100, free 150," in run.stdout
    run = project.build("variant=hakmem", "build/traces/own.trace")
    assert run.made("GENERATE") == ["traces/own.trace"]
    counts = counts_of(project, "own")
    assert (counts["events"], counts["calls"], counts["peak_blocks"]) == (550, 700, 300)
    assert counts["sizes"] == {"4194304": 300, "8388608": 100}
    (traces / "own.trace.xz").write_bytes((traces / "own.trace.xz").read_bytes()[:-40])
    run = project.scons("variant=hakmem", "build/traces/own.trace")
    assert run.status == 2
    assert "own.trace.xz cannot be unpacked: " in run.stderr
    assert "record it again: scons record trace=own" in run.stderr
