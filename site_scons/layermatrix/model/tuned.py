"""A variant with other values, as the text of a variant's file; and the values that it has now."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from layermatrix.core.errors import hint_for, quote
from layermatrix.model.candidates import Candidate
from layermatrix.model.layers import Key
from layermatrix.model.tuning import GROUPS, Tuning, Values
from layermatrix.model.variants import Variant

KEYS_OF = "keys_of"
Point = Mapping[str, "str | int"]


def ranges(tuning: Tuning) -> dict[str, Values]:
    """Every value to try by its name, such as `capacity.ring` or `keys_of`."""
    more = {KEYS_OF: Values(choices=tuning.keys_of)} if tuning.keys_of else {}
    return {**tuning.parts, **more}


def unknown_layer(variant: Variant, tuning: Tuning) -> str | None:
    """What is wrong with a layer that the search names and the variant does not have; None if all are
    there."""
    own = [layer.name for layer in variant.layers]
    for group in ("capacity", "bytes"):
        for name in getattr(tuning, group):
            if name not in own:
                hint = hint_for(name, own)
                return f"{group}: layer {quote(name)} is not in {variant.name}" + (
                    f"; {hint}" if hint else ""
                )
    return None


def present(variant: Variant, tuning: Tuning) -> dict[str, str | int] | None:
    """The variant's own values; None if one of them is not among those to try."""
    layers = {layer.name: layer for layer in variant.layers}
    found: dict[str, str | int] = {}
    for name in tuning.settings:
        found[f"settings.{name}"] = variant.settings[name]
    for name in tuning.options:
        option = variant.options[name]
        found[f"options.{name}"] = "env" if option.env else _written(option.value)
    found |= {f"capacity.{name}": layers[name].capacity for name in tuning.capacity}
    found |= {f"bytes.{name}": layers[name].bytes_bound for name in tuning.bytes}
    if tuning.keys_of:
        found[KEYS_OF] = variant.name
    known = ranges(tuning)
    return found if all(value in known[name] for name, value in found.items()) else None


def _written(value: bool | int) -> str | int:
    return ("on" if value else "off") if isinstance(value, bool) else value


def candidate(variant: Variant, variants: Mapping[str, Variant], point: Point, key_word: str) -> Candidate:
    """The variant with these values. key_word: the project's word for `keys`."""
    groups: dict[str, dict[str, str | int]] = {group: {} for group in GROUPS}
    for name, value in point.items():
        if name != KEYS_OF:
            group, _, own = name.partition(".")
            groups[group][own] = value
    doc = f"{variant.name} with other values."
    lines = [f"doc: {doc}", f"extends: {variant.name}"]
    table = str(point.get(KEYS_OF, variant.name))
    if table != variant.name:
        keys = ", ".join(f"{key.name}: {_key(key)}" for key in variants[table].keys)
        lines += [f"# the table of {table}", f"{key_word}: {{{keys}}}"]
    sets = [f"{name}: {value}" for name, value in groups.pop("settings").items()]
    sets += [
        f"{group}: {{{', '.join(f'{name}: {value}' for name, value in given.items())}}}"
        for group, given in groups.items()
        if given
    ]
    lines += [f"set: {{{', '.join(sets)}}}"] if sets else []
    lines += ["budget: none # the limits are those of another code"] if variant.budget else []
    text = "\n".join(lines) + "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return Candidate(f"{variant.name}_tune_{digest}", doc, text)


def _key(key: Key) -> str:
    """The values of a key as a file has them."""
    words = {
        name: _written(value) if not isinstance(value, str) else value for name, value in key.values.items()
    }
    if list(words) == ["size"]:
        return str(words["size"])
    return f"{{{', '.join(f'{name}: {value}' for name, value in words.items())}}}"
