"""matrix.yaml and experiments.yaml: check their values against each other, and build the resolved matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from layermatrix.core.errors import hint_for, quote
from layermatrix.core.kinds import NOT
from layermatrix.model.axes import VARIABLES, Preset
from layermatrix.model.matching import rule_values
from layermatrix.model.matrix import AXES, Axes, Cells, Matrix
from layermatrix.model.measuring import FLOOR, Link, Peers, Scale
from layermatrix.model.patterns import matches
from layermatrix.model.quarantine import Quarantine
from layermatrix.spec.reading import Document, Path
from layermatrix.spec.shapes import ExperimentsSpec


def known(matrix: Matrix, document: Document) -> dict[str, Sequence[str]]:
    """The existing names by noun; without nouns whose names cannot be read."""
    axes = {axis: matrix.axes[axis] for axis in AXES if axis != "variant"} if document.sound("axes") else {}
    names = {"axis": matrix.axes.names} if document.sound("axes") else {}
    return {**axes, **names, **document.known({("loads",): (), ("peers", "groups"): (), ("presets",): ()})}


def check(matrix: Matrix, variants: list[str], document: Document) -> None:
    """Report names in matrix.yaml that are used twice, and loads that are compared but not timed."""
    _check_timed(matrix.timing.headline, matrix, ("timing", "headline"), document)
    _check_axes(matrix, document)
    _check_presets(matrix, variants, document)
    if matrix.peers:
        _check_peers(matrix.peers, variants, document)


def check_quarantine(quarantine: Quarantine, matrix: Matrix, document: Document) -> None:
    """Check that the entries name existing values of own axes."""
    for key, entries in (("quarantine", quarantine.quarantine), ("flaky", quarantine.flaky)):
        for index, entry in enumerate(entries if document.sound(key) else ()):
            for axis, patterns in entry.cells.own.items():
                if axis in matrix.axes.own:
                    path: Path = (key, index, "cells", axis)
                    _check_values(axis, matrix.axes[axis], patterns, path, document)


def _check_axes(matrix: Matrix, document: Document) -> None:
    """Check that no name is used for two axes, and that rules and defaults name existing values of own
    axes."""
    for name in matrix.run:
        if name in matrix.axes.own:
            document.error(("run", name), f"{quote(name)} is an axis under 'axes', too", at_key=True)
    if not document.sound("axes"):
        return
    selections: list[tuple[Path, Cells]] = [(("default",), matrix.default)]
    for index, rule in enumerate(matrix.rules if document.sound("rules") else ()):
        selections.append((("rules", index, "exclude" if rule.exclude else "include"), rule.cells))
    for path, cells in selections:
        for axis, patterns in cells.own.items():
            if axis in matrix.axes.own:
                _check_values(axis, matrix.axes[axis], patterns, (*path, axis), document)


def _check_presets(matrix: Matrix, variants: Sequence[str], document: Document) -> None:
    """Check that presets set existing variables, to existing values of axes, and do not inherit in a
    circle."""
    if not document.sound("axes"):
        return
    known = (*matrix.axes.names, *matrix.run, *(name for name in VARIABLES if name != "preset"))
    for name, preset in matrix.presets.items():
        for variable, words in preset.set.items():
            path = ("presets", name, "set", variable)
            if variable not in known:
                what = f"unknown variable {quote(variable)}"
                document.error(path, what, hint_for(variable, known) or "-h lists them all", at_key=True)
            elif variable in (*matrix.axes.names, *matrix.run):
                _check_values(variable, _values_of(variable, matrix, variants), words, path, document)
        if _is_circle(preset, matrix.presets):
            document.error(("presets", name, "inherits"), f"preset {quote(name)} inherits from itself")


def _values_of(axis: str, matrix: Matrix, variants: Sequence[str]) -> Sequence[str]:
    """The values that the command line accepts for an axis."""
    if axis == "variant":
        return variants
    if axis in matrix.run:
        return tuple(matrix.run[axis].values)
    return [name for value in matrix.axes[axis] for name in rule_values(axis, value)]


def _is_circle(preset: Preset, presets: Mapping[str, Preset]) -> bool:
    seen: list[str] = []
    while preset.inherits in presets and preset.inherits not in seen:
        seen.append(preset.inherits)
        preset = presets[preset.inherits]
    return preset.inherits in seen


def _inherited(preset: Preset, presets: Mapping[str, Preset]) -> Preset:
    """The preset with the values that it inherits."""
    parent = presets.get(preset.inherits)
    return replace(preset, set={**_inherited(parent, presets).set, **preset.set}) if parent else preset


def _check_values(
    axis: str, known: Sequence[str], patterns: Sequence[str], path: Path, document: Document
) -> None:
    """Check that each pattern matches a value of the axis."""
    for index, pattern in enumerate(patterns):
        name = pattern.removeprefix(NOT)
        if not any(matches(value, name) for value in known):
            at = (*path, "not") if pattern.startswith(NOT) else path
            what = f"unknown {axis} {quote(name)}"
            document.error(_item(document, at, index), what, hint_for(name, known))


def _item(document: Document, path: Path, index: int) -> Path:
    """The path of an item, or of a single value in place of the list."""
    return (*path, index) if isinstance(document.walk(path)[-1].value, list) else path


def expanded(axes: Axes, variants: Sequence[str]) -> Axes:
    """The axes, with each pattern replaced by the variants that it matches."""
    names = (name for pattern in axes.variant for name in variants if matches(name, pattern))
    return replace(axes, variant=tuple(dict.fromkeys(names)))


def resolve(matrix: Matrix, variants: Sequence[str], link: Link) -> Matrix:
    """The matrix with every implied value filled in. link: the profile's, for loads that declare none."""
    loads = {name: replace(load, link=load.link or link) for name, load in matrix.loads.items()}
    headline = matrix.timing.headline or next(iter(matrix.timed), "")
    timing = replace(matrix.timing, headline=headline)
    presets = {name: _inherited(preset, matrix.presets) for name, preset in matrix.presets.items()}
    axes = expanded(matrix.axes, variants)
    return replace(matrix, axes=axes, loads=loads, timing=timing, presets=presets)


def _check_peers(peers: Peers, variants: list[str], document: Document) -> None:
    """Check that all timed libraries have different names, that no load and group share a name, since the
    command line accepts both, and that each group and each word selects a load."""
    shared = [("libraries", name, "a variant") for name in peers.libraries if name in variants]
    shared += [("groups", name, "a load") for name in peers.groups if name in peers.loads]
    shared += [("floor", "", "a variant")] if peers.floor and FLOOR in variants else []
    for key, name, other in shared:
        at = ("peers", key, name) if name else ("peers", key)
        document.error(at, f"{quote(name or key)} is the name of {other}, too", at_key=True)
    for name, load in peers.loads.items():
        if peers.groups and not load.group:
            what = f"load {quote(name)} has no 'group'"
            document.error(("peers", "loads", name), what, hint_for("", peers.groups), at_key=True)
    if not document.sound("peers", "loads"):
        return
    _check_scales(peers, document)
    for name in peers.groups:
        if name not in peers.loads and not peers.named([name]):
            document.error(("peers", "groups", name), f"no load is of the group {quote(name)}", at_key=True)
    _check_words(peers, peers.default, ("peers", "default"), document)
    _check_words(peers, peers.floor.loads if peers.floor else (), ("peers", "floor", "loads"), document)


def _check_scales(peers: Peers, document: Document) -> None:
    """Check that no two loads have the same place in a family."""
    seen: dict[Scale, str] = {}
    for name, load in peers.loads.items():
        if load.scale and load.scale in seen:
            what = f"load {quote(seen[load.scale])} is at {load.scale.at} of {quote(load.scale.family)}, too"
            document.error(("peers", "loads", name, "scale", "at"), what)
        elif load.scale:
            seen[load.scale] = name


def _check_words(peers: Peers, words: Sequence[str], path: Path, document: Document) -> None:
    """Check that each word refers to a load."""
    for index, word in enumerate(words):
        if not peers.named([word]):
            hint = hint_for(word, (*peers.groups, *peers.loads))
            document.error((*path, index), f"unknown load {quote(word)}", hint)


def _check_timed(name: str, matrix: Matrix, path: Path, document: Document) -> None:
    """Check that a load whose speed is compared is timed."""
    load = matrix.loads.get(name)
    if load and not load.args:
        document.error(path, f"load {quote(name)} has no 'args', so that it is not timed")


def check_experiments(spec: ExperimentsSpec, matrix: Matrix, document: Document) -> None:
    """Check that a load that decides by its speed is timed, and that the kept variant is one of those
    compared."""
    for name, one in spec.experiments.items():
        path = ("experiments", name)
        if one.decides == "speed":
            _check_timed(one.loads[0], matrix, (*path, "loads", 0), document)
        if one.kept and one.kept not in one.variants:
            what = f"{quote(one.kept)} is not one of the experiment's variants"
            document.error((*path, "kept"), what, hint_for(one.kept, one.variants))
