"""A wheel of the package in an environment of its own, and projects that have nothing else of this repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.scons.conftest import LIMIT, ROOT, Project, Run

INDEX = ("Could not find a version", "Connection", "Failed to establish", "Temporary failure")


def run(*command: str | Path, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(words, cwd=folder, env=plain, capture_output=True, text=True, timeout=LIMIT)


def pip(python: str | Path, *words: str | Path) -> None:
    done = run(python, "-m", "pip", "--disable-pip-version-check", "--no-input", *words)
    if any(said in done.stderr for said in INDEX):
        pytest.skip(f"the package index cannot be reached: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clone has that packages are made of."""
    root = tmp_path_factory.mktemp("clone") / "clone"
    root.mkdir()
    for name in ("pyproject.toml", "LICENSE", "README.md", "SConstruct"):
        shutil.copy2(ROOT / name, root)
    for name in ("site_scons", "docs", "variants"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    return root


@pytest.fixture(scope="session")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip(sys.executable, "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source)
    (made,) = folder.glob("layermatrix-*.whl")
    return made


@pytest.fixture(scope="session")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the wheel and what it depends on, and nothing else."""
    folder = tmp_path_factory.mktemp("venv") / "venv"
    assert run(sys.executable, "-m", "venv", folder).returncode == 0
    pip(folder / "bin/python", "install", "--quiet", wheel)
    return folder / "bin/python"


class Stranger(Project):
    """The project foreign/ with nothing of this repository in it, and SCons of the wheel's environment."""

    def __init__(self, root: Path, python: Path) -> None:
        super().__init__(root)
        self.python = python

    def scons(self, *words: str) -> Run:
        done = run(self.python.with_name("scons"), "-Q", "verbose=1", *words, folder=self.root)
        return Run(done.returncode, done.stdout, done.stderr)
