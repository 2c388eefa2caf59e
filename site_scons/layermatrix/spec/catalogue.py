"""layers.yaml: check how its entries fit together, and build the resolved catalogue.

`Vocabulary` is what the catalogue and its profile define together: roles, keys, settings and storages. If the
file has mistakes, the vocabulary holds the parts that are valid.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from layermatrix.core.errors import hint_for, quote
from layermatrix.core.kinds import Misfit
from layermatrix.model.catalogue import Catalogue, Setting
from layermatrix.model.layers import ALL, NO_STORAGE, Key, Layer, Role, Storage
from layermatrix.model.system import LIBRARY
from layermatrix.profiles import registry
from layermatrix.profiles.base import Profile
from layermatrix.spec import references
from layermatrix.spec.reading import Document, Path, report_misfit
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


# --- checking


def check(spec: CatalogueSpec, words: Vocabulary, document: Document) -> None:
    """Report entries that contradict each other."""
    check_keys(spec.keys, words.profile, document)
    known = {"role": list(words.roles), "storage": [*words.storages, NO_STORAGE]}
    known = {noun: names for noun, names in known.items() if document.sound(f"{noun}s")}
    references.check(spec, {**known, "layer": document.names("layers")}, document)
    for name, layer in spec.layers.items():
        if document.sound("roles") and document.sound("storages"):
            _check_storage(layer, words, document)
        if document.sound("keys"):
            _check_served(layer, words, document)
        _check_relations(name, layer, document)
    _check_options(spec, document)
    if document.sound("system"):
        _check_system(spec, document)
    _check_environment(spec, document)


def check_keys(
    keys: Mapping[str, Mapping[str, str | bool | int]], profile: Profile, document: Document
) -> None:
    """Check that the table of keys meets the profile's rules, and that no key has the name that stands for
    all."""
    if ALL in keys:
        what = f"a {profile.key} cannot be called 'all': that is the word for every {profile.key}"
        document.error(("keys", ALL), what, at_key=True)
    for name, wrong in profile.misfits(table(keys)):
        at = ("keys", name, "size")
        if document.sound("keys", name):
            place = document.place(*at)
            slot = f"{profile.key} {quote(name)}"
            what = wrong.what if wrong.whole else f"{slot} {wrong.what}"
            document.report.error(place, what, wrong.hint)
            document.broken.add(at)


def _check_storage(layer: LayerSpec, words: Vocabulary, document: Document) -> None:
    """Check the layer's role, its storage, and the bounds that the storage requires."""
    path = ("layers", layer.name)
    if layer.role not in words.roles:
        return
    wanted = words.roles[layer.role].storage
    storage = words.storages.get(layer.storage)
    if layer.storage != NO_STORAGE and storage is None:
        return
    if storage is None and wanted == "required":
        what = f"a layer with role {layer.role} needs a 'storage'"
        document.error((*path, "storage"), what, hint_for("", words.storages))
    elif storage and wanted == "none":
        what = f"storage {quote(layer.storage)} does not go with role {layer.role}"
        document.error((*path, "storage"), what, "layers of this role have none")
    else:
        _check_bounds(layer, storage, document)


def _check_served(layer: LayerSpec, words: Vocabulary, document: Document) -> None:
    """Check the layer's keys, and what its storage requires of them."""
    path = ("layers", layer.name, "keys")
    for place, found in select(layer.keys, words.keys, words.profile.key):
        if isinstance(found, Misfit):
            report_misfit(found, (*path, place), document)
    lack = lacking(layer, served(layer, words.keys), words.storages)
    if lack:
        document.error(path, lack)


def _check_bounds(layer: LayerSpec, storage: Storage | None, document: Document) -> None:
    path = ("layers", layer.name)
    given = {name: bound for name, bound in (("capacity", layer.capacity), ("bytes", layer.bytes)) if bound}
    for name in given:
        if storage is None:
            document.error((*path, name), "a layer without storage has no bound")
            return
        if name not in storage.bounds:
            document.error((*path, name), f"storage {storage.name} is not bounded by {quote(name)}")
            return
    if storage and not given:
        bounds = ", ".join(quote(name) for name in storage.bounds)
        needed = f"a {bounds}" if len(storage.bounds) == 1 else f"a bound: {bounds} or both"
        document.error((*path, "storage"), f"a layer with storage {storage.name} needs {needed}")
    wrong = storage.misfit(layer.capacity) if storage and layer.capacity else None
    if wrong:
        document.error((*path, "capacity"), wrong)


def select(given: Iterable[str], keys: Sequence[Key], noun: str) -> Iterator[tuple[int, list[int] | Misfit]]:
    """Parse `all`, `C2` or `C0-C3`, or a list of them. Returns, for each place, the indexes of its keys or
    the mistake there."""
    names, found = [key.name for key in keys], set[int]()
    for place, item in enumerate(given):
        indexes = list(range(len(names))) if item == ALL else _range(item, names, noun)
        if isinstance(indexes, list):
            twice = next((index for index in indexes if index in found), None)
            if twice is not None:
                yield place, Misfit(f"{noun} {quote(names[twice])} is given twice", whole=True)
            found.update(indexes)
        yield place, indexes


def _range(item: str, names: list[str], noun: str) -> list[int] | Misfit:
    ends = [item] if item in names else [end.strip() for end in item.split("-", 1)]
    unknown = next((end for end in ends if end not in names), None)
    if unknown is not None:
        return Misfit(f"unknown {noun} {quote(unknown)}", hint_for(unknown, names), whole=True)
    first, last = names.index(ends[0]), names.index(ends[-1])
    if first > last:
        what = f"the range {quote(item)} runs backwards"
        return Misfit(what, f"write {ends[1]}-{ends[0]}", whole=True)
    return list(range(first, last + 1))


def served(layer: LayerSpec, keys: Sequence[Key]) -> list[Key]:
    """The keys that a valid layer serves, in the order of the table."""
    parts = [found for _, found in select(layer.keys, keys, "") if isinstance(found, list)]
    return [key for key in keys if any(key.index in part for part in parts)]


def lacking(layer: LayerSpec, keys: Iterable[Key], storages: Mapping[str, Storage]) -> str | None:
    """The property that the layer's storage requires and one of these keys lacks."""
    storage = storages.get(layer.storage)
    needs = {"size": 1, **storage.needs} if storage and layer.bytes else storage.needs if storage else {}
    for key in keys:
        for name, least in needs.items():
            value = key.values.get(name)
            if type(value) is not int or value < least:
                has = (
                    f"{quote(key.name)} has {value}" if type(value) is int else f"{quote(key.name)} has none"
                )
                return f"storage {layer.storage} needs a {quote(name)} of {least} or more, but {has}"
    return None


def _check_relations(name: str, layer: LayerSpec, document: Document) -> None:
    """Check that `needs` and `conflicts` name other layers."""
    for key, others in (("needs", layer.needs), ("conflicts", layer.conflicts)):
        for place, other in enumerate(others):
            at = ("layers", name, key, place)
            if other == name:
                document.error(at, f"layer {quote(name)} is in its own {quote(key)}")
            elif key == "conflicts" and other in layer.needs:
                document.error(at, f"layer {quote(name)} needs {quote(other)} as well")


def _check_options(spec: CatalogueSpec, document: Document) -> None:
    """Check that the default and the bounds are values of the option."""
    for name, option in spec.options.items():
        at = ("options", name)
        bounds = [key for key in ("min", "max") if getattr(option, key) is not None]
        if bounds and option.type == "bool":
            what = f"an option of type bool has no {quote(bounds[0])}"
            document.error((*at, bounds[0]), what)
        elif option.low > option.high:
            document.error((*at, "max"), f"'max' is less than 'min', {option.low}")
        elif expects := option.refusal(option.default):
            what = f"'default' must be {expects}, not {as_written(option.default)}"
            document.error((*at, "default"), what)


def _check_system(spec: CatalogueSpec, document: Document) -> None:
    """Check that each file with an allowance belongs to the library."""
    system = spec.system
    sources = [name for group, names in system.files.items() if group != "probe" for name in names]
    if not sources:
        document.error(("system",), "'system' names no source", "'modules' or 'sources'", at_key=True)
    if (system.unity is None) != (system.unity_skeleton is None):
        what = "'unity' and 'unity_skeleton' go together"
        document.error(("system", "unity" if system.unity else "unity_skeleton"), what, at_key=True)
    for index, rule in enumerate(system.forbidden):
        for place, allowed in enumerate(rule.allowed):
            if allowed.source not in sources:
                at = ("system", "forbidden", index, "allowed", place, "source")
                what = f"the library has no source {quote(allowed.source)}"
                document.error(at, what, hint_for(allowed.source, sources))
    if LIBRARY in system.entries:
        what = f"an entry cannot be called {quote(LIBRARY)}: budgets use that"
        document.error(("system", "entries", LIBRARY), what, at_key=True)


def _check_environment(spec: CatalogueSpec, document: Document) -> None:
    """Check that no two switches read the same environment variable."""
    switches: list[tuple[Path, str, str]] = []
    for name, layer in spec.layers.items():
        switches += [(("layers", name, "toggle", "env"), name, layer.toggle.env)] if layer.toggle else []
    for name, option in spec.options.items():
        switches += [(("options", name, "env"), name, option.env)] if option.env else []
    stats = spec.system.stats if document.sound("system") else None
    owners = {stats.env: "stats"} if stats else {}
    for path, name, env in sorted(switches, key=lambda one: document.place(*one[0]).line):
        if env in owners:
            document.error(path, f"{env} is taken by {quote(owners[env])} already")
        owners.setdefault(env, name)


def as_written(value: str | bool | int) -> str:
    """A value as a user would write it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return quote(value) if isinstance(value, str) else str(value)


# --- resolving, once there are no mistakes


def resolve(spec: CatalogueSpec, words: Vocabulary, document: Document) -> Catalogue:
    layers = {
        name: resolve_layer(layer, words, words.keys, served(layer, words.keys))
        for name, layer in spec.layers.items()
    }
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
        layers=layers,
        places={name: document.key_place("layers", name).shown for name in spec.layers},
        lines=spec.lines,
    )


def resolve_layer(spec: LayerSpec, words: Vocabulary, keys: Sequence[Key], own: Sequence[Key]) -> Layer:
    """A layer of a catalogue with a table of keys. It serves its own keys only."""
    return Layer(
        name=spec.name,
        title=spec.title,
        doc=spec.doc,
        role=spec.role,
        keys=tuple(own),
        storage=spec.storage,
        capacity=spec.capacity or 0,
        bytes_bound=spec.bytes or 0,
        limits=limits(spec.capacity or 0, spec.bytes or 0, own, words.storages.get(spec.storage)),
        toggle=spec.toggle,
        needs=spec.needs,
        conflicts=spec.conflicts,
        serves_all=len(own) == len(keys),
        position=0,
    )


def limits(capacity: int, size_bound: int, own: Sequence[Key], storage: Storage | None) -> tuple[int, ...]:
    """The number of entries that fit, for each key from the first to the last. The tightest bound applies."""
    if storage is None:
        return ()
    by_index = {
        key.index: min(
            ([capacity] if capacity else [])
            + ([max(size_bound // key.number("size"), 1)] if size_bound else [])
            + [storage.most]
        )
        for key in own
    }
    return tuple(by_index.get(index, 0) for index in range(own[0].index, own[-1].index + 1))
