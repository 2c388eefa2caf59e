"""Select the loads and libraries of a comparison: check the words of the command line.

`loads=` and `libraries=` take `all` or a comma-separated list of names and patterns; `loads=` also takes
groups. `peer=name:path` adds any library. Unknown words raise RequestError, with a suggestion.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from layermatrix.build.request import RequestError
from layermatrix.core.errors import hint_for, quote
from layermatrix.model.layers import ALL
from layermatrix.model.measuring import FLOOR, PeerLoad, Peers
from layermatrix.model.patterns import matches

_ADDED = re.compile(r"([A-Za-z_][\w.-]*):(.+)")
_BETWEEN = re.compile(r",(?=[A-Za-z_][\w.-]*:)")  # paths may contain commas


@dataclass(frozen=True)
class PeerSelection:
    """loads: the loads to time. libraries: names from the matrix, and `floor`. added: the user's own
    libraries."""

    loads: Sequence[PeerLoad]
    libraries: Sequence[str]
    added: Mapping[str, Path] = field(default_factory=dict)


def of_request(
    peers: Peers,
    variants: Sequence[str],
    baseline: str,
    root: Path,
    *,
    loads: str = "",
    libraries: str = "",
    added: str = "",
) -> PeerSelection:
    """The selection to time beside these variants and the baseline. Empty text selects the matrix's
    default."""
    chosen = _libraries(peers, libraries) if libraries else _beside(peers, variants)
    taken = (baseline, *variants, *peers.libraries, FLOOR)
    return PeerSelection(_loads(peers, loads), chosen, dict(_added(added, root, taken)))


def _loads(peers: Peers, text: str) -> Sequence[PeerLoad]:
    if not text:
        return peers.by_default
    words = _words("loads", text)
    for word in words:
        if not peers.named([word]):
            raise _unknown("load", f"loads={text}", word, (*peers.groups, *peers.loads, ALL))
    return peers.named(words)


def _libraries(peers: Peers, text: str) -> list[str]:
    known = [*peers.libraries, *([FLOOR] if peers.floor else [])]
    words = _words("libraries", text)
    for word in words:
        if not _matching(known, word):
            raise _unknown("library", f"libraries={text}", word, (*known, ALL))
    wanted = {name for word in words for name in _matching(known, word)}
    return [name for name in known if name in wanted]


def _matching(known: Iterable[str], word: str) -> list[str]:
    return [name for name in known if matches(name, word)]


def _beside(peers: Peers, variants: Sequence[str]) -> list[str]:
    names = [name for name, peer in peers.libraries.items() if peer.is_beside(variants)]
    return [*names, *([FLOOR] if peers.floor else [])]


def _added(text: str, root: Path, taken: Sequence[str]) -> Iterable[tuple[str, Path]]:
    names = set(taken)
    for part in _BETWEEN.split(text) if text else ():
        match = _ADDED.fullmatch(part)
        if match is None:
            raise RequestError(f"peer={part}: expected a name and a path, such as mine:/usr/lib/libmine.so")
        name, path = match[1], root / match[2]
        if name in names:
            raise RequestError(f"peer={part}: {quote(name)} is the name of another that is timed")
        if not path.is_file():
            raise RequestError(f"peer={part}: there is no file {path}")
        names.add(name)
        yield name, path


def _words(variable: str, text: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise RequestError(f"{variable}={text}: expected names, patterns, or all")
    return words


def _unknown(noun: str, given: str, word: str, known: Sequence[str]) -> RequestError:
    hint = hint_for(word, known) or "'peers' in variants/matrix.yaml names them"
    return RequestError(f"{given}: unknown {noun} {quote(word)}; {hint}")
