"""Check that the files that the spec names exist: C sources, probes, benchmark programs and tests.

Without this check, a missing file would pass unnoticed until a build fails or, worse, reports "0 passed".
Reads the records and the project's folder, but no YAML. Files can appear and disappear without a change of
the spec, so this check also runs when the project comes from the cache.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from layermatrix.core.errors import hint_for, quote
from layermatrix.core.kinds import NOT, Misfit
from layermatrix.model.matrix import Matrix
from layermatrix.model.patterns import matches
from layermatrix.model.quarantine import Quarantine
from layermatrix.model.system import System

C_SUFFIXES = (".c", ".cc", ".cpp", ".cxx")
CALLED = re.compile(r"\b([A-Za-z_]\w*)\s*\(")  # a probe's file is small and calls all its functions

Place: TypeAlias = "tuple[str | int, ...]"  # path of a value in a spec file


def absent(
    root: Path, sources: str, system: System, plan: Matrix, quarantine: Quarantine
) -> Iterator[Misfit]:
    """Everything that a valid project names and does not have, at the spec value that names it."""
    yield from of_system(root, sources, system)
    yield from of_matrix(root, plan)
    yield from of_quarantine(root, plan, quarantine)


def of_system(root: Path, sources: str, system: System) -> Iterator[Misfit]:
    """Check what the catalogue names. sources: the folder of the C files, relative to the root."""
    folder = root / sources
    groups: dict[Place, Collection[str]] = {(group,): names for group, names in system.files.items()}
    groups["stats", "sources"] = system.stats.sources if system.stats else ()
    for path, names in groups.items():
        for index, name in enumerate(names):
            if not (folder / name).is_file():
                there = (file.relative_to(folder).as_posix() for file in c_files([folder]))
                yield _no_file(f"{sources}/{name}", ("system", *path, index), hint_for(name, there))
    if system.probe and (folder / system.probe).is_file():
        shown = f"{sources}/{system.probe}"
        known = set(CALLED.findall((folder / system.probe).read_text(encoding="utf-8", errors="replace")))
        for name, entry in system.entries.items():
            if entry.probe not in known:
                hint = hint_for(entry.probe, known) or f"'probe' names a function that {shown} defines"
                what = f"{shown} has no function {quote(entry.probe)}"
                yield Misfit(what, hint, ("system", "entries", name, "probe"), whole=True)


def of_matrix(root: Path, plan: Matrix) -> Iterator[Misfit]:
    """Check what the matrix names."""
    patterns: dict[Place, str] = {
        ("tests", key, index): pattern
        for key, given in plan.tests.globs.items()
        for index, pattern in enumerate(given)
    }
    patterns["programs", "scripts"] = plan.programs.scripts
    patterns["fuzz", "sources"] = plan.fuzz.sources if plan.fuzz else ""
    found = {path: _matching(root, pattern) for path, pattern in patterns.items() if pattern}
    for path, files in found.items():
        if not files:
            yield Misfit(f"no file matches {quote(patterns[path])}", None, path, whole=True)
    tests = [files for path, files in found.items() if path[0] == "tests"]
    if all(tests):
        yield from _tests(plan, {file.stem for files in tests for file in files})
    scripts = {file.stem for file in found.get(("programs", "scripts"), ())}
    for index, name in enumerate(plan.programs.soak if scripts else ()):
        if name not in scripts:
            what = f"unknown script {quote(name)}"
            yield Misfit(what, hint_for(name, scripts), ("programs", "soak", index), whole=True)
    yield from _programs(root, plan)
    if plan.peers and plan.peers.floor and not (root / plan.peers.floor.source).is_file():
        yield _no_file(plan.peers.floor.source, ("peers", "floor", "source"))
    if plan.recorder and not (root / plan.recorder.source).is_file():
        yield _no_file(plan.recorder.source, ("recorder", "source"))


def _tests(plan: Matrix, known: Collection[str]) -> Iterator[Misfit]:
    """Check that each named test is one of the files that the patterns match."""
    named: dict[Place, str] = {("tests", "soak", name): name for name in plan.tests.soak}
    named |= {("tests", "timeouts", name): name for name in plan.tests.timeouts}
    named |= {("tests", "long", index): name for index, name in enumerate(plan.tests.long)}
    named |= {("tests", "native", index): name for index, name in enumerate(plan.tests.native)}
    named |= {("pages", name, "test"): page.test for name, page in plan.pages.items()}
    for path, name in named.items():
        if name not in known:
            what, is_key = f"unknown test {quote(name)}", path[-1] == name
            yield Misfit(what, hint_for(name, known), path, whole=True, at_key=is_key)


def of_quarantine(root: Path, plan: Matrix, quarantine: Quarantine) -> Iterator[Misfit]:
    """Check that each entry is about a test that exists. Without the files of any test, there is nothing to
    compare with."""
    patterns = [pattern for given in plan.tests.globs.values() for pattern in given]
    known = {file.stem for pattern in patterns for file in _matching(root, pattern)}
    entries = {"quarantine": quarantine.quarantine, "flaky": quarantine.flaky}
    for key, index, entry in [(key, *one) for key, found in entries.items() for one in enumerate(found)]:
        for name in entry.tests if known else ():
            if not any(matches(test, name.removeprefix(NOT)) for test in known):
                yield Misfit(
                    f"unknown test {quote(name)}", hint_for(name, known), (key, index, "tests"), whole=True
                )


def _programs(root: Path, plan: Matrix) -> Iterator[Misfit]:
    """Check that a load's program has a source: a C file of that name, anywhere in the project except
    build/."""
    timed = plan.peers.loads if plan.peers else {}
    programs: dict[Place, str] = {("loads", name): load.program for name, load in plan.loads.items()}
    programs |= {("peers", "loads", name): load.program for name, load in timed.items()}
    programs |= {("recorder",): plan.recorder.program} if plan.recorder else {}
    if not programs:
        return
    inside = [path for path in root.iterdir() if path.name != "build" and path.name[0] != "."]
    known = {file.stem for file in c_files(path for path in inside if path.is_dir())}
    known |= {path.stem for path in inside if path.suffix in C_SUFFIXES}
    for path, program in programs.items():
        if program not in known:
            what = f"no C file is called {quote(program)}"
            yield Misfit(what, hint_for(program, known), (*path, "program"), whole=True)


def _no_file(name: str, path: Place, hint: str | None = None) -> Misfit:
    return Misfit(f"there is no file {quote(name)}", hint, path, whole=True)


def _matching(root: Path, pattern: str) -> list[Path]:
    """The files that match a pattern. An invalid pattern, such as `a**b`, matches none."""
    try:
        return list(root.glob(pattern))
    except ValueError:
        return []


def c_files(folders: Iterable[Path]) -> list[Path]:
    """The C and C++ files below these folders."""
    return sorted(file for folder in folders for file in folder.rglob("*.c*") if file.suffix in C_SUFFIXES)
