"""Make the report of thousands of cells; print its size, time and memory, and the size of a store.

    PYTHONPATH=site_scons python tests/scons/large_report.py FOLDER [CELLS]

Builds two cells of the project many/, copies their evidence to all others, and runs the target `report`.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

from layermatrix.core.host import Host
from layermatrix.store import database, recording
from layermatrix.store.entries import CELL, Figure, Measurement, Revision, Run, Subject

ROOT = Path(__file__).resolve().parents[2]
NUMBERS, VARIANTS = 100, ("first", "last")
OF_CELL = 10  # figures of a cell in the store
WHEN = "2026-01-01T00:00:00Z"
AXIS = "  group:\n    doc: makes more cells\n    values:\n"


def make(root: Path, cells: int) -> int:
    """A project with about so many cells, all with evidence; how many."""
    shutil.copytree(Path(__file__).parent / "many", root)
    groups = max(1, cells // (NUMBERS * len(VARIANTS)))
    matrix = root / "variants/matrix.yaml"
    text = matrix.read_text(encoding="utf-8")
    text = text.replace("NUMBERS", _values("n", "MANY_NUMBER", NUMBERS))
    text = text.replace("tests:", f"{AXIS}{_values('g', 'GROUP', groups)}\ntests:")
    matrix.write_text(text, encoding="utf-8")
    scons(root, "evidence")
    for variant in VARIANTS:
        for number in range(NUMBERS):
            for group in range(groups):
                fill(root, variant, number, group)
    return NUMBERS * len(VARIANTS) * groups


def _values(letter: str, macro: str, count: int) -> str:
    return "\n".join(f"      {letter}{one}: {{defines: {{{macro}: {one}}}}}" for one in range(count))


def fill(root: Path, variant: str, number: int, group: int) -> None:
    """Give a cell the files of the built cell of its variant."""
    built = root / f"build/{variant}-release-gcc"
    words = [f"number-n{number}"] * bool(number) + [f"group-g{group}"] * bool(group)
    cell = root / "build" / "-".join([built.name, *words])
    if cell == built:
        return
    (cell / "evidence").mkdir(parents=True)
    for file in (*built.glob("evidence/*.json"), *built.glob("lib*")):
        os.link(file, cell / file.relative_to(built))


def scons(root: Path, *words: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "site_scons")}
    subprocess.run(
        [sys.executable, "-m", "SCons", "-Q", "-s", *words],
        cwd=root,
        check=True,
        stdout=subprocess.DEVNULL,
        env=environment,
    )


def store(file: Path, cells: int) -> None:
    """A store with one run of so many cells."""
    figures = [
        Figure(f"load{one}", "instructions", "per op", 1.0 + one, 1.0 + one, 1.0 + one, load_digest="l")
        for one in range(OF_CELL)
    ]
    measured = [
        Measurement(Subject(f"cell{one}", CELL, "first", "release", "gcc", "none", "native"), tuple(figures))
        for one in range(cells)
    ]
    machine = Host("x86_64", "A CPU", "f", 2, "Linux 6.1", "glibc 2.36", "3.11.7", "m")
    revision = Revision("a" * 40, 0, 1, False)
    run = Run("matrix", WHEN, WHEN, revision, "scons matrix", machine)
    with database.writable(file) as opened:
        recording.add(opened, run, measured)


def main() -> None:
    root = Path(sys.argv[1])
    cells = make(root, int(sys.argv[2]) if len(sys.argv) > 2 else 10_000)
    begin, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    scons(root, "number=all", "group=all", "report")
    seconds, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    memory = after.ru_maxrss / 1024
    print(f"report of {cells} cells: {seconds:.0f} s, {cpu:.0f} s of CPU, {memory:.0f} MB of memory")
    report = root / "build/report"
    for file in sorted(report.iterdir()):
        size = sum(one.stat().st_size for one in file.rglob("*")) if file.is_dir() else file.stat().st_size
        print(f"  {file.name:<14} {size / 1e6:6.1f} MB")
    store(root / "store.sqlite", cells)
    size = (root / "store.sqlite").stat().st_size
    print(f"store with {OF_CELL} figures of each cell: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
