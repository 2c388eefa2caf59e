"""Time the cells that are built, alone, and keep the figures until their binaries change.

Reads the libraries and benchmark programs of `build/<cell>/` and `build/baseline/bin/`; writes
`evidence/bench.json` of each. The runs themselves are `bench.runner`'s.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import buildstate
from layermatrix.core import records

if TYPE_CHECKING:
    from layermatrix.measure import runner
    from layermatrix.model.matrix import Cell
    from layermatrix.model.project import Project


def take(root: Path, project: Project, cells: Sequence[Cell], *, rounds: int | None, anew: bool) -> None:
    """Time the release cells without sanitizer; without `anew`, only those whose figures are out of date."""
    from layermatrix.measure import runner

    wanted = rounds or project.matrix.timing.rounds
    loads = [runner.Load(load.name, load.args) for load in project.matrix.timed.values()]
    baseline = _subject(project, "baseline", root / buildstate.BASELINE, None)
    subjects = [
        _subject(project, cell.id, root / cell.build_dir, _library(cell)) for cell in cells if cell.is_counted
    ]
    subjects = [subject for subject in subjects if _is_built(subject)]
    keys = {subject.store: _key(project, subject) for subject in (baseline, *subjects)}
    if not anew:
        subjects = [
            subject for subject in subjects if not _is_known(subject.store, keys[subject.store], wanted)
        ]
    if not (subjects and loads and _is_built(baseline)):
        return
    watch = _Watch()
    runner.measure(loads, subjects, wanted, baseline, on_progress=watch.step, store=_keyed(keys))
    watch.end()


def side_by_side(
    root: Path,
    project: Project,
    cells: Sequence[Cell],
    names: Sequence[str],
    rounds: int,
    into: dict[str, records.Record],
) -> None:
    """Time these cells against the first of them, in turn in one run, with the loads of these names.

    A load that has no arguments for that is left out. `into` has each cell's record `bench` by id, from the
    first round on, so that an interrupt keeps what is done. The cells' own `bench.json` stays as it is: it
    was taken beside another baseline.
    """
    from layermatrix.measure import runner

    reason = _untimed(root, project, cells)
    if reason:
        into.update({cell.id: records.not_measured("bench", reason) for cell in cells})
        return
    timed = project.matrix.timed
    loads = [runner.Load(name, timed[name].args) for name in names if name in timed]
    first, *others = [_subject(project, cell.id, root / cell.build_dir, _library(cell)) for cell in cells]
    owners = {subject.store: subject.name for subject in (first, *others)}
    watch = _Watch()
    runner.measure(
        loads,
        others,
        rounds,
        first,
        on_progress=watch.step,
        store=lambda path, record: into.__setitem__(owners[path], record),
    )
    watch.end()


def _untimed(root: Path, project: Project, cells: Sequence[Cell]) -> str | None:
    """Why these cells cannot be timed side by side."""
    for cell in cells:
        if not cell.is_counted:
            return "only native release cells without a sanitizer are timed"
        if not _is_built(_subject(project, cell.id, root / cell.build_dir, _library(cell))):
            return f"{cell.id} is not built"
    return None


def _library(cell: Cell) -> str:
    return f"lib{cell.variant.system.library}.so"


def _subject(project: Project, name: str, folder: Path, library: str | None) -> runner.Subject:
    from layermatrix.measure import runner

    programs = {load.name: folder / "bin" / load.program for load in project.matrix.timed.values()}
    return runner.Subject(
        name, programs, folder / library if library else None, folder / "evidence" / "bench.json"
    )


def _is_built(subject: runner.Subject) -> bool:
    """Whether all its files are there, and are those of the last build: one that failed leaves older ones
    behind."""
    files = [*subject.programs.values(), *([subject.preload] if subject.preload else [])]
    return all(file.is_file() for file in files) and not (subject.store.parent / "failure.json").exists()


def _key(project: Project, subject: runner.Subject) -> str:
    """Everything that a figure depends on, except the machine's mood."""
    digest = hashlib.sha256()
    for file in (*subject.programs.values(), subject.preload):
        digest.update(file.read_bytes() if file and file.is_file() else b"none")
    digest.update(repr([(load.name, load.args) for load in project.matrix.timed.values()]).encode())
    return digest.hexdigest()


def _is_known(store: Path, key: str, rounds: int) -> bool:
    record = records.load(store, "bench")
    return records.is_measured(record) and record.get("key") == key and bool(record["rounds"] >= rounds)


def _keyed(keys: Mapping[Path, str]) -> Callable[[Path, records.Record], None]:
    """Write a record together with the key of what was timed."""

    def store(path: Path, record: records.Record) -> None:
        records.write(path, {**record, "key": keys[path]})

    return store


@contextlib.contextmanager
def watch() -> Iterator[Callable[[runner.Step], None]]:
    """What shows how far a timing is, while it goes on."""
    shown = _Watch()
    try:
        yield shown.step
    finally:
        shown.end()


class _Watch:
    """A line on the terminal that says how far the timing is; nothing where the output is no terminal."""

    def __init__(self) -> None:
        self.shown = sys.stdout.isatty()

    def step(self, step: runner.Step) -> None:
        if not self.shown:
            return
        left = step.seconds / step.done * (step.total - step.done)
        what = "warming up" if step.round == 0 else f"round {step.round}"
        line = (
            f"timing {step.done}/{step.total}, about {left:.0f} s left: {what}, {step.load}, {step.subject}"
        )
        print(f"\r{line[:110]:<110}", end="", flush=True)

    def end(self) -> None:
        if self.shown:
            print(f"\r{'':<110}\r", end="", flush=True)
