"""layers.yaml: check how its entries fit together, and build the resolved catalogue.

The catalogue has the terms that the file and its profile define together: roles, keys, settings and storages.
If the file has mistakes, the catalogue holds the parts that are valid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from layermatrix.core.errors import hint_for, quote
from layermatrix.core.kinds import Known, Misfit, Node, Text
from layermatrix.model.catalogue import Catalogue, ReportedFigure, Setting
from layermatrix.model.layers import ALL, NO_STORAGE, Key, Layer, Role, Storage
from layermatrix.model.system import LIBRARY
from layermatrix.profiles import registry
from layermatrix.spec.reading import Document, Path
from layermatrix.spec.shapes import CatalogueSpec, LayerSpec

Values = Mapping[str, Mapping[str, str | bool | int]]  # of each key
RANGE = r"[0-9]+(\.[0-9]+)?(-[0-9]+(\.[0-9]+)?)?"
NUMBER = Text("a figure or a range of two, such as '23.6' or '40-50'", RANGE, longest=40)
TEXT = Text("text", longest=40)
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
    settings = {**{one.name: one for one in CORE_SETTINGS}, **profile.settings, **spec.settings}
    resolved = {
        "unit": spec.unit or profile.unit,
        "roles": spec.roles or profile.roles or {"layer": Role("layer")},
        "keys": table(spec.keys) or ONE_KEY,
        "settings": {name: one for name, one in settings.items() if document.sound("settings", name)},
        "storages": {**profile.storages, **spec.storages},
        "layers": {},
        "places": {name: document.place("layers", name, of_key=True).shown for name in spec.layers},
    }
    return Catalogue(**{**vars(spec), **resolved})


def table(keys: Values) -> tuple[Key, ...]:
    return tuple(Key(name, index, values) for index, (name, values) in enumerate(keys.items()))


def known(catalogue: Catalogue, document: Document) -> Known:
    """What names may refer to, by noun; without nouns whose names cannot be read."""
    if not document.sound("profile"):
        return {}
    found = document.known("layers", "options", "reported", "roles", "storages", "settings", "system entries")
    more = {
        "role": catalogue.roles,
        "storage": (*catalogue.storages, NO_STORAGE),
        "setting": (*catalogue.settings, "options", "capacity"),
        "entry": (LIBRARY,),
    }
    found = {noun: [*dict.fromkeys((*more.get(noun, ()), *names))] for noun, names in found.items()}
    return {**found, **({"source": catalogue.system.every_source} if document.sound("system") else {})}


def figure(declared: ReportedFigure, node: Node) -> str:
    """A reported figure of the declared type."""
    return (NUMBER if declared.type == "number" else TEXT).read(node)


# --- checking


def checked(spec: CatalogueSpec, catalogue: Catalogue, document: Document) -> Catalogue:
    """The catalogue with its valid layers. Reports entries that contradict each other."""
    check_keys(spec.keys, catalogue, document)
    layers = {}
    for name, layer in spec.layers.items():
        if all(document.sound(*path) for path in (("roles",), ("storages",), ("layers", name, "storage"))):
            document.attempt(("layers", name), _check_storage, layer, catalogue)
        own = _served(layer, catalogue, document) if document.sound("keys") else ()
        if document.sound("layers", name) and own:
            given = {**vars(layer), "keys": own, "bytes_bound": layer.bytes}
            del given["bytes"]
            every = len(own) == len(catalogue.keys)
            layers[name] = Layer(**given, limits=(), serves_all=every, position=0)
    system = spec.system if document.sound("system") else None
    if system and not system.every_source:
        document.error(("system",), "'system' names no source", "'modules' or 'sources'", at_key=True)
    if system and (system.unity is None) != (system.unity_skeleton is None):
        what = "'unity' and 'unity_skeleton' go together"
        document.error(("system", "unity" if system.unity else "unity_skeleton"), what, at_key=True)
    _check_environment(spec, document)
    return replace(catalogue, layers=layers)


def check_keys(keys: Values, catalogue: Catalogue, document: Document) -> None:
    """Check that the table of keys meets the profile's rules."""
    for name, wrong in registry.of(catalogue.profile).misfits(table(keys)):
        if document.sound("keys", name):
            document.misfit(wrong, ("keys", name, "size"))


def _check_storage(layer: LayerSpec, catalogue: Catalogue) -> None:
    """Check that the layer's storage suits its role, and that its bounds suit the storage."""
    storage, role = catalogue.storages.get(layer.storage), catalogue.roles.get(layer.role)
    wanted = role.storage if role else "optional"
    bounds, at = [name for name in ("capacity", "bytes") if getattr(layer, name)], ("storage",)
    if storage is None and wanted == "required":
        what = f"a layer with role {layer.role} needs a 'storage'"
        raise Misfit(what, hint_for("", catalogue.storages), at, whole=True)
    if storage is None and bounds:
        raise Misfit("a layer without storage has no bound", at=(bounds[0],), whole=True)
    if storage is None:
        return
    if wanted == "none":
        what = f"storage {quote(layer.storage)} does not go with role {layer.role}"
        raise Misfit(what, "layers of this role have none", at, whole=True)
    if wrong := [name for name in bounds if name not in storage.bounds]:
        what = f"storage {storage.name} is not bounded by {quote(wrong[0])}"
        raise Misfit(what, at=(wrong[0],), whole=True)
    if not bounds:
        names = ", ".join(quote(name) for name in storage.bounds)
        needed = f"a {names}" if len(storage.bounds) == 1 else f"a bound: {names} or both"
        raise Misfit(f"a layer with storage {storage.name} needs {needed}", at=at, whole=True)
    if layer.capacity and (misfit := storage.misfit(layer.capacity)):
        raise Misfit(misfit, at=("capacity",), whole=True)


def _served(layer: LayerSpec, catalogue: Catalogue, document: Document) -> tuple[Key, ...]:
    """The layer's keys, in the order of the table. Checks them, and what its storage requires of them."""
    path, found = ("layers", layer.name, "keys"), list[str]()
    names, noun = [key.name for key in catalogue.keys], registry.of(catalogue.profile).key
    for place, item in enumerate(layer.keys):
        document.attempt((*path, place), _select, item, names, noun, found)
    own = tuple(key for key in catalogue.keys if key.name in found)
    lack = lacking(catalogue.storages.get(layer.storage), layer.bytes, own)
    if lack and document.sound(*path):
        document.error(path, lack)
    return own


def _select(item: str, names: list[str], noun: str, found: list[str]) -> None:
    """Add the keys that `all`, `C2` or `C0-C3` means. Raises Misfit."""
    ends = [item] if item in names else [end.strip() for end in item.split("-", 1)]
    ends = [names[0], names[-1]] if item == ALL else ends
    for end in ends:
        if end not in names:
            raise Misfit(f"unknown {noun} {quote(end)}", hint_for(end, names), whole=True)
    first, last = names.index(ends[0]), names.index(ends[-1])
    if first > last:
        raise Misfit(f"the range {quote(item)} runs backwards", f"write {ends[1]}-{ends[0]}", whole=True)
    for name in names[first : last + 1]:
        if name in found:
            raise Misfit(f"{noun} {quote(name)} is given twice", whole=True)
        found.append(name)


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


def _check_environment(spec: CatalogueSpec, document: Document) -> None:
    """Check that no two switches read the same environment variable."""
    stats = spec.system.stats if document.sound("system") else None
    owners = {stats.env: "stats"} if stats else {}
    toggles = {one.name: one.toggle for one in spec.layers.values() if one.toggle}
    found: dict[Path, str] = {("layers", name, "toggle", "env"): one.env for name, one in toggles.items()}
    found |= {("options", one.name, "env"): one.env for one in spec.options.values() if one.env}
    for path in sorted(found, key=lambda path: document.place(*path).line):
        if found[path] in owners:
            document.error(path, f"{found[path]} is taken by {quote(owners[found[path]])} already")
        owners.setdefault(found[path], str(path[1]))
