"""matrix.yaml and experiments.yaml: the names in them refer to something."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from layermatrix.core.errors import hint_for, quote
from layermatrix.model.layers import ALL
from layermatrix.model.measuring import FLOOR, Experiment, Load, PeerLoad, Peers
from layermatrix.model.plan import AXES, Axes, Cells, Matrix
from layermatrix.spec.reading import Document, Path
from layermatrix.spec.shapes import ExperimentsSpec


def check(matrix: Matrix, variants: list[str], document: Document) -> None:
    """Report the names in matrix.yaml that nothing has."""
    if document.sound("axes"):
        _check_cells(matrix, variants, document)
    if document.sound("loads"):
        _check_loads(matrix, document)
    for name, page in matrix.pages.items():
        _check_variants(page.variants, variants, ("pages", name, "variants"), document)
    if matrix.peers:
        _check_peers(matrix.peers, variants, document)


def expanded(axes: Axes, variants: Sequence[str]) -> Axes:
    """The axes with the names of variants in place of patterns."""
    names = (name for pattern in axes.variant for name in variants if matches(name, pattern))
    return replace(axes, variant=tuple(dict.fromkeys(names)))


def matches(name: str, pattern: str) -> bool:
    """Whether a value of an axis matches a user's word or pattern."""
    return pattern == ALL or fnmatchcase(name, pattern)


def resolve(matrix: Matrix, variants: Sequence[str]) -> Matrix:
    """The matrix with every implied value filled in."""
    headline = matrix.timing.headline or next(iter(matrix.timed), "")
    timing = replace(matrix.timing, headline=headline)
    return replace(matrix, axes=expanded(matrix.axes, variants), timing=timing)


def _check_cells(matrix: Matrix, variants: list[str], document: Document) -> None:
    _check_patterns("variant", matrix.axes.variant, variants, ("axes", "variant"), document)
    choices: list[tuple[Path, Cells]] = [(("default",), matrix.default)]
    choices += [(("rules", index, "exclude"), rule.exclude) for index, rule in enumerate(matrix.rules)]
    for path, cells in choices:
        for axis in AXES:
            known = variants if axis == "variant" else matrix.axes[axis]
            _check_patterns(axis, cells[axis], known, (*path, axis), document)


def _check_patterns(
    noun: str, given: Iterable[str], known: Iterable[str], path: Path, document: Document
) -> None:
    """Each value or pattern matches something; nothing is said where nothing is known."""
    names = list(known)
    for index, pattern in enumerate(given if names else ()):
        if not any(matches(name, pattern) for name in names):
            document.error((*path, index), f"unknown {noun} {quote(pattern)}", hint_for(pattern, names))


def _check_variants(given: Iterable[str], known: list[str], path: Path, document: Document) -> None:
    for index, name in enumerate(given if known else ()):
        if name not in known:
            document.error((*path, index), f"unknown variant {quote(name)}", hint_for(name, known))


def _check_peers(peers: Peers, variants: list[str], document: Document) -> None:
    """The variants, groups and loads exist, and all that are timed can be told apart by their names."""
    _check_patterns("variant", peers.variants, variants, ("peers", "variants"), document)
    for name, library in peers.libraries.items():
        path = ("peers", "libraries", name)
        _check_patterns("variant", library.variants, variants, (*path, "variants"), document)
        if name in variants:
            document.error(path, f"{quote(name)} is the name of a variant, too", at_key=True)
        elif name == FLOOR:
            document.error(
                path, "no library can be called 'floor'", "it is a key beside 'libraries'", at_key=True
            )
    for name, load in peers.loads.items():
        _check_peer_load(name, load, document)
    _check_groups(peers, document)
    _check_words(peers, peers.default, ("peers", "default"), document)
    if peers.floor:
        _check_words(peers, peers.floor.loads, ("peers", "floor", "loads"), document)
        if FLOOR in variants:
            document.error(("peers", "floor"), "'floor' is the name of a variant, too", at_key=True)


def _check_groups(peers: Peers, document: Document) -> None:
    """A word on the command line is a load or a group, and a group has loads."""
    for name in peers.groups:
        path = ("peers", "groups", name)
        if name == ALL:
            document.error(path, "no group can be called 'all': that is the word for every load", at_key=True)
        elif name in peers.loads:
            document.error(path, f"{quote(name)} is the name of a load, too", at_key=True)
        elif document.sound("peers", "loads") and not peers.named([name]):
            document.error(path, f"no load is of the group {quote(name)}", at_key=True)


def _check_peer_load(name: str, load: PeerLoad, document: Document) -> None:
    path, groups = ("peers", "loads", name), document.names("peers", "groups")
    if name == ALL:
        document.error(path, "no load can be called 'all': that is the word for every one", at_key=True)
    if not load.args:
        document.error(path, f"load {quote(name)} has no 'args', so that it is not timed", at_key=True)
    if load.group and load.group not in groups:
        document.error((*path, "group"), f"unknown group {quote(load.group)}", hint_for(load.group, groups))
    if not load.group and groups:
        document.error(path, f"load {quote(name)} has no 'group'", hint_for("", groups), at_key=True)


def _check_words(peers: Peers, words: Sequence[str], path: Path, document: Document) -> None:
    """Each word stands for a load; nothing is said where not all loads are known."""
    for index, word in enumerate(words if document.sound("peers", "loads") else ()):
        if not peers.named([word]):
            hint = hint_for(word, (*peers.groups, *peers.loads))
            document.error((*path, index), f"unknown load {quote(word)}", hint)


def _check_loads(matrix: Matrix, document: Document) -> None:
    """The loads that are referred to exist, and the headline's is one that is timed."""
    known = document.names("loads")
    if matrix.timing.headline and document.sound("timing"):
        path = ("timing", "headline")
        _check_load(matrix.timing.headline, known, matrix.loads, path, document, timed=True)
    for index, name in enumerate(matrix.counters.loads if document.sound("counters") else ()):
        _check_load(name, known, matrix.loads, ("counters", "loads", index), document, timed=False)


def _check_load(
    name: str, known: list[str], loads: Mapping[str, Load], path: Path, document: Document, *, timed: bool
) -> None:
    load = loads.get(name)
    if name not in known:
        document.error(path, f"unknown load {quote(name)}", hint_for(name, known))
    elif timed and load and not load.args:
        document.error(path, f"load {quote(name)} has no 'args', so that it is not timed")


def check_experiments(
    spec: ExperimentsSpec, variants: list[str], matrix: Matrix | None, file: Document, document: Document
) -> None:
    """Names in experiments refer to something. Of loads nothing is said where those of `file` cannot be
    read."""
    for name, experiment in spec.experiments.items():
        if name == ALL:
            what = "an experiment cannot be called 'all': that is the word for every one"
            document.error(("experiments", name), what, at_key=True)
        _check_experiment(experiment, variants, document)
        by_speed = experiment.decides == "speed"
        known = file.names("loads") if matrix else []
        for index, load in enumerate(experiment.loads if known and matrix else ()):
            path = ("experiments", name, "loads", index)
            assert matrix is not None
            _check_load(load, known, matrix.loads, path, document, timed=by_speed and index == 0)


def _check_experiment(experiment: Experiment, variants: list[str], document: Document) -> None:
    path = ("experiments", experiment.name)
    _check_variants(experiment.variants, variants, (*path, "variants"), document)
    if experiment.kept and experiment.kept not in experiment.variants:
        hint = hint_for(experiment.kept, experiment.variants)
        what = f"{quote(experiment.kept)} is not one of the experiment's variants"
        document.error((*path, "kept"), what, hint)
