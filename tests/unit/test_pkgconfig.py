"""The .pc file of an installed library."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from layermatrix.build import pkgconfig
from layermatrix.model.system import System
from layermatrix.spec.loader import load_project

Write = Callable[..., Path]
Change = Callable[[str, str], str]


@pytest.fixture
def system(project: Write, layers: Change) -> System:
    root = project(layers=layers("  name: toy\n", "  name: toy\n  version: 1.2.3-rc1\n"))
    return load_project(root).catalogue.system


def test_the_file_has_what_the_spec_declares_of_the_library(system: System) -> None:
    assert pkgconfig.render(system, "/opt/toy", ["-pthread", "-lm"]) == (
        "prefix=/opt/toy\n"
        "libdir=${prefix}/lib\n"
        "includedir=${prefix}/include\n"
        "\n"
        "Name: toy\n"
        "Description: A toy.\n"
        "Version: 1.2.3-rc1\n"
        "Cflags: -I${includedir}\n"
        "Libs: -L${libdir} -ltoy\n"
        "Libs.private: -pthread -lm\n"
    )


@pytest.mark.skipif(not shutil.which("pkg-config"), reason="pkg-config is not installed")
@pytest.mark.parametrize("prefix", ["/usr/local", "/opt/two words", "/home/jo#e/it's"])
def test_pkg_config_gives_the_flags_back(system: System, prefix: str, tmp_path: Path) -> None:
    (tmp_path / "toy.pc").write_text(pkgconfig.render(system, prefix, ["-lm"]), encoding="utf-8")
    script = 'eval "set -- $(pkg-config --static --cflags --libs toy)" && printf "%s\\n" "$@"'
    environment = {**os.environ, "PKG_CONFIG_PATH": str(tmp_path)}
    answer = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines() == [f"-I{prefix}/include", f"-L{prefix}/lib", "-ltoy", "-lm"]
