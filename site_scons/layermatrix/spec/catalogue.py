"""layers.yaml: check how its entries fit together, and build the resolved catalogue.

The catalogue has the terms that the file and its profile define together: roles, keys, settings and storages.
If the file has mistakes, the catalogue holds the parts that are valid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, replace

from layermatrix.core.errors import hint_for, quote
from layermatrix.core.kinds import Misfit
from layermatrix.model.catalogue import Catalogue, Setting
from layermatrix.model.layers import ALL, NO_STORAGE, Key, Layer, Role, Storage
from layermatrix.model.system import LIBRARY, System
from layermatrix.profiles import registry
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


def terms(spec: CatalogueSpec, document: Document) -> Catalogue:
    """The catalogue without its layers."""
    profile = registry.of(spec.profile)
    core = {setting.name: setting for setting in CORE_SETTINGS}
    resolved = {
        "unit": spec.unit or profile.unit,
        "roles": spec.roles or profile.roles or {"layer": Role("layer")},
        "keys": table(spec.keys) or ONE_KEY,
        "settings": {**core, **profile.settings, **spec.settings},
        "storages": {**profile.storages, **spec.storages},
        "layers": {},
        "places": {name: document.key_place("layers", name).shown for name in spec.layers},
    }
    return Catalogue(**{**vars(spec), **resolved})


def table(keys: Mapping[str, Mapping[str, str | bool | int]]) -> tuple[Key, ...]:
    return tuple(Key(name, index, values) for index, (name, values) in enumerate(keys.items()))


def known(catalogue: Catalogue, document: Document) -> dict[str, Sequence[str]]:
    """The existing names by noun, valid or not; without nouns whose names cannot be read."""
    if not document.sound("profile"):
        return {}
    known = document.known(
        {
            ("layers",): (),
            ("options",): (),
            ("reported",): (),
            ("roles",): catalogue.roles,
            ("storages",): (*catalogue.storages, NO_STORAGE),
            ("settings",): (*catalogue.settings, "options", "capacity"),
            ("system", "entries"): (LIBRARY,),
        }
    )
    return {**known, "source": sources(catalogue.system)} if document.sound("system") else known


def sources(system: System) -> list[str]:
    """The C files of the library."""
    return [name for group, names in system.files.items() if group != "probe" for name in names]


# --- checking


def checked(spec: CatalogueSpec, catalogue: Catalogue, document: Document) -> Catalogue:
    """The catalogue with its valid layers. Reports entries that contradict each other."""
    check_keys(spec.keys, catalogue, document)
    layers = {}
    for name, layer in spec.layers.items():
        storage = catalogue.storages.get(layer.storage)
        if document.sound("roles") and document.sound("storages"):
            _check_storage(layer, storage, catalogue, document)
        own = _served(layer, storage, catalogue, document) if document.sound("keys") else ()
        if document.sound("layers", name) and own:
            given = {**vars(layer), "keys": own, "bytes_bound": layer.bytes}
            del given["bytes"]
            made = Layer(**given, limits=(), serves_all=len(own) == len(catalogue.keys), position=0)
            layers[name] = replace(made, limits=limits(made, storage))
    if document.sound("system"):
        _check_system(spec.system, document)
    _check_environment(spec, document)
    return replace(catalogue, layers=layers)


def check_keys(
    keys: Mapping[str, Mapping[str, str | bool | int]], catalogue: Catalogue, document: Document
) -> None:
    """Check that the table of keys meets the profile's rules."""
    for name, wrong in registry.of(catalogue.profile).misfits(table(keys)):
        if document.sound("keys", name):
            document.misfit(wrong, ("keys", name, "size"))


def _check_storage(
    layer: LayerSpec, storage: Storage | None, catalogue: Catalogue, document: Document
) -> None:
    """Check that the layer's storage suits its role, and that its bounds suit the storage."""
    path = ("layers", layer.name)
    wanted = catalogue.roles[layer.role].storage if layer.role in catalogue.roles else "optional"
    bounds = [name for name in ("capacity", "bytes") if getattr(layer, name)]
    if not document.sound(*path, "storage"):
        return
    if storage is None:
        if wanted == "required":
            what = f"a layer with role {layer.role} needs a 'storage'"
            document.error((*path, "storage"), what, hint_for("", catalogue.storages))
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


def _served(
    layer: LayerSpec, storage: Storage | None, catalogue: Catalogue, document: Document
) -> tuple[Key, ...]:
    """The layer's keys, in the order of the table. Checks them, and what its storage requires of them."""
    path, noun = ("layers", layer.name, "keys"), registry.of(catalogue.profile).key
    found: dict[int, Key] = {}
    for place, item in enumerate(layer.keys):
        keys = document.attempt((*path, place), select, item, catalogue.keys, noun)
        for key in keys if keys is not MISSING else ():
            if key.index in found and document.sound(*path, place):
                document.error((*path, place), f"{noun} {quote(key.name)} is given twice")
            found[key.index] = key
    own = tuple(found[index] for index in sorted(found))
    lack = lacking(storage, layer.bytes, own) if document.sound(*path) else None
    if lack:
        document.error(path, lack)
    return own


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


def lacking(storage: Storage | None, size_bound: int, keys: Iterable[Key]) -> str | None:
    """The property that a storage requires and one of these keys lacks. size_bound: in bytes; 0: none."""
    needs = {**({"size": 1} if size_bound else {}), **storage.needs} if storage else {}
    for key in keys:
        for name, least in needs.items():
            value = key.values.get(name)
            if storage and (type(value) is not int or value < least):
                has = f"{quote(key.name)} has {value if type(value) is int else 'none'}"
                return f"storage {storage.name} needs a {quote(name)} of {least} or more, but {has}"
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


def limits(layer: Layer, storage: Storage | None) -> tuple[int, ...]:
    """The number of entries that fit, for each key from the first to the last. The tightest bound applies."""
    if storage is None:
        return ()
    by_index = {}
    for key in layer.keys:
        by_bytes = max(layer.bytes_bound // key.number("size"), 1) if layer.bytes_bound else storage.most
        by_index[key.index] = min(layer.capacity or storage.most, by_bytes, storage.most)
    return tuple(by_index.get(index, 0) for index in range(layer.first, layer.last + 1))
