"""Evidence `code`: counts in the C text: conditional paths, runtime checks, lines.

Reads the C files that a probe includes, with the generated header, and the preprocessed probe.
`source.path_counts` defines how each is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from layermatrix.build.step import Task
from layermatrix.core.records import Measured, NotMeasured
from layermatrix.evidence.builder import Builder
from layermatrix.evidence.columns import Column, Figure, Heading, View, figure
from layermatrix.evidence.kind import NO_PROBE, Inputs, Kind
from layermatrix.evidence.source.path_counts import (
    CodeError,
    Program,
    conditionals,
    find,
    included,
    lines,
    stripped,
)

if TYPE_CHECKING:
    from layermatrix.model.cells import Cell
    from layermatrix.model.project import Project


class Function(Protocol):
    @property
    def function(self) -> str: ...


@dataclass(frozen=True)
class HeaderText:
    """The generated header."""

    name: str
    lines: int
    conditional_paths: int


@dataclass(frozen=True)
class EntryText:
    """The counts of an entry's function and all functions that it inlines. switches: switch -> mentions."""

    function: str
    runtime_checks: int
    switches: Mapping[str, int]
    conditional_paths: int


@dataclass(frozen=True)
class Sources:
    """The library's C files and the files that they include, without the generated header."""

    files: int
    conditional_paths: int


@dataclass(frozen=True)
class Lines:
    """The number of lines of a file, measured and reported."""

    lines: int
    reported: str


@dataclass(frozen=True)
class Code(Measured):
    header: HeaderText
    entries: Mapping[str, EntryText]
    sources: Sources
    files: Mapping[str, Lines]


def _left_out(cell: Cell, project: Project) -> str | None:
    return None if cell.variant.system.probe else NO_PROBE


def _declare(build: Builder) -> Inputs:
    system, reported = build.cell.variant.system, build.project.catalogue.lines
    assert system.probe is not None
    probe = build.source(system.probe)
    text = build.compiler_text(f"probe/{Path(system.probe).stem}.i", probe, "-E -P -w", "PREPROCESS")
    counted = dict.fromkeys([*system.own_sources, *reported])
    return Inputs(
        [probe, text, build.header],
        needs=[build.source(name) for name in counted],
        values=[f"{system.switches}, {reported}"],
    )


def _take(task: Task) -> Code | NotMeasured:
    """Count in the C text. sources: the probe, the preprocessed probe, the generated header."""
    probe, preprocessed, header = task.sources
    system = task.variant.system
    assert system.probe is not None
    top = next(folder for folder in probe.parents if folder / system.probe == probe)
    return measure(
        probe,
        preprocessed,
        [header.parent, top],
        header.name,
        system.entries,
        system.switches,
        system.own_sources,
        task.project.catalogue.lines,
    )


def measure(
    probe: Path,
    preprocessed: Path,
    folders: Sequence[Path],
    header: str,
    entries: Mapping[str, Function],
    switches: Sequence[str],
    sources: Sequence[str],
    reported: Mapping[str, str],
) -> Code | NotMeasured:
    """Count in the C text of a library.

    folders: searched for includes, in order. header: the name of the generated header. sources: the library's
    C files. reported: file -> its reported number of lines; these files are counted, too.
    """
    try:
        texts = included(probe, folders)
        if header not in texts:
            raise CodeError(f"{probe.name} does not include {header}")
        written = Program([stripped(text) for text in texts.values()], ())
        compiled = Program([stripped(preprocessed.read_text(encoding="utf-8"))], tuple(switches))
        counted = {name: _entry(written, compiled, entry.function) for name, entry in entries.items()}
        files = {name: _file(name, folders, words) for name, words in reported.items()}
        library = _library(sources, folders, header)
    except (CodeError, OSError) as error:
        return NotMeasured(str(error))
    own = texts[header]
    return Code(HeaderText(header, lines(own), conditionals(stripped(own))), counted, library, files)


def _entry(written: Program, compiled: Program, function: str) -> EntryText:
    checks = compiled.counts(function).checks
    return EntryText(function, sum(checks.values()), dict(checks), written.counts(function).paths)


def _library(sources: Sequence[str], folders: Sequence[Path], header: str) -> Sources:
    texts: dict[str, str] = {}
    for name in sources:
        path = find(name, folders)
        if path is None:
            raise CodeError(f"source file {name} of the library not found")
        texts.update(included(path, folders))
    texts.pop(header, None)
    return Sources(len(texts), sum(conditionals(stripped(text)) for text in texts.values()))


def _file(name: str, folders: Sequence[Path], reported: str) -> Lines:
    path = find(name, folders)
    if path is None:
        raise CodeError(f"file {name}, whose lines are reported, not found")
    return Lines(lines(path.read_text(encoding="utf-8")), reported)


PATHS = "conditional paths in the text of the entry and the functions that it inlines"
CHECKS = "runtime checks in the text of the entry and the functions that it inlines"
WHOLE = "conditional paths of the whole header"


def _columns(records: Sequence[Code], view: View) -> list[Column[Code]]:
    lines = Heading("header", "lines", "lines of the generated header")
    columns: list[Column[Code]] = [Column(lines, lambda record: figure(record.header.lines))]
    names = list(dict.fromkeys(name for record in records for name in record.entries))
    for name in names:
        beside = ("conditional_paths", "runtime_checks") if name == names[0] else (None, None)
        paths, checks = Heading(f"{name} paths", "count", PATHS), Heading(f"{name} checks", "count", CHECKS)
        columns.append(Column(paths, _of(name, lambda entry: entry.conditional_paths), beside=beside[0]))
        columns.append(Column(checks, _of(name, lambda entry: entry.runtime_checks), beside=beside[1]))
    whole = Heading("header paths", "count", WHOLE)
    return [*columns, Column(whole, lambda record: figure(record.header.conditional_paths))]


def _of(entry: str, value: Callable[[EntryText], int]) -> Callable[[Code], Figure]:
    def of(record: Code) -> Figure:
        found = record.entries.get(entry)
        return figure(NotMeasured(f"entry {entry!r} was not counted") if found is None else value(found))

    return of


KIND = Kind(
    name="code",
    title="Text",
    doc="conditional paths and runtime checks in the text of the fast path",
    record=Code,
    columns=_columns,
    declare=_declare,
    take=_take,
    left_out=_left_out,
    is_figure=True,
)
