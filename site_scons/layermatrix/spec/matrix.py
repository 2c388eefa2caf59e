"""matrix.yaml and experiments.yaml: check their values against each other, and build the resolved matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from layermatrix.core.errors import hint_for, quote
from layermatrix.model.layers import ALL
from layermatrix.model.measuring import FLOOR, Experiment, Link, PeerLoad, Peers
from layermatrix.model.patterns import matches
from layermatrix.model.plan import AXES, Axes, Matrix
from layermatrix.spec import references
from layermatrix.spec.reading import Document, Path
from layermatrix.spec.references import Known
from layermatrix.spec.shapes import ExperimentsSpec


def check(matrix: Matrix, variants: list[str], document: Document) -> None:
    """Report unknown and duplicate names in matrix.yaml."""
    known: dict[str, Sequence[str]] = {"variant": variants} if variants else {}
    if document.sound("axes"):
        known |= {axis: matrix.axes[axis] for axis in AXES if axis != "variant"}
    if document.sound("loads"):
        known["load"] = document.names("loads")
    references.check(matrix, known, document)
    _check_timed(matrix.timing.headline, matrix, ("timing", "headline"), document)
    if matrix.peers:
        _check_peers(matrix.peers, variants, document)


def expanded(axes: Axes, variants: Sequence[str]) -> Axes:
    """The axes, with each pattern replaced by the variants that it matches."""
    names = (name for pattern in axes.variant for name in variants if matches(name, pattern))
    return replace(axes, variant=tuple(dict.fromkeys(names)))


def resolve(matrix: Matrix, variants: Sequence[str], link: Link) -> Matrix:
    """The matrix with every implied value filled in. link: the profile's, for loads that declare none."""
    loads = {name: replace(load, link=load.link or link) for name, load in matrix.loads.items()}
    headline = matrix.timing.headline or next(iter(matrix.timed), "")
    timing = replace(matrix.timing, headline=headline)
    return replace(matrix, axes=expanded(matrix.axes, variants), loads=loads, timing=timing)


def _check_peers(peers: Peers, variants: list[str], document: Document) -> None:
    """Check that all timed libraries have different names, and that the loads and groups exist."""
    for name in peers.libraries:
        if name in variants:
            what = f"{quote(name)} is the name of a variant, too"
            document.error(("peers", "libraries", name), what, at_key=True)
        elif name == FLOOR:
            what = "no library can be called 'floor'"
            document.error(("peers", "libraries", name), what, "it is a key beside 'libraries'", at_key=True)
    for name, load in peers.loads.items():
        _check_peer_load(name, load, document)
    _check_groups(peers, document)
    _check_words(peers, peers.default, ("peers", "default"), document)
    if peers.floor:
        _check_words(peers, peers.floor.loads, ("peers", "floor", "loads"), document)
        if FLOOR in variants:
            document.error(("peers", "floor"), "'floor' is the name of a variant, too", at_key=True)


def _check_groups(peers: Peers, document: Document) -> None:
    """Check that no load and group share a name, since the command line accepts both, and that no group is
    empty."""
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
        document.error(path, _not_timed(name), at_key=True)
    if load.group and load.group not in groups:
        document.error((*path, "group"), f"unknown group {quote(load.group)}", hint_for(load.group, groups))
    if not load.group and groups:
        document.error(path, f"load {quote(name)} has no 'group'", hint_for("", groups), at_key=True)


def _check_words(peers: Peers, words: Sequence[str], path: Path, document: Document) -> None:
    """Check that each word refers to a load. Skipped if some loads are unknown."""
    for index, word in enumerate(words if document.sound("peers", "loads") else ()):
        if not peers.named([word]):
            hint = hint_for(word, (*peers.groups, *peers.loads))
            document.error((*path, index), f"unknown load {quote(word)}", hint)


def _check_timed(name: str, matrix: Matrix, path: Path, document: Document) -> None:
    """Check that each load whose speed is compared is timed."""
    load = matrix.loads.get(name)
    if load and not load.args:
        document.error(path, _not_timed(name))


def _not_timed(name: str) -> str:
    return f"load {quote(name)} has no 'args', so that it is not timed"


def check_experiments(
    spec: ExperimentsSpec, variants: list[str], matrix: Matrix | None, file: Document, document: Document
) -> None:
    """Check that names in experiments refer to something. Skips loads if those of `file` cannot be read."""
    loads = file.names("loads") if matrix else []
    known: Known = {noun: names for noun, names in (("variant", variants), ("load", loads)) if names}
    references.check(spec, known, document)
    for name, one in spec.experiments.items():
        if name == ALL:
            what = "an experiment cannot be called 'all': that is the word for every one"
            document.error(("experiments", name), what, at_key=True)
        if matrix and one.decides == "speed":
            _check_timed(one.loads[0], matrix, ("experiments", name, "loads", 0), document)
        _check_kept(one, document)


def _check_kept(experiment: Experiment, document: Document) -> None:
    if experiment.kept and experiment.kept not in experiment.variants:
        hint = hint_for(experiment.kept, experiment.variants)
        what = f"{quote(experiment.kept)} is not one of the experiment's variants"
        document.error(("experiments", experiment.name, "kept"), what, hint)
