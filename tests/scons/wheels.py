"""Programs and pip in environments without this repository, to test the installed package."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

LIMIT = 300.0  # seconds for one program
INDEX = ("Could not find a version", "Connection", "Failed to establish", "Temporary failure")


def run(*command: str | Path, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(words, cwd=folder, env=plain, capture_output=True, text=True, timeout=LIMIT)


def pip(python: str | Path, *words: str | Path) -> None:
    done = run(python, "-m", "pip", "--disable-pip-version-check", "--no-input", *words)
    if any(message in done.stderr for message in INDEX):
        pytest.skip(f"the package index cannot be reached: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
