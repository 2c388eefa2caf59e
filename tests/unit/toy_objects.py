"""Objects and libraries that tests compile from a few lines of C."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def compiler() -> str:
    found = shutil.which("gcc") or shutil.which("clang")
    if found is None:
        pytest.skip("neither gcc nor clang is installed")
    return found


def build(folder: Path, name: str, source: str, *options: str) -> Path:
    """Compile `name` from C text: an object if the name ends in .o, otherwise a shared library."""
    text = folder / f"{name}.c"
    text.write_text(source, encoding="utf-8")
    how = "-c" if name.endswith(".o") else "-shared"
    command = [compiler(), how, "-fPIC", "-O2", *options, "-o", name, text.name]
    subprocess.run(command, cwd=folder, check=True, timeout=60)
    return folder / name
