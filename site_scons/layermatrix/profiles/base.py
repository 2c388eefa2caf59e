"""A profile: what a domain of hot paths adds. This one adds nothing, and is a catalogue's that names none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from layermatrix.core.kinds import Misfit
from layermatrix.model.catalogue import Setting, Unit
from layermatrix.model.layers import Key, Layer, Role, Storage


@dataclass(frozen=True)
class Objection:
    """What a profile has against a variant, said where the variant sets the first of these settings."""

    settings: tuple[str, ...]
    what: str
    hint: str | None = None


@dataclass(frozen=True)
class Profile:
    """words: what files call the core's own words. key, stored, path, supply: what reports call a key, what
    layers store, the path, and what the last layer does with the system behind it. roles, settings, storages,
    unit: those of a catalogue that declares none of its own; a setting or a storage of a catalogue goes
    before one of the same name."""

    name: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    key: str = "key"
    stored: str = "entries"
    path: str = "The path of a request through the layers"
    supply: str = "works on"
    roles: Mapping[str, Role] = field(default_factory=dict)
    settings: Mapping[str, Setting] = field(default_factory=dict)
    storages: Mapping[str, Storage] = field(default_factory=dict)
    unit: Unit = field(default_factory=Unit)

    def misfits(self, keys: Sequence[Key]) -> Iterator[tuple[str, Misfit]]:
        """What is wrong with a table of keys: the key's name, and the mistake."""
        yield from ()

    def objections(self, keys: Sequence[Key], settings: Mapping[str, str | int]) -> Iterator[Objection]:
        """What does not go together in a variant."""
        yield from ()

    def extra(
        self, keys: Sequence[Key], settings: Mapping[str, str | int], layers: Sequence[Layer]
    ) -> Mapping[str, Any]:
        """Further values for templates, as `variant.extra`."""
        return {}

    def key_columns(
        self, keys: Sequence[Key], settings: Mapping[str, str | int]
    ) -> Mapping[str, Sequence[str]]:
        """What a reader is shown of each key: heading -> a text for each."""
        names = dict.fromkeys(name for key in keys for name in key.values)
        return {name: [str(key.values.get(name, "")) for key in keys] for name in names}
