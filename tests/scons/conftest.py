"""Copies of the project that a test may change, and SCons runs in them like those of a user.

The libraries are built once, for all processes of pytest. Each test gets a copy of that tree with its file
times, so that only the files affected by the test's own change are rebuilt, and with the compiled modules of
the plugin, so that no run of SCons compiles them again.
"""

from __future__ import annotations

import compileall
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.scons import wheels

from layermatrix.build import compiler_variables
from layermatrix.build.toolchain import CACHE, Toolchain, find_compilers
from layermatrix.report.charts import vega

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("SConstruct", "pyproject.toml", "site_scons", "variants", "templates", "csrc", "tests", "docs")
LIMIT = 300.0  # seconds for one run of SCons
CHARTS = Path("build/charts")  # where a project keeps rendered charts

# How `verbose=1` shows an action: a word, then the file that it makes.
WORDS = "CC|CXX|LINK|AR|RANLIB|GENERATE|ASM|EVIDENCE|BUNDLE|RESULT|INSTALL|COMPILEDB|LINT"
ACTION = re.compile(rf"(?:{WORDS}) +\S+")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder build something."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.slow)


def first_compiler() -> Toolchain:
    """The compiler that cells use by default."""
    found = find_compilers(("gcc", "clang", "zig"), ROOT / CACHE)
    return next(compiler for compiler in found.values() if isinstance(compiler, Toolchain))


COMPILER = first_compiler()


@dataclass(frozen=True)
class Run:
    """A finished run of SCons. actions: the executed actions, as "CC phase2-release-gcc/os/os.o"."""

    status: int
    stdout: str
    stderr: str

    @property
    def actions(self) -> list[str]:
        lines = self.stdout.splitlines()
        return sorted(" ".join(line.split()) for line in lines if ACTION.fullmatch(line))

    @property
    def cells(self) -> set[str]:
        """The cells in which files were made."""
        return {action.split()[1].split("/")[0] for action in self.actions} - {"baseline"}

    @property
    def variants(self) -> set[str]:
        """The variants for which files were made."""
        return {cell.split("-")[0] for cell in self.cells}

    def made(self, word: str) -> list[str]:
        """The files made by actions with this word."""
        return [action.split()[1] for action in self.actions if action.split()[0] == word]


class Project:
    """A tree with an SConstruct, and SCons in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def scons(self, *words: str) -> Run:
        """Run SCons with these words and show every action. The test checks the status."""
        command = [sys.executable, "-m", "SCons", "-Q", "verbose=1", *words]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, timeout=LIMIT)
        return Run(done.returncode, done.stdout, done.stderr)

    def interrupted(self, after: str, *words: str) -> str:
        """The output of a run that gets Ctrl-C when a line begins with this pattern. Requires that it ends as
        an interrupted run does."""
        command, lines = [sys.executable, "-m", "SCons", "-Q", "verbose=1", *words], []
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
        with subprocess.Popen(
            command, cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as child:
            assert child.stdout is not None
            for line in child.stdout:
                lines.append(line)
                if re.match(after, line):
                    child.send_signal(signal.SIGINT)
        assert child.returncode == 130, "".join(lines)
        return "".join(lines)

    def build(self, *words: str) -> Run:
        """Run SCons as `scons` does, and require success."""
        run = self.scons(*words)
        assert run.status == 0, run.stdout[-2000:] + run.stderr[-4000:]
        return run

    def would(self, *words: str) -> Run:
        """The actions that a build would execute (-n), without the time that they take."""
        return self.build("-n", *words)

    def compile(self, source: str, program: str, *words: str) -> None:
        """A program of the test, built by the compiler of the cells. `words` are additional files and
        options."""
        command = [*COMPILER.command, "-fno-builtin", "-o", program, source, *words]
        subprocess.run(command, cwd=self.root, check=True, timeout=LIMIT)

    def path(self, name: str) -> Path:
        return self.root / name

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace one passage of a file."""
        text = self.read(name)
        assert text.count(old) == 1, f"{name} has {old!r} {text.count(old)} times"
        self.write(name, text.replace(old, new))

    def read(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8")

    def record(self, cell: str, kind: str) -> Any:
        """An evidence file of a cell."""
        return self.record_of(self.path(f"build/{cell}"), kind)

    def record_of(self, folder: Path, kind: str) -> Any:
        """An evidence file of the cell that is built in this folder."""
        return json.loads((folder / "evidence" / f"{kind}.json").read_text(encoding="utf-8"))

    def append(self, name: str, text: str) -> None:
        self.write(name, self.read(name) + text)

    def write(self, name: str, text: str) -> None:
        """Make the file anew: other copies of the project may be linked with the old one."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.stat().st_mode if path.is_file() else 0o644
        path.unlink(missing_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)


class Stranger(Project):
    """The project foreign/ without any file of this repository, and SCons from the wheel's environment."""

    def __init__(self, root: Path, python: Path) -> None:
        super().__init__(root)
        self.python = python

    def scons(self, *words: str) -> Run:
        done = wheels.run(self.python.with_name("scons"), "-Q", "verbose=1", *words, folder=self.root)
        return Run(done.returncode, done.stdout, done.stderr)


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder with its file times. What no build writes is linked, which takes a sixth of the time. A
    test must not write into a file that is there, see `Project.write`."""
    target.mkdir(parents=True, exist_ok=True)
    linked = [path for path in source.iterdir() if path.is_dir() and path.name != "build"]
    copied = [path for path in source.iterdir() if path not in linked]
    for folder in linked:
        if folder not in LINKED:
            LINKED[folder] = file_times(folder)
    for paths, options in (linked, ["--archive", "--link"]), (copied, ["--archive"]):
        if paths:
            subprocess.run(["cp", *options, "--target-directory", target, *paths], check=True)


LINKED: dict[Path, dict[Path, int]] = {}  # the folders whose files copies share, and their file times then


def file_times(folder: Path) -> dict[Path, int]:
    """The time of the last change of each file, in nanoseconds."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="session", autouse=True)
def _nothing_shared_was_written() -> Iterator[None]:
    yield
    for folder, before in LINKED.items():
        if folder.exists():  # the folders of passed tests are removed
            now = file_times(folder)
            written = [path for path, time in before.items() if now.get(path) != time]
            assert not written, f"a test has written into files that other tests use: {written}"


def copy_sources(source: Path, target: Path) -> None:
    """Copy a folder of this repository, without the files that its own use has left there."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first process of pytest makes and that all processes of this run use."""
    top = factory.getbasetemp()
    top = top.parent if "PYTEST_XDIST_WORKER" in os.environ else top
    folder, finished = top / name, top / f"{name}.finished"
    with (top / f"{name}.lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            shutil.rmtree(folder, ignore_errors=True)  # the process that began it has failed
            folder.mkdir()
            make(folder)
            finished.touch()
    return folder


def make_plugin(folder: Path) -> None:
    """Copy site_scons, compile its modules, and make the script that every report contains, which takes a
    second."""
    copy_sources(ROOT / "site_scons", folder / "site_scons")
    assert compileall.compile_dir(folder / "site_scons", quiet=2)
    vega.bundle(folder / CHARTS)


@pytest.fixture(scope="session")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plugin with its compiled modules. Tests must not change it."""
    return made_once(tmp_path_factory, "plugin", make_plugin) / "site_scons"


@pytest.fixture(scope="session")
def built(plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's own files, with the libraries of the default variants built. Tests must not change it."""

    def make(folder: Path) -> None:
        for part in PARTS:
            if part == plugin.name:
                copy_tree(plugin, folder / part)
            elif (ROOT / part).is_dir():
                copy_sources(ROOT / part, folder / part)
            else:
                shutil.copy2(ROOT / part, folder / part)
        Project(folder).build("libs")

    return made_once(tmp_path_factory, "built", make)


@pytest.fixture(scope="session")
def checked(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built project with the evidence `guards` of phase3, which has each object also without debug code.
    Tests must not change it."""

    def make(folder: Path) -> None:
        copy_tree(built, folder / "project")
        cell = f"phase3-release-{COMPILER.name}"
        Project(folder / "project").build("variant=phase3", f"build/{cell}/evidence/guards.json")

    return made_once(tmp_path_factory, "checked", make) / "project"


@pytest.fixture
def project(built: Path, tmp_path: Path) -> Project:
    """A copy of the built project that the test may change."""
    copy_tree(built, tmp_path / "project")
    return Project(tmp_path / "project")


@pytest.fixture
def fresh(built: Path, tmp_path: Path) -> Project:
    """The project with nothing built."""
    copy_tree(built, tmp_path / "project")
    shutil.rmtree(tmp_path / "project" / "build")
    return Project(tmp_path / "project")


@pytest.fixture(scope="session")
def cc() -> str:
    """The compiler's name, as it is part of a cell's."""
    return COMPILER.name


@pytest.fixture(scope="session")
def compiler() -> Sequence[str]:
    """The command words of the compiler."""
    return COMPILER.command


def foreign_project(root: Path, plugin: Path) -> Project:
    """Another project that uses the plugin: foreign/, with the plugin copied to its tools/."""
    copy_sources(Path(__file__).parent / "foreign", root)
    copy_tree(plugin, root / "tools")
    copy_tree(plugin.parent / CHARTS, root / CHARTS)
    project = Project(root)
    project.edit("variants/matrix.yaml", "compiler: [gcc]", f"compiler: [{COMPILER.name}]")
    return project


@pytest.fixture
def foreign(plugin: Path, tmp_path: Path) -> Project:
    return foreign_project(tmp_path / "pool", plugin)


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a clone from which packages are made."""
    root = tmp_path_factory.mktemp("clone") / "clone"
    root.mkdir()
    for name in ("pyproject.toml", "LICENSE", "README.md", "SConstruct"):
        shutil.copy2(ROOT / name, root)
    for name in ("site_scons", "docs", "variants"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    return root


@pytest.fixture(scope="session")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(folder: Path) -> None:
        wheels.pip(sys.executable, "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source)

    (made,) = made_once(tmp_path_factory, "wheel", make).glob("layermatrix-*.whl")
    return made


@pytest.fixture(scope="session")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the wheel and its dependencies, and nothing else."""

    def make(folder: Path) -> None:
        assert wheels.run(sys.executable, "-m", "venv", folder).returncode == 0
        # modules are compiled when they are first imported: most of those of the dependencies never are
        wheels.pip(folder / "bin/python", "install", "--quiet", "--no-compile", wheel)

    return made_once(tmp_path_factory, "venv", make) / "bin/python"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the user's own settings of SCons and of the libraries under test."""
    own = ("SCONS", "HAKMEM_", "LD_PRELOAD", *compiler_variables.DOCS)
    for name in [name for name in os.environ if name.startswith(own)]:
        monkeypatch.delenv(name)
