"""Find what `a=` and `b=` name: a variant, a cell, a library, or one of the first two at another commit.

Reads the project and the request, and asks git. Returns a `Named` side, from which `contender` makes a
library that can run, after the builds. Unknown names raise RequestError with a suggestion.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import request, targets
from layermatrix.build.request import RequestError
from layermatrix.core.errors import SelectionError, hint_for, quote
from layermatrix.jobs import base_commit, commits
from layermatrix.model.cells import ONLY_SHIPPED

if TYPE_CHECKING:
    from layermatrix.jobs.base import Plan
    from layermatrix.measure.contenders import Contender
    from layermatrix.model.cells import Cell

AT = "@"  # before a commit
_FILE = re.compile(r"([A-Za-z_][\w.-]*):(.+)")
MODE = "release"  # of a variant, unless mode= is set: the only one that is counted and timed


@dataclass(frozen=True)
class Named:
    """One side as the user named it. cell: its configuration, and with a commit that of the commit's cell.
    library: the file of another library. commit: the full hash. missing: why a library cannot be used."""

    name: str
    cell: Cell | None = None
    commit: str | None = None
    library: Path | None = None
    missing: str | None = None

    @property
    def is_here(self) -> bool:
        """Whether it is built from the files of this folder."""
        return self.cell is not None and self.commit is None


def find(plan: Plan, variable: str, text: str) -> Named:
    """The side that `variable=text` names."""
    given = f"{variable}={text}"
    if not text.strip():
        raise RequestError(
            f"{given}: expected a variant, a cell, a library, or one of them at a commit: x@HEAD~5"
        )
    if AT in text:
        return _at_commit(plan, given, *text.rsplit(AT, 1))
    found = _here(plan, text) or _library(plan, given, text)
    if found is None:
        raise RequestError(f"{given}: unknown variant, cell or library {quote(text)}; {_hint(plan, text)}")
    return found


def pair(plan: Plan, a: str, b: str) -> tuple[Named, Named]:
    """The two sides, with different names if they are the same."""
    first, second = find(plan, "a", a), find(plan, "b", b)
    return (first, second) if first.name != second.name else (first, replace(second, name=f"{b} again"))


def _here(plan: Plan, text: str) -> Named | None:
    """A variant or a cell of this tree."""
    cell = _variant(plan, text) if text in plan.project.variants else _cell(plan, text)
    return Named(text, cell) if cell else None


def _variant(plan: Plan, name: str) -> Cell:
    """The cell of a variant in the selected configuration."""
    axes = {"mode": MODE, **plan.request.axes, "variant": name}
    return _one(plan, replace(plan.request, axes=axes, given={}), name)


def _cell(plan: Plan, text: str) -> Cell | None:
    """The cell of this name; None if there is none."""
    command_line = replace(plan.request, axes={}, given={targets.CELLS.name: text})
    try:
        return _one(plan, command_line, text)
    except SelectionError:
        return None


def _one(plan: Plan, command_line: request.Request, text: str) -> Cell:
    chosen = request.select(plan.project, replace(command_line, targets=()), plan.compilers)
    if len(chosen.cells) != 1:
        ids = ", ".join(cell.id for cell in chosen.cells)
        raise RequestError(f"{text} is one side of a comparison, but it names {ids}: name one of these cells")
    (cell,) = chosen.cells
    if not cell.is_counted:
        raise RequestError(f"{cell.id} cannot be compared: {ONLY_SHIPPED.format('counted and timed')}")
    return cell


def _at_commit(plan: Plan, given: str, name: str, revision: str) -> Named:
    try:
        commit = commits.resolved(plan.root, revision, given)
        there = commits.variants_at(plan.root, commit)
    except commits.BaseError as error:
        raise RequestError(str(error)) from None
    found = _here(plan, name)
    cell = found.cell if found else _gone(plan, name, there)
    if cell is None or cell.variant.name not in there:
        hint = hint_for(name, there) or "its folder variants/ has none of that name"
        raise RequestError(f"{given}: {revision} has no variant {quote(name)}; {hint}")
    return Named(f"{name}{AT}{revision}", cell, commit)


def _gone(plan: Plan, name: str, there: Sequence[str]) -> Cell | None:
    """The cell of a variant that only the commit has: another variant's, with its name."""
    if name not in there:
        return None
    some = _variant(plan, next(iter(plan.project.variants)))
    return replace(some, variant=replace(some.variant, name=name))


def _library(plan: Plan, given: str, text: str) -> Named | None:
    """A library that is no build of this project."""
    matrix = plan.project.matrix
    if text in (matrix.baseline.name, "baseline"):
        return Named(matrix.baseline.name)
    match = _FILE.fullmatch(text)
    if match:
        path = plan.root / match[2]
        if not path.is_file():
            raise RequestError(f"{given}: there is no file {path}")
        return Named(match[1], library=path)
    if matrix.peers and text in matrix.peers.libraries:
        from layermatrix.measure import libraries

        peer = matrix.peers.libraries[text]
        path_of = libraries.find(peer, libraries.search_paths())
        return Named(text, library=path_of, missing=None if path_of else libraries.missing(peer))
    return None


def _hint(plan: Plan, text: str) -> str:
    peers = plan.project.matrix.peers
    names = [*plan.project.variants, *(peers.libraries if peers else ()), plan.project.matrix.baseline.name]
    return hint_for(text, names) or (
        "variants/ has the variants, 'peers' in variants/matrix.yaml the libraries; "
        "mine:/usr/lib/libmine.so names a file"
    )


def contender(plan: Plan, named: Named, *, programs: bool) -> Contender:
    """The side after the build of this tree's cells; a cell of another commit is built now. programs: also
    build the commit's benchmark programs, for loads that are compiled into them."""
    from layermatrix.build import failure
    from layermatrix.measure.contenders import Contender

    if named.cell is None:
        origin = str(named.library) if named.library else "the system's own functions"
        return Contender(named.name, named.library, None, origin, named.missing)
    if named.commit is None:
        folder, library = plan.root / named.cell.build_dir, plan.root / named.cell.library
        failed = not library.is_file() or failure.file_of(folder).exists()
        reason = f"{named.cell.id} is not built" if failed else None
        return Contender(named.name, library, folder, "this tree", reason)
    return of_commit(plan, named.name, named.cell, named.commit, programs=programs)


def of_commit(
    plan: Plan, name: str, cell: Cell, commit: str, *, programs: bool, silent: bool = False
) -> Contender:
    """The cell of a commit, which is built unless an earlier run has built it."""
    from layermatrix.measure.contenders import Contender

    origin = f"{commit[:12]} {commits.subject(plan.root, commit)}"
    print(f"building {cell.id} of {origin}", flush=True)
    try:
        made = base_commit.built(plan, commit, cell, programs=programs, silent=silent)
    except commits.BaseError as error:
        return Contender(name, None, None, origin, str(error))
    return Contender(name, made.library, made.folder, origin, made.failure)


def host(plan: Plan, named: Sequence[Named]) -> Cell:
    """The cell of this tree whose benchmark programs every side runs: that of the first side that is built
    here, or else one of the default variant."""
    for one in named:
        if one.is_here and one.cell:
            return one.cell
    for one in named:
        if one.cell and one.cell.variant.name in plan.project.variants:
            return one.cell
    names = plan.project.matrix.axes["variant"] or tuple(plan.project.variants)
    return _variant(plan, names[0])
