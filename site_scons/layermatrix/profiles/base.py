"""The base class of profiles. It adds nothing, and is the profile of a catalogue that names none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from layermatrix.core.kinds import Misfit
from layermatrix.model.catalogue import Setting, Unit
from layermatrix.model.layers import Key, Role, Storage
from layermatrix.model.measuring import Link


@dataclass(frozen=True)
class Objection:
    """A profile's error about a variant. It is reported where the variant sets the first of `settings`."""

    settings: tuple[str, ...]
    what: str
    hint: str | None = None


@dataclass(frozen=True)
class Profile:
    """What a domain adds.

    words: core spec key -> the domain's name for it. key, stored, path, supply: terms of reports for a key, a
    layer's entries, the path, and what the last layer does with the system below it. roles, settings,
    storages, unit: defaults for a catalogue that declares none; a catalogue's own setting or storage takes
    precedence over one of the same name. link: how a benchmark gets the hot path, if its load does not
    declare it.
    """

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
    link: Link = Link.INLINED

    def misfits(self, keys: Sequence[Key]) -> Iterator[tuple[str, Misfit]]:
        """The mistakes in a table of keys: (name of the key, mistake)."""
        yield from ()

    def objections(self, keys: Sequence[Key], settings: Mapping[str, str | int]) -> Iterator[Objection]:
        """The conflicts among the settings and keys of a variant."""
        yield from ()

    def extra(self, keys: Sequence[Key], settings: Mapping[str, str | int]) -> Mapping[str, Any]:
        """Additional values for templates; they see them as `variant.extra`."""
        return {}

    def key_columns(
        self, keys: Sequence[Key], settings: Mapping[str, str | int]
    ) -> Mapping[str, Sequence[str]]:
        """The columns of a report's table of keys: heading -> one text per key."""
        names = dict.fromkeys(name for key in keys for name in key.values)
        return {name: [str(key.values.get(name, "")) for key in keys] for name in names}
