"""Measure what SCons itself costs in a build of 100 cells. docs/matrix.md has the results.

    .venv/bin/python tests/scale/hundred_cells.py [variable=value ...]

Builds the libraries of 100 cells of this project, in a temporary copy: from cold, and again with nothing to
do. Then runs the same commands with `xargs -P2`. Prints seconds of the clock, and seconds of CPU, which other
programs on the machine change less.
"""

from __future__ import annotations

import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("SConstruct", "pyproject.toml", "site_scons", "variants", "templates", "csrc", "tests")
CELLS = (
    "variant=all",
    "mode=release,debug",
    "compiler=gcc,clang",
    "march=all",
    "lto=all",
    "sample=random:100:1",
)
JOBS = 2
REPEATS = 5  # of the build with nothing to do
MAKES_OBJECT = re.compile(r" -c (?=.* -o )| -o \S+\.o ")


@dataclass(frozen=True)
class Used:
    """Seconds of CPU and of the clock."""

    cpu: float
    clock: float

    def __str__(self) -> str:
        return f"{self.cpu:8.2f} s of CPU, {self.clock:8.2f} s by the clock"


def timed(command: Sequence[str], folder: Path, text: str | None = None) -> tuple[Used, str]:
    """Run a command to its end; what it and its children used, and its output. Raises CalledProcessError."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, cwd=folder, input=text, capture_output=True, text=True, check=False)
    after, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - begin
    if done.returncode:
        raise SystemExit(f"{shlex.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Used(cpu, clock), done.stdout


def commands_of(output: str) -> list[str]:
    """The compilers', archivers' and linkers' commands in what `verbose=1` prints, in their order."""
    return [
        line
        for line in output.splitlines()
        if re.match(r"(\S*/)?(gcc|clang|g\+\+|clang\+\+|ar|ranlib) ", line)
    ]


def shared_objects(root: Path) -> set[str]:
    """The objects that a cell got from another one."""
    return {
        line
        for saved in root.glob("build/*/.saved")
        for line in saved.read_text(encoding="utf-8").splitlines()
    }


def target_of(command: str) -> str:
    words = shlex.split(command)
    return words[words.index("-o") + 1] if "-o" in words else ""


def with_xargs(commands: Iterable[str], root: Path) -> Used:
    """Run these commands, objects first, then libraries, each in turn with 2 at a time."""
    steps: dict[str, list[str]] = {"object": [], "ar": [], "ranlib": [], "link": []}
    for command in commands:
        first = Path(shlex.split(command)[0]).name
        kind = "object" if MAKES_OBJECT.search(command) else first if first in steps else "link"
        steps[kind].append(command)
    total = Used(0, 0)
    for lines in steps.values():
        xargs = ["xargs", f"-P{JOBS}", "-d", "\n", "-n1", "sh", "-c"]
        used, _ = timed(xargs, root, "\n".join(lines)) if lines else (Used(0, 0), "")
        total = Used(total.cpu + used.cpu, total.clock + used.clock)
    return total


def copy(root: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, root / part, ignore=ignored)
        else:
            shutil.copy2(ROOT / part, root / part)


def measure(root: Path, variables: Sequence[str]) -> None:
    scons = [sys.executable, "-m", "SCons", "-Q", f"-j{JOBS}"]
    timed([*scons, *variables, "list"], root)  # compiles the plugin's modules and asks the compilers
    cold, output = timed([*scons, "verbose=1", *variables, "libs"], root)
    cells = len([folder for folder in (root / "build").iterdir() if (folder / "obj").is_dir()])
    runs = [timed([*scons, *variables, "libs"], root)[0] for _ in range(REPEATS)]
    commands, shared = commands_of(output), shared_objects(root)
    plain = with_xargs([command for command in commands if target_of(command) not in shared], root)
    print(f"{cells} cells, {len(commands)} commands, {len(shared)} objects of them from other cells")
    print(f"build from cold:           {cold}")
    print(f"the same commands, xargs:  {plain}")
    cpu, clock = cold.cpu / plain.cpu, cold.clock / plain.clock
    print(f"ratio:                     {cpu:8.2f}   of CPU, {clock:8.2f}   by the clock")
    print(f"build with nothing to do:  {min(runs, key=lambda used: used.cpu)}")


def main() -> None:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        copy(Path(folder))
        measure(Path(folder), sys.argv[1:] or CELLS)


if __name__ == "__main__":
    main()
