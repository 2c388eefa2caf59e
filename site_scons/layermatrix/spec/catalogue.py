"""layers.yaml: check how its entries fit together, and build the resolved catalogue.

`Vocabulary` is what the catalogue and its profile define together: roles, keys, settings and storages. If the
file has mistakes, the vocabulary holds the parts that are valid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass

from layermatrix.core.errors import hint_for, quote
from layermatrix.core.kinds import Misfit
from layermatrix.model.catalogue import Catalogue, Setting
from layermatrix.model.layers import ALL, NO_STORAGE, Key, Layer, Role, Storage
from layermatrix.model.system import LIBRARY, System
from layermatrix.profiles import registry
from layermatrix.profiles.base import Profile
from layermatrix.spec.reading import Document
from layermatrix.spec.shapes import CatalogueSpec, LayerSpec

ONE_KEY = (Key("any", 0),)  # for a catalogue that does not divide requests by key
CORE_SETTINGS = (
    Setting(
        "toggles", "Whether layers are switched by the environment, at start-up.", ("fixed", "env"), "fixed"
    ),
    Setting("debug_output", "Debug code: compiled in always, or guarded.", ("guarded", "always"), "guarded"),
    Setting("layout", "The modules compiled apart, or as one unit.", ("modules", "unity"), "modules"),
    Setting("fast_path", "Every layer is inlined, or the first one alone.", ("inline", "ultra"), "inline"),
)


@dataclass(frozen=True)
class Vocabulary:
    """The terms in which variants are described. keys: empty if the file's keys are invalid."""

    profile: Profile
    roles: Mapping[str, Role]
    keys: tuple[Key, ...]
    settings: Mapping[str, Setting]
    storages: Mapping[str, Storage]

    def rank(self, role: str) -> int:
        """The position of a role in a variant's order."""
        return list(self.roles).index(role) if role in self.roles else len(self.roles)

    @property
    def last_role(self) -> str:
        """The role that answers every request."""
        return list(self.roles)[-1]

    @property
    def storing(self) -> tuple[str, ...]:
        """The roles whose layers must have a storage."""
        return tuple(name for name, role in self.roles.items() if role.storage == "required")


def vocabulary(spec: CatalogueSpec) -> Vocabulary:
    profile = registry.of(spec.profile)
    core = {setting.name: setting for setting in CORE_SETTINGS}
    return Vocabulary(
        profile,
        spec.roles or profile.roles or {"layer": Role("layer")},
        table(spec.keys) or ONE_KEY,
        {**core, **profile.settings, **spec.settings},
        {**profile.storages, **spec.storages},
    )


def table(keys: Mapping[str, Mapping[str, str | bool | int]]) -> tuple[Key, ...]:
    return tuple(Key(name, index, values) for index, (name, values) in enumerate(keys.items()))


def sources(system: System) -> list[str]:
    """The C files of the library."""
    return [name for group, names in system.files.items() if group != "probe" for name in names]


def known(spec: CatalogueSpec, words: Vocabulary, document: Document) -> dict[str, Sequence[str]]:
    """The existing names by noun, valid or not; without nouns whose names cannot be read."""
    if not document.sound("profile"):
        return {}
    sections: dict[str, tuple[tuple[str, ...], Iterable[str]]] = {  # with the names besides those of the file
        "layer": (("layers",), ()),
        "option": (("options",), ()),
        "reported figure": (("reported",), ()),
        "role": (("roles",), words.roles),
        "storage": (("storages",), (*words.storages, NO_STORAGE)),
        "setting": (("settings",), (*words.settings, "options", "capacity")),
        "entry": (("system", "entries"), (LIBRARY,)),
    }
    found: dict[str, Sequence[str]] = {
        noun: list(dict.fromkeys([*others, *document.names(*path)]))
        for noun, (path, others) in sections.items()
        if document.names(*path) or document.sound(*path)
    }
    return {**found, "source": sources(spec.system)} if document.sound("system") else found


# --- checking


def check(spec: CatalogueSpec, words: Vocabulary, document: Document) -> None:
    """Report entries that contradict each other."""
    check_keys(spec.keys, words.profile, document)
    for layer in spec.layers.values():
        if document.sound("roles") and document.sound("storages"):
            _check_storage(layer, words, document)
        if document.sound("keys"):
            _check_served(layer, words, document)
    if document.sound("system"):
        _check_system(spec.system, document)
    _check_environment(spec, document)


def check_keys(
    keys: Mapping[str, Mapping[str, str | bool | int]], profile: Profile, document: Document
) -> None:
    """Check that the table of keys meets the profile's rules."""
    for name, wrong in profile.misfits(table(keys)):
        if document.sound("keys", name):
            document.misfit(wrong, ("keys", name, "size"))


def _check_storage(layer: LayerSpec, words: Vocabulary, document: Document) -> None:
    """Check that the layer's storage suits its role, and that its bounds suit the storage."""
    path, storage = ("layers", layer.name), words.storages.get(layer.storage)
    wanted = words.roles[layer.role].storage if layer.role in words.roles else "optional"
    bounds = [name for name in ("capacity", "bytes") if getattr(layer, name)]
    if not document.sound(*path, "storage"):
        return
    if storage is None:
        if wanted == "required":
            what = f"a layer with role {layer.role} needs a 'storage'"
            document.error((*path, "storage"), what, hint_for("", words.storages))
        elif bounds:
            document.error((*path, bounds[0]), "a layer without storage has no bound")
    elif wanted == "none":
        what = f"storage {quote(layer.storage)} does not go with role {layer.role}"
        document.error((*path, "storage"), what, "layers of this role have none")
    elif wrong := [name for name in bounds if name not in storage.bounds]:
        document.error((*path, wrong[0]), f"storage {storage.name} is not bounded by {quote(wrong[0])}")
    elif not bounds:
        names = ", ".join(quote(name) for name in storage.bounds)
        needed = f"a {names}" if len(storage.bounds) == 1 else f"a bound: {names} or both"
        document.error((*path, "storage"), f"a layer with storage {storage.name} needs {needed}")
    elif layer.capacity and (misfit := storage.misfit(layer.capacity)):
        document.error((*path, "capacity"), misfit)


def _check_served(layer: LayerSpec, words: Vocabulary, document: Document) -> None:
    """Check the layer's keys, and what its storage requires of them."""
    path, noun, seen = ("layers", layer.name, "keys"), words.profile.key, set[str]()
    for place, item in enumerate(layer.keys):
        found = document.attempt((*path, place), select, item, words.keys, noun)
        names = [] if found is MISSING else [key.name for key in found]
        if twice := seen.intersection(names):
            document.error((*path, place), f"{noun} {quote(min(twice))} is given twice")
        seen.update(names)
    lack = lacking(layer, served(layer, words.keys), words.storages) if document.sound(*path) else None
    if lack:
        document.error(path, lack)


def select(item: str, keys: Sequence[Key], noun: str) -> Sequence[Key]:
    """The keys that `all`, `C2` or `C0-C3` means. Raises Misfit."""
    names = [key.name for key in keys]
    if item == ALL:
        return keys
    ends = [item] if item in names else [end.strip() for end in item.split("-", 1)]
    for end in ends:
        if end not in names:
            raise Misfit(f"unknown {noun} {quote(end)}", hint_for(end, names), whole=True)
    first, last = names.index(ends[0]), names.index(ends[-1])
    if first > last:
        raise Misfit(f"the range {quote(item)} runs backwards", f"write {ends[1]}-{ends[0]}", whole=True)
    return keys[first : last + 1]


def served(layer: LayerSpec, keys: Sequence[Key]) -> list[Key]:
    """The keys that a valid layer serves, in the order of the table."""
    names = {key.name for item in layer.keys for key in select(item, keys, "")}
    return [key for key in keys if key.name in names]


def lacking(layer: LayerSpec, keys: Iterable[Key], storages: Mapping[str, Storage]) -> str | None:
    """The property that the layer's storage requires and one of these keys lacks."""
    storage = storages.get(layer.storage)
    needs = {**({"size": 1} if layer.bytes else {}), **storage.needs} if storage else {}
    for key in keys:
        for name, least in needs.items():
            value = key.values.get(name)
            if type(value) is not int or value < least:
                has = f"{quote(key.name)} has {value if type(value) is int else 'none'}"
                return f"storage {layer.storage} needs a {quote(name)} of {least} or more, but {has}"
    return None


def _check_system(system: System, document: Document) -> None:
    if not sources(system):
        document.error(("system",), "'system' names no source", "'modules' or 'sources'", at_key=True)
    if (system.unity is None) != (system.unity_skeleton is None):
        what = "'unity' and 'unity_skeleton' go together"
        document.error(("system", "unity" if system.unity else "unity_skeleton"), what, at_key=True)


def _check_environment(spec: CatalogueSpec, document: Document) -> None:
    """Check that no two switches read the same environment variable."""
    stats = spec.system.stats if document.sound("system") else None
    owners = {stats.env: "stats"} if stats else {}
    switches: list[tuple[tuple[str, ...], str]] = [
        (("layers", one.name, "toggle", "env"), one.toggle.env) for one in spec.layers.values() if one.toggle
    ]
    switches += [(("options", one.name, "env"), one.env) for one in spec.options.values() if one.env]
    for path, env in sorted(switches, key=lambda one: document.place(*one[0]).line):
        if env in owners:
            document.error(path, f"{env} is taken by {quote(owners[env])} already")
        owners.setdefault(env, path[1])


# --- resolving, once there are no mistakes


def resolve(spec: CatalogueSpec, words: Vocabulary, document: Document) -> Catalogue:
    return Catalogue(
        doc=spec.doc,
        system=spec.system,
        profile=spec.profile,
        unit=spec.unit or words.profile.unit,
        reported=spec.reported,
        roles=words.roles,
        keys=words.keys,
        settings=words.settings,
        storages=words.storages,
        options=spec.options,
        layers={
            name: resolve_layer(one, words, served(one, words.keys), words.keys)
            for name, one in spec.layers.items()
        },
        places={name: document.key_place("layers", name).shown for name in spec.layers},
        lines=spec.lines,
    )


def resolve_layer(
    spec: LayerSpec, words: Vocabulary, own: Sequence[Key], keys: Sequence[Key], position: int = 0
) -> Layer:
    """A layer with a variant's values. It serves its own keys of a table of keys."""
    given = {**vars(spec), "keys": tuple(own), "bytes_bound": spec.bytes}
    del given["bytes"]
    return Layer(
        **given,
        limits=limits(spec, own, words.storages.get(spec.storage)),
        serves_all=len(own) == len(keys),
        position=position,
    )


def limits(layer: LayerSpec, own: Sequence[Key], storage: Storage | None) -> tuple[int, ...]:
    """The number of entries that fit, for each key from the first to the last. The tightest bound applies."""
    if storage is None:
        return ()
    by_index = {}
    for key in own:
        by_bytes = max(layer.bytes // key.number("size"), 1) if layer.bytes else storage.most
        by_index[key.index] = min(layer.capacity or storage.most, by_bytes, storage.most)
    return tuple(by_index.get(index, 0) for index in range(own[0].index, own[-1].index + 1))
