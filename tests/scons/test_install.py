"""`install`: the installed files, and programs that are built with them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.scons.conftest import COMPILER, LIMIT

if TYPE_CHECKING:
    from tests.scons.conftest import Project

# A program in C and C++ that uses the header, the C names, and (in C++) operator new.
PROGRAM = """
#include <hakmem.h>
#include <stdlib.h>
#ifdef __cplusplus
#include <new>
#include <stdexcept>
#endif

static void *volatile kept;

int main(void)
{
    kept = malloc(1000);
    if (hak_malloc_usable_size(kept) < 1000) return 2; // ends the process where malloc is another one
    hak_free(kept);
    kept = hak_calloc(10, 10);
    free(kept);
#ifdef __cplusplus
    int *number = new int(3);
    kept = number;
    if (hak_malloc_usable_size(kept) < sizeof *number) return 3;
    delete number;
    try {
        kept = operator new((size_t)-1 / 4);
        return 4;
    } catch (const std::bad_alloc &) {
    }
#endif
    return 0;
}
"""

needs_pkg_config = pytest.mark.skipif(not shutil.which("pkg-config"), reason="pkg-config is not installed")


def test_install_puts_libraries_header_and_pkg_config_file_under_the_prefix(project: Project) -> None:
    words = ["variant=phase3", "PREFIX=/opt/hakmem", f"DESTDIR={project.path('stage')}", "install"]
    project.build(*words)
    found = {str(path.relative_to(project.path("stage"))) for path in project.path("stage").rglob("*.*")}
    assert found == {
        f"opt/hakmem/{name}"
        for name in ("lib/libhakmem.so", "lib/libhakmem.a", "include/hakmem.h", "lib/pkgconfig/hakmem.pc")
    }
    assert project.read("stage/opt/hakmem/lib/pkgconfig/hakmem.pc").startswith("prefix=/opt/hakmem\n")
    assert project.build(*words).actions == []
    project.build("-c", *words)
    assert not list(project.path("stage").rglob("*.*"))


def test_another_prefix_is_another_pkg_config_file(project: Project) -> None:
    stage = f"DESTDIR={project.path('stage')}"
    project.build("variant=phase3", "PREFIX=/a", stage, "install")
    project.build("variant=phase3", "PREFIX=/b", stage, "install")
    assert project.read("stage/b/lib/pkgconfig/hakmem.pc").startswith("prefix=/b\n")


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prefix below which phase3 is installed."""
    from tests.scons.conftest import Project, copy_tree

    folder = tmp_path_factory.mktemp("installed")
    copy_tree(built, folder / "project")
    Project(folder / "project").build("variant=phase3", f"PREFIX={folder / 'prefix'}", "install")
    return folder / "prefix"


def pkg_config(prefix: Path, *words: str) -> list[str]:
    command = ["pkg-config", *words, "hakmem"]
    environment = {"PATH": "/usr/bin:/bin", "PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


@needs_pkg_config
@pytest.mark.parametrize("language", ["c", "c++"])
@pytest.mark.parametrize("linked", ["shared", "static"])
def test_a_program_is_built_with_the_flags_of_pkg_config(
    installed: Path, language: str, linked: str, tmp_path: Path
) -> None:
    command = COMPILER.command if language == "c" else COMPILER.cxx
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    source, program = tmp_path / "program.c", tmp_path / "program"
    source.write_text(PROGRAM, encoding="ascii")
    if linked == "static":
        flags = ["-static", *pkg_config(installed, "--static", "--cflags", "--libs")]
    else:
        flags = [*pkg_config(installed, "--cflags", "--libs"), f"-Wl,-rpath,{installed / 'lib'}"]
    words = [*command, "-x", language, str(source), "-x", "none", "-o", str(program), *flags]
    made = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT)
    assert made.returncode == 0, made.stderr
    run = subprocess.run([str(program)], capture_output=True, text=True, timeout=LIMIT)
    assert (run.returncode, run.stderr) == (0, "")


@needs_pkg_config
def test_pkg_config_prints_the_version_of_the_spec(installed: Path, project: Project) -> None:
    (version,) = pkg_config(installed, "--modversion")
    assert f"  version: {version}\n" in project.read("variants/layers.yaml")
