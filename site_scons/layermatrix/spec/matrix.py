"""matrix.yaml and experiments.yaml: check their values against each other, and build the resolved matrix."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from layermatrix.core.errors import hint_for, quote
from layermatrix.core.kinds import OF_AXIS, Check, Known, Misfit
from layermatrix.model.axes import VARIABLES, Preset
from layermatrix.model.matching import rule_values
from layermatrix.model.matrix import Matrix
from layermatrix.model.measuring import FLOOR, Link, Peers, Scale
from layermatrix.model.patterns import matches
from layermatrix.spec.lineage import chain, is_circle
from layermatrix.spec.reading import Document, Path
from layermatrix.spec.shapes import ExperimentsSpec


def known(matrix: Matrix, variants: Sequence[str], document: Document) -> Known:
    """What names may refer to, by noun; without nouns whose names cannot be read."""
    found: dict[str, Sequence[str] | Check] = {**document.known("loads", "peers groups", "presets")}
    if matrix.peers:
        found["load of peers"] = functools.partial(_unknown_load, matrix.peers, document)
    if document.sound("axes"):
        given = {axis: variants if axis == "variant" else matrix.axes[axis] for axis in matrix.axes.names}
        given |= {name: tuple(axis.values) for name, axis in matrix.run.items()}
        for axis, values in given.items():
            names = (name for one in values for name in rule_values(axis, one))
            found[axis + OF_AXIS] = [*dict.fromkeys(names)]
        variables = (*given, *(name for name in VARIABLES if name != "preset"))
        found |= {"axis": matrix.axes.names, "variable": variables}
    return found


def _unknown_load(peers: Peers, document: Document, word: str) -> Misfit | None:
    if peers.named([word]) or not document.sound("peers", "loads"):
        return None
    return Misfit(f"unknown load {quote(word)}", hint_for(word, (*peers.groups, *peers.loads)))


def check(matrix: Matrix, variants: Sequence[str], document: Document) -> None:
    """Report names in matrix.yaml that are used twice, and presets that inherit in a circle."""
    for name in matrix.run:
        if name in matrix.axes.own:
            document.error(("run", name), f"{quote(name)} is an axis under 'axes', too", at_key=True)
    parents = {name: preset.inherits for name, preset in matrix.presets.items()}
    for name in parents:
        if is_circle(chain(name, parents)):
            document.error(("presets", name, "inherits"), f"preset {quote(name)} inherits from itself")
    if matrix.peers:
        _check_peers(matrix.peers, variants, document)


def _check_peers(peers: Peers, variants: Sequence[str], document: Document) -> None:
    """Check that all timed libraries have different names, that no load and group share a name, since the
    command line accepts both, that each group selects a load, and that no two loads have the same place in a
    family."""
    top: Path = ("peers",)
    shared = [((*top, "libraries", name), "a variant") for name in peers.libraries if name in variants]
    shared += [((*top, "groups", name), "a load") for name in peers.groups if name in peers.loads]
    shared += [((*top, FLOOR), "a variant")] if peers.floor and FLOOR in variants else []
    for path, other in shared:
        document.error(path, f"{quote(str(path[-1]))} is the name of {other}, too", at_key=True)
    for name, load in peers.loads.items():
        if peers.groups and not load.group:
            what = f"load {quote(name)} has no 'group'"
            document.error(("peers", "loads", name), what, hint_for("", peers.groups), at_key=True)
    if not document.sound("peers", "loads"):
        return
    for name in peers.groups:
        if name not in peers.loads and not peers.named([name]):
            document.error(("peers", "groups", name), f"no load is of the group {quote(name)}", at_key=True)
    seen: dict[Scale, str] = {}
    for name, load in peers.loads.items():
        if load.scale and (other := seen.setdefault(load.scale, name)) != name:
            what = f"load {quote(other)} is at {load.scale.at} of {quote(load.scale.family)}, too"
            document.error(("peers", "loads", name, "scale", "at"), what)


def check_experiments(spec: ExperimentsSpec, matrix: Matrix, cells: Document, questions: Document) -> None:
    """Check that loads whose speed is compared are timed, and that the variant that an experiment kept is one
    of its own. cells, questions: matrix.yaml, experiments.yaml."""
    compared: list[tuple[Document, Path, str]] = [(cells, ("timing", "headline"), matrix.timing.headline)]
    for name, one in spec.experiments.items():
        if one.decides == "speed":
            compared.append((questions, ("experiments", name, "loads", 0), one.loads[0]))
        if one.kept and one.kept not in one.variants:
            what = f"{quote(one.kept)} is not one of the experiment's variants"
            questions.error(("experiments", name, "kept"), what, hint_for(one.kept, one.variants))
    for document, path, name in compared:
        if name in matrix.loads and not matrix.loads[name].args:
            document.error(path, f"load {quote(name)} has no 'args', so that it is not timed")


# --- the resolved matrix


def resolve(matrix: Matrix, variants: Sequence[str], link: Link) -> Matrix:
    """The matrix with every implied value filled in, and with the variants that its patterns match. link: the
    profile's, for loads that declare none."""
    names = (name for pattern in matrix.axes.variant for name in variants if matches(name, pattern))
    axes = replace(matrix.axes, variant=tuple(dict.fromkeys(names)))
    loads = {name: replace(load, link=load.link or link) for name, load in matrix.loads.items()}
    timing = replace(matrix.timing, headline=matrix.timing.headline or next(iter(matrix.timed), ""))
    presets = {name: _inherited(preset, matrix.presets) for name, preset in matrix.presets.items()}
    return replace(matrix, axes=axes, loads=loads, timing=timing, presets=presets)


def _inherited(preset: Preset, presets: Mapping[str, Preset]) -> Preset:
    """The preset with the values that it inherits."""
    parent = presets.get(preset.inherits)
    return replace(preset, set={**_inherited(parent, presets).set, **preset.set}) if parent else preset
