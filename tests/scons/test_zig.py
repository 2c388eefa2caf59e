"""A library built by zig, the compiler for machines without another compiler, and programs that use it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.scons.conftest import COMPILER, LIMIT, ROOT, Run

from layermatrix.evidence.binary import elf, machine

if TYPE_CHECKING:
    from tests.scons.conftest import Project

FIRST_BUILD = 2 * LIMIT  # zig first compiles its own C library


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with ziglang and everything that this Python has."""
    if importlib.util.find_spec("ziglang"):
        return sys.executable
    folder = tmp_path_factory.mktemp("zig") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=LIMIT)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    command: list[str | Path] = [
        folder / "bin/python", "-m", "pip", "--no-input", "install", "--quiet", "--require-hashes",
        "--no-deps", "-r", ROOT / "requirements-zig.lock",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=FIRST_BUILD)
    if done.returncode:
        pytest.skip(f"ziglang cannot be installed: {done.stderr.strip().splitlines()[-1]}")
    return str(folder / "bin/python")


def scons(project: Project, python: str, *words: str) -> Run:
    command = [python, "-m", "SCons", "-Q", "verbose=1", "compiler=zig", *words]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, timeout=FIRST_BUILD)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return Run(done.returncode, done.stdout, done.stderr)


# Fails if its pool is not the library's.
PRELOADED = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
int main(void)
{
    Dl_info from;
    void *take = dlsym(RTLD_DEFAULT, "pool_take");
    return !(take && dladdr(take, &from) && strstr(from.dli_fname, "release-zig/libpool.so"));
}
"""

# A compiler that may use AVX does so here.
LOOP = "\nvoid pool_double(double *a)\n{\n    for (int i = 0; i < 1024; i++) a[i] += a[i];\n}\n"
OPTIONS = ("-Bsymbolic-functions", "--dynamic-list=list")


def mnemonics(path: Path) -> set[str]:
    """The instructions of an object."""
    file = elf.read(path)
    codes = (
        section.data[one.value : one.value + one.size]
        for one in file.symbols
        for section in file.sections
        if one.kind == "STT_FUNC" and one.section == section.index
    )
    return {found.mnemonic for code in codes for found in machine.decode(code, file.machine)}


def test_zig_builds_a_library_that_programs_run_with(foreign: Project, python: str) -> None:
    """Linker options that zig lacks are left out, and each is named once."""
    cell = "build/small-release-zig"
    foreign.edit("variants/matrix.yaml", f"compiler: [{COMPILER.name}]", "compiler: [zig]")
    linked = f'LIBS=["dl"], SHARED_LINKFLAGS=["-Wl,{",".join(OPTIONS)}"],'
    foreign.edit("SConstruct", 'LIBS=["dl"],', linked)
    foreign.write("list", "{ pool_take; };\n")
    foreign.append("src/pool.c", LOOP)
    words = ("variant=small", "libs", f"{cell}/bin/test_pool")
    lines = scons(foreign, python, *words).stderr.splitlines()
    for option in OPTIONS:
        assert lines.count(f"zig has no linker option {option}: it is left out") == 1
    assert scons(foreign, python, *words).actions == []
    objects = sorted(foreign.path(f"{cell}/obj").glob("**/*.o"))
    used = {name for path in objects for name in mnemonics(path)}
    assert "addpd" in used
    newer = {name for name in used if name.startswith("v")}
    assert not newer, "AVX: zig compiles for this machine's processor unless it is told otherwise"
    foreign.write("preloaded.c", PRELOADED)
    compile_it = [python, "-m", "ziglang", "cc", "-o", "preloaded", "preloaded.c"]
    subprocess.run(compile_it, cwd=foreign.root, check=True, timeout=FIRST_BUILD)
    preload = {"LD_PRELOAD": str(foreign.path(f"{cell}/libpool.so"))}
    for program, variables in ((f"{cell}/bin/test_pool", {}), ("preloaded", preload)):
        done = subprocess.run([foreign.path(program)], env=variables, capture_output=True, timeout=LIMIT)
        assert done.returncode == 0, (program, done.stderr)
