"""The columns of a page for other libraries: recorded, since most machines lack some of them.

Reads and writes `docs/<page>.libraries.json`. A column is run again when the caller names the library's file;
otherwise the page shows the recorded one.
"""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build.request import RequestError
from layermatrix.core import process, records
from layermatrix.core.errors import hint_for, quote
from layermatrix.jobs import docpages

if TYPE_CHECKING:
    from layermatrix.model.measuring import Page

OBSERVE = "OBSERVE_ONLY"  # tells the test to print what happens and to judge nothing
NOT_RUN = "not run"  # the entry is newer than the recorded column
_GIVEN = re.compile(r"([A-Za-z_][\w.-]*):(.+)")
_BETWEEN = re.compile(r",(?=[A-Za-z_][\w.-]*:)")  # paths may contain commas


@dataclass(frozen=True)
class Entry:
    row: str
    part: str
    word: str


@dataclass(frozen=True)
class Column:
    """The entries of one library. sha256: of its file. date: of the run, as YYYY-MM-DD."""

    sha256: str
    date: str
    entries: tuple[Entry, ...]

    @property
    def words(self) -> docpages.Entries:
        return {(entry.row, entry.part): entry.word for entry in self.entries}


@dataclass(frozen=True)
class Columns(records.Measured):
    """By library."""

    columns: Mapping[str, Column] = field(hash=False, default_factory=dict)


FORMAT = records.Format("page libraries", Columns)


def file_of(page: Page) -> Path:
    return docpages.FOLDER / f"{page.name}.libraries.json"


def given(pages: Mapping[str, Page], text: str, root: Path) -> dict[str, Path]:
    """The libraries to run again: `name:path`, separated by commas. Raises RequestError for a name that no
    page has, and for a path without a file."""
    known = [name for page in pages.values() for name in page.libraries]
    found: dict[str, Path] = {}
    for part in _BETWEEN.split(text) if text else ():
        match = _GIVEN.fullmatch(part)
        if match is None:
            raise RequestError(f"peer={part}: expected a name and a path, such as mine:/usr/lib/libmine.so")
        name, path = match[1], root / match[2]
        if name not in known:
            hint = hint_for(name, known) or "'pages' in variants/matrix.yaml names them under 'libraries'"
            raise RequestError(f"peer={part}: no page has a column for {quote(name)}; {hint}")
        if not path.is_file():
            raise RequestError(f"peer={part}: there is no file {path}")
        found[name] = path
    return found


def recorded(page: Page, root: Path) -> Columns:
    """The recorded columns. Raises PageError if the file is damaged; a page that has none yet is empty."""
    found = FORMAT.read(root / file_of(page))
    if isinstance(found, records.Missing):
        return Columns()
    if isinstance(found, records.NotMeasured):
        raise docpages.PageError(found.reason)
    return found


def observe(
    library: Path, program: Path, mark: str, timeout: float, run: process.Run = process.run
) -> Column:
    """Run the test with this library loaded before it. Raises PageError if it fails or prints no entry."""
    entries = docpages.run_test(program, library, mark, timeout, run, linked=False, extra={OBSERVE: "1"})
    return Column(
        sha256=hashlib.sha256(library.read_bytes()).hexdigest(),
        date=datetime.date.today().isoformat(),
        entries=tuple(Entry(row, part, word) for (row, part), word in entries.items()),
    )


def with_new(columns: Columns, new: Mapping[str, Column]) -> Columns:
    """A column whose library and entries are as recorded keeps its date."""
    kept = {
        name: replace(column, date=old.date)
        if old is not None and replace(old, date="") == replace(column, date="")
        else column
        for name, column in new.items()
        for old in [columns.columns.get(name)]
    }
    return Columns({**columns.columns, **kept})


def add(page: Page, rows: list[docpages.Row], columns: Columns) -> list[docpages.Row]:
    """The rows with the words of the page's libraries."""
    words = {name: columns.columns[name].words if name in columns.columns else {} for name in page.libraries}
    return [
        replace(
            row,
            words={
                **row.words,
                **{name: found.get((row.name, row.part), NOT_RUN) for name, found in words.items()},
            },
        )
        for row in rows
    ]
