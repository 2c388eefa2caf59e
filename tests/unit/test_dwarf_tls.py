"""Line tables of an object with a thread-local variable: pyelftools cannot place such a variable."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from layermatrix.build.toolchain import LINE_TABLES
from layermatrix.evidence.binary import dwarf, elf


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_an_object_with_a_thread_local_variable_has_lines(tmp_path: Path) -> None:
    source, compiled = tmp_path / "local.c", tmp_path / "local.o"
    source.write_text("__thread int steps;\nint next(void)\n{\n    return ++steps;\n}\n", encoding="utf-8")
    subprocess.run(["gcc", "-O2", *LINE_TABLES, "-g", "-gdwarf-4", "-c", source, "-o", compiled], check=True)
    section = next(part.index for part in elf.read(compiled).sections if part.name == ".text")
    assert {line.line for line in dwarf.read(compiled).lines(section, 0)} <= {3, 4}
    assert dwarf.read(compiled).lines(section, 0)
