"""Check that the files that the spec names exist: C sources, probes, benchmark programs and tests.

Without this check, a missing file would pass unnoticed until a build fails or, worse, reports "0 passed".
Reads the records and the project's folder, but no YAML. Files can appear and disappear without a change of
the spec, so this check also runs when the project comes from the cache.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from layermatrix.core.errors import hint_for, quote
from layermatrix.model.measuring import Load
from layermatrix.model.plan import Matrix
from layermatrix.model.system import System

C_SUFFIXES = (".c", ".cc", ".cpp", ".cxx")
CALLED = re.compile(r"\b([A-Za-z_]\w*)\s*\(")  # a probe's file is small and calls all its functions

Place: TypeAlias = "tuple[str | int, ...]"  # path of a value in a spec file


@dataclass(frozen=True)
class Absent:
    """A missing file, and the path of the spec value that names it."""

    path: Place
    what: str
    hint: str | None = None
    at_key: bool = False


def absent(root: Path, sources: str, system: System, plan: Matrix) -> Iterator[Absent]:
    """Everything that a valid project names and does not have."""
    yield from of_system(root, sources, system)
    yield from of_matrix(root, plan)


def of_system(root: Path, sources: str, system: System) -> Iterator[Absent]:
    """Check what the catalogue names. sources: the folder of the C files, relative to the root."""
    folder = root / sources
    groups = {**system.files, "stats": system.stats.sources if system.stats else ()}
    for group, names in groups.items():
        for index, name in enumerate(names):
            path = {"probe": (group,), "stats": (group, "sources", index)}.get(group, (group, index))
            if not (folder / name).is_file():
                there = (file.relative_to(folder).as_posix() for file in c_files([folder]))
                yield Absent(("system", *path), _no_file(f"{sources}/{name}"), hint_for(name, there))
    if system.probe and (folder / system.probe).is_file():
        shown = f"{sources}/{system.probe}"
        known = set(CALLED.findall((folder / system.probe).read_text(encoding="utf-8", errors="replace")))
        for name, entry in system.entries.items():
            if entry.probe not in known:
                hint = hint_for(entry.probe, known) or f"'probe' names a function that {shown} defines"
                what = f"{shown} has no function {quote(entry.probe)}"
                yield Absent(("system", "entries", name, "probe"), what, hint)


def of_matrix(root: Path, plan: Matrix) -> Iterator[Absent]:
    """Check what the matrix names."""
    yield from _tests(root, plan)
    patterns = {("programs", "scripts"): plan.programs.scripts}
    patterns["fuzz", "sources"] = plan.fuzz.sources if plan.fuzz else ""
    for path, pattern in patterns.items():
        if pattern and not _matching(root, pattern):
            yield Absent(path, _no_match(pattern))
    yield from _programs(root, plan)
    if plan.peers and plan.peers.floor and not (root / plan.peers.floor.source).is_file():
        yield Absent(("peers", "floor", "source"), _no_file(plan.peers.floor.source))


def _tests(root: Path, plan: Matrix) -> Iterator[Absent]:
    """Check that each pattern matches a file, and that each named test is one of the matched files."""
    patterns = [(key, i, one) for key, given in plan.tests.globs.items() for i, one in enumerate(given)]
    found = {(key, i): _matching(root, pattern) for key, i, pattern in patterns}
    for key, i, pattern in patterns:
        if not found[key, i]:
            yield Absent(("tests", key, i), _no_match(pattern))
    if not all(found.values()):
        return
    stems = {file.stem for files in found.values() for file in files}
    for name in plan.tests.soak:
        if name not in stems:
            yield _unknown_test(("tests", "soak", name), name, stems, at_key=True)
    for name, page in plan.pages.items():
        if page.test not in stems:
            yield _unknown_test(("pages", name, "test"), page.test, stems)


def _unknown_test(path: Place, name: str, known: Collection[str], *, at_key: bool = False) -> Absent:
    return Absent(path, f"unknown test {quote(name)}", hint_for(name, known), at_key)


def _programs(root: Path, plan: Matrix) -> Iterator[Absent]:
    """Check that a load's program has a source: a C file of that name, anywhere in the project except
    build/."""
    timed = plan.peers.loads if plan.peers else {}
    loads: list[tuple[Place, Load]] = [(("loads", name), load) for name, load in plan.loads.items()]
    loads += [(("peers", "loads", name), load) for name, load in timed.items()]
    if not loads:
        return
    inside = [path for path in root.iterdir() if path.name != "build" and path.name[0] != "."]
    known = {file.stem for file in c_files(path for path in inside if path.is_dir())}
    known |= {path.stem for path in inside if path.suffix in C_SUFFIXES}
    for path, load in loads:
        if load.program not in known:
            what = f"no C file is called {quote(load.program)}"
            yield Absent((*path, "program"), what, hint_for(load.program, known))


def _no_file(name: str) -> str:
    return f"there is no file {quote(name)}"


def _no_match(pattern: str) -> str:
    return f"no file matches {quote(pattern)}"


def _matching(root: Path, pattern: str) -> Sequence[Path]:
    """The files that match a pattern. An invalid pattern, such as `a**b`, matches none."""
    try:
        return list(root.glob(pattern))
    except ValueError:
        return []


def c_files(folders: Iterable[Path]) -> list[Path]:
    """The C and C++ files below these folders."""
    return sorted(file for folder in folders for file in folder.rglob("*.c*") if file.suffix in C_SUFFIXES)
