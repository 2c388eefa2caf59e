"""What the spec files name is there: C sources, probes, benchmark programs, tests.

A name that nothing has would pass unnoticed until a build fails, or worse, as "0 passed".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from layermatrix.core.errors import hint_for, quote
from layermatrix.model.measuring import Suite
from layermatrix.model.plan import Matrix
from layermatrix.model.system import System
from layermatrix.spec import reading
from layermatrix.spec.reading import Document
from layermatrix.spec.shapes import CatalogueSpec

C_SUFFIXES = (".c", ".cc", ".cpp", ".cxx")
DEFINED = re.compile(
    r"\b([A-Za-z_]\w*)\s*\("
)  # a probe's file is small: a name that is called there is known


def check(
    root: Path,
    sources: str,
    spec: CatalogueSpec | None,
    plan: Matrix | None,
    layers: Document,
    document: Document,
) -> None:
    """Report the files that are not there."""
    if spec and layers.sound("system"):
        _check_system(root / sources, sources, spec.system, layers)
    if plan:
        _check_matrix(root, plan, document)


def _check_system(folder: Path, shown: str, system: System, layers: Document) -> None:
    groups = {**system.files, "stats": system.stats.sources if system.stats else ()}
    for group, names in groups.items():
        for index, name in enumerate(names):
            path = {"probe": (group,), "stats": (group, "sources", index)}.get(group, (group, index))
            if not (folder / name).is_file():
                there = (file.relative_to(folder).as_posix() for file in c_files([folder]))
                what = f"there is no file {quote(f'{shown}/{name}')}"
                layers.error(("system", *path), what, hint_for(name, there))
    probe = folder / system.probe if system.probe else None
    if probe and probe.is_file():
        _check_probe(probe, f"{shown}/{system.probe}", system, layers)


def _check_probe(file: Path, shown: str, system: System, layers: Document) -> None:
    """Every entry's probe is a function that the probe's file defines."""
    known = set(DEFINED.findall(file.read_text(encoding="utf-8", errors="replace")))
    for name, entry in system.entries.items():
        if entry.probe not in known:
            hint = hint_for(entry.probe, known) or f"'probe' names a function that {shown} defines"
            what = f"{shown} has no function {quote(entry.probe)}"
            layers.error(("system", "entries", name, "probe"), what, hint)


def _check_matrix(root: Path, plan: Matrix, document: Document) -> None:
    found = _check_tests(root, plan.tests, document) if document.sound("tests") else set()
    others = {"programs": ("scripts", plan.programs.scripts)}
    others["fuzz"] = ("sources", plan.fuzz.sources if plan.fuzz else "")
    for key, (inner, pattern) in others.items():
        if pattern and document.sound(key) and not _matching(root, pattern):
            document.error((key, inner), f"no file matches {quote(pattern)}")
    for name, page in plan.pages.items() if document.sound("tests") else ():
        if page.test not in found:
            document.error(
                ("pages", name, "test"), f"unknown test {quote(page.test)}", hint_for(page.test, found)
            )
    _check_programs(root, plan, document)
    if plan.peers and plan.peers.floor and not (root / plan.peers.floor.source).is_file():
        document.error(("peers", "floor", "source"), f"there is no file {quote(plan.peers.floor.source)}")


def _check_tests(root: Path, suite: Suite, document: Document) -> set[str]:
    """Each pattern matches a file; gives the names of the test programs."""
    stems = set()
    for key, patterns in suite.globs.items():
        for index, pattern in enumerate(patterns):
            found = [file.stem for file in _matching(root, pattern)]
            stems.update(found)
            if not found:
                document.error(("tests", key, index), f"no file matches {quote(pattern)}")
    for name in suite.soak if document.sound("tests") else ():
        if name not in stems:
            what = f"unknown test {quote(name)}"
            document.error(("tests", "soak", name), what, hint_for(name, stems), at_key=True)
    return stems


def _check_programs(root: Path, plan: Matrix, document: Document) -> None:
    """A load's program has a source: a C file of its name, anywhere in the project but in build/."""
    loads: list[tuple[reading.Path, str]] = [
        (("loads", name, "program"), load.program) for name, load in plan.loads.items()
    ]
    if plan.peers:
        loads += [
            (("peers", "loads", name, "program"), one.program) for name, one in plan.peers.loads.items()
        ]
    if not loads:
        return
    folders = (path for path in root.iterdir() if path.name != "build" and path.name[0] != ".")
    known = {file.stem for file in c_files(path for path in folders if path.is_dir())}
    known |= {path.stem for path in root.iterdir() if path.suffix in C_SUFFIXES}
    for path, program in loads:
        if program not in known:
            what = f"no C file is called {quote(program)}"
            document.error(path, what, hint_for(program, known))


def _matching(root: Path, pattern: str) -> list[Path]:
    """The files of a pattern; none of one that cannot be a pattern, such as `a**b`."""
    try:
        return list(root.glob(pattern))
    except ValueError:
        return []


def c_files(folders: Iterable[Path]) -> list[Path]:
    """The C and C++ files below these folders."""
    return sorted(file for folder in folders for file in folder.rglob("*.c*") if file.suffix in C_SUFFIXES)
