"""Print pages of docs/ from the output of tests, so that no page claims more than is tested.

Reads the spec's `pages`, runs a page's test program in each variant, and prints `docs/<name>.md.j2`. A line
`<mark> <row> | <part> | <word>` of the test's output is an entry of the page's table, which has one column
per variant.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.core import library_use, process, templates

if TYPE_CHECKING:
    from layermatrix.model.measuring import Page

FOLDER = Path("docs")
SHOWN_LINES = 40  # of a difference

Entries = dict[tuple[str, str], str]  # (row, part) -> word, in the order in which it was printed


class PageError(Exception):
    """The page cannot be made from its test's output."""


@dataclass(frozen=True)
class Row:
    """One line of the table: `words` by variant and library."""

    name: str
    part: str
    words: Mapping[str, str]


def run_test(
    program: Path,
    library: Path,
    mark: str,
    timeout: float,
    run: process.Run = process.run,
    *,
    linked: bool = True,
    extra: Mapping[str, str] | None = None,
) -> Entries:
    """The output of the test, which is linked with this library; if not `linked`, it is loaded in front of
    the system's. extra: further environment variables. Raises PageError if the test fails or prints no line
    of the page."""
    command = [str(program.absolute())]
    try:
        finished = library_use.run_with(
            library.absolute(), command, linked=linked, run=run, timeout=timeout, extra=extra
        )
    except library_use.NotLoadedError as error:
        raise PageError(str(error)) from error
    if finished.failure:
        raise PageError(f"{program}: {finished.failure}")
    entries = entries_of(process.text(finished.stdout), mark)
    if not entries:
        raise PageError(f"{program} printed no line that begins with {mark!r}")
    return entries


def entries_of(output: str, mark: str) -> Entries:
    """The entries among the lines of an output."""
    entries: Entries = {}
    for line in output.splitlines():
        if line.startswith(mark):
            words = [word.strip() for word in line.removeprefix(mark).split("|")]
            if len(words) != 3 or not all(words):
                raise PageError(f"{line!r} is not '{mark} row | part | word'")
            entries[words[0], words[1]] = words[2]
    return entries


def rows_of(printed: Mapping[str, Entries]) -> list[Row]:
    """The table's rows. Raises PageError if a variant lacks an entry."""
    keys = list(next(iter(printed.values())))
    for variant, entries in printed.items():
        for row, part in {*keys} ^ {*entries}:
            raise PageError(f"{row}, {part}: not every variant has this entry; {variant} differs")
    return [
        Row(row, part, {variant: entries[row, part] for variant, entries in printed.items()})
        for row, part in keys
    ]


def render(page: Page, rows: Sequence[Row], root: Path, columns: Mapping[str, object] | None = None) -> str:
    """The page's text. columns: the recorded columns of its libraries, by name."""
    environment = templates.environment(root / FOLDER)
    name = f"{page.name}.md.j2"
    if name not in environment.list_templates():
        raise PageError(f"{FOLDER / name} is missing: the page {page.name!r} is printed from it")
    return environment.get_template(name).render(page=page, rows=rows, columns=columns or {})


def file_of(page: Page) -> Path:
    return FOLDER / f"{page.name}.md"


def difference(old: str, new: str) -> str:
    """The first lines of the difference between the checked-in page and the new one; may be empty."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), "checked in", "entries now", lineterm="")
    return "\n".join(list(lines)[:SHOWN_LINES])
