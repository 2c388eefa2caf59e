"""Packaging: compiler and flags, the folders of `install`, a soversion, reproducible builds."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.scons.conftest import COMPILER, copy_tree

if TYPE_CHECKING:
    from tests.scons.conftest import Project

BUILD = ("variant=small", "libs")


def versioned(family: str) -> str:
    """A command of this machine for a compiler of this family, such as gcc-12."""
    names = (f"{family}-{version}" for version in range(30, 8, -1))
    found = next((name for name in names if shutil.which(name)), None)
    if found is None:
        pytest.skip(f"no {family} is installed under a name with its version")
    return found


# --- compiler and flags


def test_a_compiler_of_the_environment_is_used_and_shown(
    foreign: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = versioned("gcc")
    monkeypatch.setenv("CC", command)
    monkeypatch.setenv("CFLAGS", "-O3 -DTWO_WORDS='a b'")
    run = foreign.build(*BUILD)
    assert run.cells == {"small-release-gcc"}
    compiled = next(line for line in run.stdout.splitlines() if line.startswith(f"{command} -o"))
    assert compiled.split("-DNDEBUG")[1].split(" -O3 ")[1].startswith('"-DTWO_WORDS=a b"')
    shown = foreign.build("list", "variant=small").stdout
    assert f"gcc is {command}: " in shown
    assert "CFLAGS=-O3 '-DTWO_WORDS=a b'" in shown
    assert f"now: {command} (the environment)" in foreign.build("-h").stdout


def test_what_the_command_line_gives_goes_before_the_environment(
    foreign: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CFLAGS", "-DFROM_ENVIRONMENT")
    run = foreign.build(*BUILD, "CFLAGS=-DTYPED", "CPPFLAGS=-DPRE", "LDFLAGS=-Wl,-z,now")
    assert "-DPRE -DTYPED" in run.stdout
    assert "FROM_ENVIRONMENT" not in run.stdout
    link = next(line for line in run.stdout.splitlines() if "-shared" in line)
    assert "-Wl,-z,now" in link
    assert foreign.build(*BUILD, "CFLAGS=-DTYPED", "CPPFLAGS=-DPRE", "LDFLAGS=-Wl,-z,now").actions == []
    assert "unit_gen.o" in str(foreign.build(*BUILD, "CFLAGS=-DOTHER").made("CC"))


def test_flags_of_a_project_may_name_the_object_that_they_compile(foreign: Project) -> None:
    """Other flags are expanded once for all objects of a cell."""
    foreign.edit("SConstruct", '"-fPIC"]', '"-fPIC", "-DOBJECT=${TARGET.file}"]')
    build = ("variant=small", "libs", "benches")
    run = foreign.build(*build, "CFLAGS=-DLAST=1")
    compiled = [shlex.split(line) for line in run.stdout.splitlines() if " -c " in line]
    assert len(compiled) > 1
    assert all(f"-DOBJECT={Path(words[words.index('-o') + 1]).name}" in words for words in compiled)
    assert foreign.build(*build, "CFLAGS=-DLAST=1").actions == []
    assert len(foreign.build(*build, "CFLAGS=-DLAST=2").made("CC")) == len(compiled)


def test_flags_reach_a_command_that_the_project_has_changed(foreign: Project) -> None:
    changed = 'env["CCCOM"] = "$CC -c $CCFLAGS $_CCCOMCOM $SOURCES -o $TARGET"'
    foreign.edit("SConstruct", "env.LayeredProject(", f"{changed}\nenv.LayeredProject(")
    assert foreign.build(*BUILD, "CFLAGS=-DTYPED").stdout.count("-DTYPED") >= 1
    assert foreign.build(*BUILD, "CFLAGS=-DTYPED").actions == []
    assert "unit_gen.o" in str(foreign.build(*BUILD, "CFLAGS=-DOTHER").made("CC"))


def test_a_job_hands_what_was_typed_to_its_builds(foreign: Project) -> None:
    run = foreign.build("phases", "variant=small", "rounds=1", "CFLAGS=-DTYPED")
    assert "-DTYPED" in run.stdout


def test_a_compiler_by_command_has_cells_of_its_own(foreign: Project) -> None:
    command = versioned("clang" if COMPILER.name == "gcc" else "gcc")
    run = foreign.build(*BUILD, f"compiler={command}")
    assert run.cells == {f"small-release-{command}"}
    assert f"\n{command} -o" in run.stdout


def test_the_other_family_takes_the_place_of_the_usual_compiler(foreign: Project) -> None:
    family = "clang" if COMPILER.name == "gcc" else "gcc"
    assert foreign.build(*BUILD, f"CC={versioned(family)}").cells == {f"small-release-{family}"}


@pytest.mark.parametrize("launcher", ["./launch", "ccache"])
def test_a_launcher_starts_every_compile_and_changes_no_file(
    foreign: Project, launcher: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if launcher == "ccache" and shutil.which(launcher) is None:
        pytest.skip("ccache is not installed")
    monkeypatch.setenv("CCACHE_DIR", str(foreign.path("ccache")))
    foreign.write("launch", '#!/bin/sh\necho "$*" >>launched\nexec "$@"\n')
    foreign.path("launch").chmod(0o755)
    command, cell = versioned(COMPILER.name), f"small-release-{COMPILER.name}"
    names = ("libpool.so", "evidence/code.json") if launcher == "./launch" else ("libpool.so",)
    files = [f"build/{cell}/{name}" for name in names]

    def built(compiler: str) -> list[bytes]:
        run = foreign.build("variant=small", f"CC={compiler}", *files)
        assert run.cells == {cell}
        contents = [foreign.path(name).read_bytes() for name in files]
        shutil.rmtree(foreign.path("build"))
        return contents

    assert built(f"{launcher} {command}") == built(command)
    if launcher == "ccache":
        assert any(path.is_file() for path in foreign.path("ccache").rglob("*R"))  # it keeps results
    else:
        launched = foreign.read("launched").splitlines()
        assert all(line.startswith(f"{command} ") for line in launched)
        kinds = {kind: sum(f" {kind} " in line for line in launched) for kind in ("-c", "-E", "-shared")}
        assert all(kinds.values()), kinds


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("CC=gcc-99", "CC=gcc-99: gcc-99 is not installed\n"),
        (
            "CC=./nosuch gcc",
            "CC=./nosuch gcc: ./nosuch is not installed; launchers of compilers are ccache, ",
        ),
        ("CC=ls", "CC=ls: ls is installed but does not run: exit status 2: "),
        ("CC=./tcc", "CC=./tcc: neither gcc nor clang; its version is 'tcc 0.9'\n"),
        ("CFLAGS='x", "CFLAGS='x: no closing quotation\n"),
    ],
)
def test_what_is_no_compiler_and_no_flags_is_refused(foreign: Project, given: str, message: str) -> None:
    foreign.write("tcc", "#!/bin/sh\necho tcc 0.9\n")
    foreign.path("tcc").chmod(0o755)
    run = foreign.scons(*BUILD, given)
    assert run.status == 2
    assert run.stderr.startswith(message)
    assert len(run.stderr.splitlines()) == 1


# --- installation

LAST = "env.LayeredJobs()\n"
HEADER = 'env.LayeredInstall(libraries, headers=["src/pool.h"])\n'


@pytest.mark.parametrize("prefix", ["", "stage", "./stage"])
def test_a_prefix_that_is_not_absolute_is_refused(foreign: Project, prefix: str) -> None:
    foreign.edit("SConstruct", LAST, HEADER + LAST)
    run = foreign.scons("variant=small", "install", f"PREFIX={prefix}")
    message = f"PREFIX={prefix}: expected an absolute path, such as /usr/local\n"
    assert (run.status, run.stderr) == (2, message)


def test_a_relative_destdir_is_meant_from_the_project(foreign: Project) -> None:
    foreign.edit("SConstruct", LAST, HEADER + LAST)
    foreign.build("variant=small", "install", "PREFIX=/", "DESTDIR=stage")
    assert foreign.path("stage/lib/libpool.so").is_file()
    assert foreign.path("stage/include/pool.h").is_file()


def soname(library: Path) -> str:
    message = subprocess.run(["readelf", "-d", str(library)], capture_output=True, text=True, check=True)
    line = next(line for line in message.stdout.splitlines() if "SONAME" in line)
    return line.partition("[")[2].rstrip("]")


@pytest.mark.skipif(not shutil.which("readelf"), reason="readelf is not installed")
def test_a_soversion_gives_a_versioned_soname_with_its_links(foreign: Project, cc: str) -> None:
    foreign.edit("variants/layers.yaml", "  library: pool\n", '  library: pool\n  soversion: "2.1.0"\n')
    foreign.edit("SConstruct", LAST, HEADER + LAST)
    foreign.build("variant=small", "checks")  # the loader finds the library by its soname
    folder = foreign.path(f"build/small-release-{cc}")
    assert soname(folder / "libpool.so") == "libpool.so.2"
    assert (folder / "libpool.so.2").resolve() == folder / "libpool.so"
    foreign.build("variant=small", "install", f"DESTDIR={foreign.path('stage')}", "PREFIX=/usr")
    lib = foreign.path("stage/usr/lib")
    assert {path.name: path.is_symlink() and str(path.readlink()) for path in lib.glob("*.so*")} == {
        "libpool.so": "libpool.so.2.1.0",
        "libpool.so.2": "libpool.so.2.1.0",
        "libpool.so.2.1.0": False,
    }
    assert soname(lib / "libpool.so") == "libpool.so.2"
    foreign.build("-c", "variant=small", "libs")
    assert not list(folder.glob("libpool.*"))


# --- reproducible builds


def test_two_builds_in_two_folders_are_equal_byte_for_byte(foreign: Project, cc: str, tmp_path: Path) -> None:
    """Also in debug mode, whose debugging tables name the files."""
    other = type(foreign)(tmp_path / "a longer name of a folder" / "pool")
    other.root.parent.mkdir()
    copy_tree(foreign.root, other.root)
    for project in (foreign, other):
        project.build("mode=all", "variant=small", "checks")
    made = [
        path for path in foreign.path("build").rglob("*") if path.suffix in (".a", ".so", ".o", ".h", ".c")
    ]
    made += [
        path for path in foreign.path("build").glob("*/bin/*") if path.read_bytes().startswith(b"\x7fELF")
    ]
    assert len(made) > 10
    for path in made:
        same = other.root / path.relative_to(foreign.root)
        assert path.read_bytes() == same.read_bytes(), path
