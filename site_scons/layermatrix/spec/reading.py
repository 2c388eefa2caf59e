"""Read one file into a checked record: the types of the record's fields say what the file may hold.

A `Document` is a file and the paths in it: ("layers", "ring", "capacity") is a value, and has a place. `read`
returns a record. If the file has mistakes, they are in the report, and the record holds the valid parts: an
invalid entry of a mapping is left out; an invalid field has its default, or is None. Further checks call
`sound()` first, so that one mistake causes one error.
"""

from __future__ import annotations

import enum
import functools
import types
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path as FilePath
from typing import Annotated, Any, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

from layermatrix.core.errors import Place, Report, article, hint_for, quote, suggest
from layermatrix.core.kinds import NOT, OR_NONE, REST, Around, Kind, Misfit, Node, OneOf, OwnName, Ref
from layermatrix.model.patterns import matches
from layermatrix.spec import yamlnodes

T = TypeVar("T")
Path: TypeAlias = "tuple[str | int, ...]"  # of a value in a file
Known = Mapping[str, Sequence[str]]  # noun -> the existing names; other nouns are not checked

# The noun for an entry of a mapping, by the mapping's key; nested mappings follow.
NOUNS: Mapping[str, tuple[str, ...]] = {
    "layers": ("layer",), "options": ("option",), "keys": ("key",), "entries": ("entry",), "loads": ("load",),
    "libraries": ("library",), "limits": ("limit",), "pages": ("page",), "experiments": ("experiment",),
    "groups": ("group",), "lines": ("file",), "reported": ("reported figure",), "settings": ("setting",),
    "storages": ("storage",), "capacity": ("layer",), "soak": ("program",), "roles": ("role",),
    "classes": ("class",), "run": ("run axis",), "values": ("value",),
    "presets": ("preset",), "tune": ("variant",), "bytes": ("layer",),
    "variants": ("variant", "mode", "load"),
    "budget": ("entry", "metric", "configuration"),
}  # fmt: skip


class Document:
    """A file, read or unreadable. root, path: the project's folder, and the file's path in it. optional: the
    file may be missing."""

    def __init__(self, root: FilePath, path: str, report: Report, *, optional: bool = False) -> None:
        self.shown, self.report = printable(path), report
        start = Place(self.shown, 1, 1)
        absent = optional and not (root / path).is_file()
        node = None if absent else yamlnodes.read_document(root / path, self.shown, report)
        self.root = node or Node(start, "", None, start)
        self.words: Mapping[str, str] = {}  # the file's names for the core's terms
        self.broken: set[Path] = set() if node else {()}
        self.references: list[tuple[Ref, str, Path, bool]] = []  # with the path, and whether a key is meant

    def key(self, name: str | int, given: Collection[str | int]) -> Any:
        """The file's name for a key, of those given."""
        return name if name in given else self.words.get(str(name), name)

    def part(self, node: Node, element: str | int) -> Node | None:
        if isinstance(node.value, dict):
            return node.value.get(self.key(element, node.value))
        within = isinstance(node.value, list) and isinstance(element, int) and element < len(node.value)
        return node.value[element] if within else None

    def walk(self, path: Path) -> list[Node]:
        """The file's node, and those of the steps of a path, as far as they exist."""
        nodes = [self.root]
        for element in path:
            node = self.part(nodes[-1], element)
            if node is None:
                break
            nodes.append(node)
        return nodes

    def place(self, *path: str | int) -> Place:
        """The place of a value, or of the deepest part of its path that exists."""
        return self.walk(path)[-1].place

    def key_place(self, *path: str | int) -> Place:
        """The place of a value's key. For an item of a list, the item's place; for the file, its start."""
        node = self.walk(path)[-1]
        return node.key or node.place

    def names(self, *path: str) -> list[str]:
        """The keys of the mapping at a path, valid or not."""
        nodes = self.walk(path)
        found = nodes[-1].value if len(nodes) > len(path) else None
        return list(found) if isinstance(found, dict) else []

    def sound(self, *path: str | int) -> bool:
        """Whether the value at this path, its parts and its parents are all free of mistakes."""
        if not self.broken:
            return True
        return not any(bad[: len(path)] == path or path[: len(bad)] == bad for bad in self.broken)

    def error(self, path: Path, what: str, hint: str | None = None, *, at_key: bool = False) -> None:
        """Report a mistake at a path, and mark the path as invalid."""
        self.report.error(self.key_place(*path) if at_key else self.place(*path), what, hint)
        self.broken.add(path)

    def misfit(self, wrong: Misfit, path: Path = (), *, of_key: bool = False) -> None:
        """Report what is wrong with the value at a path, or with its key."""
        inner, what = (*path, *wrong.at), wrong.what
        if wrong.whole:
            what = what.replace("{slot}", self.slot(path))
        elif of_key:
            noun = self.slot(path).removesuffix(quote(str(path[-1]))).rstrip() or "entry"
            what = f"the name of {article(noun)} {what}"
        else:
            what = f"{self.slot(inner)} {what}"
        self.error(inner, what, wrong.hint, at_key=wrong.at_key or of_key)

    def attempt(self, path: Path, act: Callable[..., T], *given: Any, of_key: bool = False) -> T | Any:
        """The result of a call; MISSING if it raises a Misfit, which is reported at the path."""
        try:
            return act(*given)
        except Misfit as wrong:
            self.misfit(wrong, path, of_key=of_key)
            return MISSING

    def slot(self, path: Path) -> str:
        """The name of the value at a path in messages."""
        slot, nouns, nodes = "the file", tuple[str, ...](), self.walk(path)
        for node, element in zip(nodes, path, strict=False):
            if node.text is not None:
                break  # a single value in place of a list or a mapping
            own = self.key(element, node.value)
            if isinstance(element, int):
                slot, nouns = f"an item of {slot}", ()
            elif nouns:
                slot, nouns = f"{nouns[0]} {quote(element)}", nouns[1:]
            else:
                slot, nouns = quote(own), NOUNS.get(own, ())
        return slot

    # --- names that refer to something in the project

    def known(self, sections: Mapping[tuple[str, ...], Iterable[str]]) -> dict[str, Sequence[str]]:
        """The names in these sections of the file, valid or not, and others of the same noun. Without
        sections that cannot be read."""
        found: dict[str, Sequence[str]] = {}
        for path, others in sections.items():
            names = self.names(*path)
            if names or self.sound(*path):
                found[NOUNS[path[-1]][0]] = list(dict.fromkeys([*others, *names]))
        return found

    def check_references(self, known: Known) -> None:
        """Report each name that refers to something that does not exist."""
        for ref, name, path, of_key in self.references:
            there = known.get(ref.noun)
            if there is not None and not any(
                name == one or (ref.pattern and matches(one, name.removeprefix(NOT))) for one in there
            ):
                shown = name.removeprefix(NOT) if ref.pattern else name
                what = f"unknown {ref.noun} {quote(shown)}"
                self.error(path, what, hint_for(shown, there) or ref.hint, at_key=of_key)


def printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name)


# --- reading


def read(kind: type[T], document: Document) -> T:
    """The record in a file. Mistakes are reported, and the record has the valid parts. If a required field is
    invalid, it is empty for a mapping, otherwise None."""
    shape: Any = kind
    found = document.attempt((), _fields, shape, document.root, (), document) if document.sound() else MISSING
    valid = {} if found is MISSING else {key: value for key, value in found.items() if value is not MISSING}
    required = [field.name for field in fields(shape) if _is_required(field)]
    empty: dict[str, Any] = {name: {} if _is_mapping(hints(shape)[name]) else None for name in required}
    return kind(**{**empty, **valid})


def _is_mapping(hint: Any) -> bool:
    origin: Any = get_origin(unfolded(hint)[0])
    return origin is Mapping


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _value(hint: Any, node: Node, path: Path, document: Document, of_key: bool = False) -> Any:
    """The value of a node, of the type `hint`. Raises Misfit, or reports mistakes in parts."""
    kind, marks = unfolded(hint)
    if OR_NONE in marks and node.value == "none":
        return None
    for mark in reversed(marks):
        node = mark.before(node) if isinstance(mark, Around) else node
    for mark in marks:
        if isinstance(mark, Kind):
            value = mark.read(node)
            document.references += [(ref, value, path, of_key) for ref in marks if isinstance(ref, Ref)]
            return value
    if kind is Node:
        return node
    if isinstance(kind, type) and is_dataclass(kind):
        found = _fields(kind, node, path, document)
        return kind(**found) if document.sound(*path) else MISSING
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(OneOf(*(str(member.value) for member in kind)).read(node))
    return (_items if get_origin(kind) is tuple else _entries)(kind, node, path, document)


def _items(kind: Any, node: Node, path: Path, document: Document) -> Any:
    items, hint = node.parts(list, "a list"), get_args(kind)[0]
    found = [
        document.attempt((*path, place), _value, hint, item, (*path, place), document)
        for place, item in enumerate(items)
    ]
    return tuple(found) if document.sound(*path) else MISSING


def _entries(kind: Any, node: Node, path: Path, document: Document) -> dict[str, Any]:
    """A mapping whose keys the user chooses, without its invalid entries."""
    of_key, of_value = get_args(kind)
    found = {}
    for key, part in node.entries.items():
        at, own = (*path, key), Node(part.key or part.place, key, key)
        name = document.attempt(at, _value, of_key, own, at, document, True, of_key=True)
        value = document.attempt(at, _value, of_value, part, at, document)
        found.update({name: value} if document.sound(*at) else {})
    return found


def _fields(kind: Any, node: Node, path: Path, document: Document) -> dict[str, Any]:
    """The fields of a record that the file has; MISSING for one that is invalid."""
    given, found, absent, rest = dict(node.entries), dict[str, Any](), dict[str, Field[Any]](), None
    for field, hint in _shape(kind):
        at, key = (*path, field.name), document.key(field.name, node.entries)
        if hint == OwnName:
            found[field.name] = path[-1]
        elif REST in unfolded(hint)[1]:
            rest = field.name
        elif key in given:
            found[field.name] = document.attempt(at, _value, hint, given.pop(key), at, document)
        else:
            absent[key] = field
    if rest:
        found[rest] = _value(hints(kind)[rest], node.holding(given), path, document)
    else:
        _report_keys(kind, given, absent, path, document)
    return found


def _report_keys(
    kind: Any, unknown: Iterable[str], absent: dict[str, Field[Any]], path: Path, document: Document
) -> None:
    """Report unknown and missing keys. If an unknown key looks like a misspelled one, that one is not
    reported as missing."""
    slot = document.slot(path)
    for name in unknown:
        likely = suggest(name, absent)
        known = [document.key(field.name, ()) for field in fields(kind) if hints(kind)[field.name] != OwnName]
        hint = f"did you mean {quote(likely)}?" if likely else hint_for(name, known)
        document.error((*path, name), f"unknown key {quote(name)} in {slot}", hint, at_key=True)
        if likely:
            document.broken.add((*path, absent.pop(likely).name))
    for key, field in absent.items():
        if _is_required(field):
            document.report.error(document.key_place(*path), f"{slot} has no {quote(key)}")
            document.broken.add((*path, field.name))


# --- the types of records and their fields


@functools.cache
def hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


@functools.cache
def _shape(kind: Any) -> list[tuple[Field[Any], Any]]:
    """The fields of a record, each with its type."""
    return [(field, hints(kind)[field.name]) for field in fields(kind)]


@functools.cache
def unfolded(hint: Any) -> tuple[Any, list[Any]]:
    """A type without Annotated and None, and its annotations."""
    marks: list[Any] = []
    while True:
        others = [part for part in get_args(hint) if part is not type(None)]
        if get_origin(hint) is Annotated:
            hint, *own = others
            marks += own
        elif get_origin(hint) in (Union, types.UnionType) and len(others) == 1:
            (hint,) = others
        else:
            return hint, marks
