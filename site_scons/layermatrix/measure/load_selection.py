"""Select loads by name, group or pattern, among those of the matrix and those that peers are timed with.

A load that stands in both places is one load: the matrix's, with the peers' timing arguments if the matrix
has none. Unknown words raise RequestError with a suggestion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from layermatrix.build.request import RequestError
from layermatrix.build.targets import load_words
from layermatrix.core.errors import hint_for, quote
from layermatrix.model.measuring import Load
from layermatrix.model.patterns import matches

if TYPE_CHECKING:
    from layermatrix.model.project import Project


def known(project: Project) -> dict[str, Load]:
    """Every load of the project by name: the matrix's first."""
    own, peers = dict(project.matrix.loads), project.matrix.peers
    for name, load in (peers.loads if peers else {}).items():
        mine = own.get(name)
        if mine is None:
            own[name] = load
        elif not mine.args and not mine.is_inlined and mine.program == load.program:
            own[name] = replace(mine, args=load.args)
    return own


def select(project: Project, text: str) -> tuple[Load, ...]:
    """The loads that a comma list selects, in the order of the matrix file. Empty text selects the loads that
    are counted or timed for every cell."""
    loads = known(project)
    if not text:
        found = [load for name, load in loads.items() if name in project.matrix.loads]
        if not found:
            raise RequestError("this project's variants/matrix.yaml has no 'loads' to compare with")
        return tuple(found)
    wanted = [word.strip() for word in text.split(",") if word.strip()]
    if not wanted:
        raise RequestError(f"load={text}: expected names, groups, patterns, or all")
    for word in wanted:
        if not _selected(project, loads, word):
            hint = hint_for(word, load_words(project)) or "variants/matrix.yaml names them"
            raise RequestError(f"load={text}: unknown load {quote(word)}; {hint}")
    names = {name for word in wanted for name in _selected(project, loads, word)}
    return tuple(load for name, load in loads.items() if name in names)


def _selected(project: Project, loads: dict[str, Load], word: str) -> Sequence[str]:
    peers = project.matrix.peers
    grouped = {name for name, load in peers.loads.items() if load.group == word} if peers else set()
    return [name for name in loads if matches(name, word) or name in grouped]
