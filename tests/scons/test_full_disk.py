"""On a full disk, a run ends with a one-line message instead of a traceback."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.scons.conftest import Project


def scons_on_a_full_disk(project: Project, limit: int, *words: str) -> subprocess.CompletedProcess[str]:
    """Run SCons with these words, with a limit on the size of files in bytes."""

    def fill() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # otherwise, the signal would end the process
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-B", "-m", "SCons", "-Q", "-j1", *words]
    return subprocess.run(
        command, cwd=project.root, capture_output=True, text=True, timeout=300, preexec_fn=fill
    )


@pytest.mark.parametrize(("limit", "words"), [(0, ["list"]), (0, ["headers"]), (3000, ["headers"])])
def test_a_full_disk_is_named_in_a_line(foreign: Project, limit: int, words: list[str]) -> None:
    done = scons_on_a_full_disk(foreign, limit, "variant=small", *words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "None" not in done.stderr
