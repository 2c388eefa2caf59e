"""Derive the include graph of C files in folders, and find includes against the order of the folders.

Reads C files, and the order of their folders from a table in Markdown: each row begins with a folder, as in
"| `heap/` | ...". A file includes files of its own folder and of the folders above it in the table. A header
directly in the top folder may be included by every file. A header and the C files that implement it form one
unit; no two units may include each other, not even by way of others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"')
_ROW = re.compile(r"^\| *`([\w-]+)/` *\|", re.MULTILINE)


@dataclass(frozen=True)
class Include:
    """One #include of a file in the graph. source and target: paths from the top folder."""

    source: str
    line: int
    target: str


@dataclass(frozen=True)
class Files:
    """C files below a top folder. top: as messages show it. order: the folders, each below those that it may
    include. texts: path from the top folder -> text."""

    top: str
    order: tuple[str, ...]
    texts: Mapping[str, str]

    def place(self, path: str, line: int) -> str:
        return f"{self.top}/{path}:{line}:1: error: "


def order_in(page: str) -> tuple[str, ...]:
    """The folders of the first table in a page of Markdown whose rows begin with folders."""
    rows = list(_ROW.finditer(page))
    first = [row for row in rows if "\n\n" not in page[rows[0].start() : row.start()]] if rows else []
    return tuple(row[1] for row in first)


def read(top: Path, shown: str) -> Files:
    """The C files in the folders of `top`, and the order in its README.md. shown: `top` in messages."""
    order = order_in((top / "README.md").read_text(encoding="utf-8"))
    found = sorted(path for pattern in ("*.[ch]", "*/*.[ch]") for path in top.glob(pattern))
    texts = {path.relative_to(top).as_posix(): path.read_text(encoding="utf-8") for path in found}
    return Files(shown, order, texts)


def includes(files: Files) -> list[Include]:
    """The includes of files in the graph. Others are headers of the system, or generated ones."""
    return [
        Include(path, number, match[1])
        for path, text in files.texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if (match := _INCLUDE.match(line)) and match[1] in files.texts
    ]


def unit_of(path: str, files: Files) -> str:
    """The unit of a file: its path without suffix. A C file without a header of its own name belongs to the
    header whose name its own begins with: os_linux.c to os.h."""
    stem = path.split(".")[0]
    if path.endswith(".h") or f"{stem}.h" in files.texts:
        return stem
    folder, name = PurePosixPath(stem).parent, PurePosixPath(stem).name
    while "_" in name:
        name = name.rpartition("_")[0]
        if (folder / f"{name}.h").as_posix() in files.texts:
            return (folder / name).as_posix()
    return stem


def against_the_order(files: Files) -> Iterator[str]:
    """A message for each file outside the folders of the table, and each include of a folder that stands
    below."""
    rank = {name: number for number, name in enumerate(files.order)}
    known = ", ".join(f"{name}/" for name in files.order)
    for path in files.texts:
        folder, _, name = path.rpartition("/")
        if (folder and folder not in rank) or (not folder and not name.endswith(".h")):
            what = "the table in README.md has no row for its folder"
            yield f"{files.place(path, 1)}{what}; it has {known}"
    for one in includes(files):
        source, target = (rank.get(path.rpartition("/")[0], -1) for path in (one.source, one.target))
        if target > source:
            what = f"{files.order[target]}/ stands below its own folder in the table of README.md"
            hint = "register a function with the upper file, or move what is needed up"
            yield f"{files.place(one.source, one.line)}{what}, so {one.target} cannot be included; {hint}"


def circles(files: Files) -> list[tuple[str, ...]]:
    """The sets of units that include each other."""
    edges: dict[str, set[str]] = {unit_of(path, files): set() for path in files.texts}
    for one in includes(files):
        source, target = unit_of(one.source, files), unit_of(one.target, files)
        if source != target:
            edges[source].add(target)
    reached = {unit: _reached(unit, edges) for unit in edges}
    groups = {tuple(sorted(b for b in reached[a] if a in reached[b])) for a in edges if a in reached[a]}
    return sorted(groups)


def _reached(start: str, edges: Mapping[str, set[str]]) -> set[str]:
    found, waiting = set[str](), list(edges[start])
    while waiting:
        unit = waiting.pop()
        if unit not in found:
            found.add(unit)
            waiting += edges[unit]
    return found


def in_circles(files: Files) -> Iterator[str]:
    """A message for each include between units of one circle."""
    for circle in circles(files):
        for one in includes(files):
            source, target = unit_of(one.source, files), unit_of(one.target, files)
            if source != target and source in circle and target in circle:
                yield (
                    f"{files.place(one.source, one.line)}{one.target} is in a circle of includes with this "
                    f"file: {', '.join(circle)}"
                )
