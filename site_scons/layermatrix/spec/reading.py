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
from layermatrix.core.kinds import (
    NOT,
    OF_AXIS,
    OR_NONE,
    REST,
    Around,
    Kind,
    Known,
    Misfit,
    Node,
    OneOf,
    OwnName,
    Ref,
)
from layermatrix.model.patterns import matches
from layermatrix.spec import yamlnodes

T = TypeVar("T")
Path: TypeAlias = "tuple[str | int, ...]"  # of a value in a file

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
        self.references: list[tuple[Ref, str, Path, Place]] = []

    def key(self, name: str | int, given: Collection[str | int]) -> Any:
        """The file's name for a key, of those given."""
        return name if name in given else self.words.get(str(name), name)

    def walk(self, path: Path) -> list[Node]:
        """The file's node, and those of the steps of a path, as far as they exist."""
        nodes = [self.root]
        for element in path:
            inside = nodes[-1].value if nodes[-1].text is None else {}
            parts = inside if isinstance(inside, dict) else dict(enumerate(inside))
            if (own := self.key(element, parts)) not in parts:
                break
            nodes.append(parts[own])
        return nodes

    def place(self, *path: str | int, of_key: bool = False) -> Place:
        """The place of a value or of its key, or of the deepest part of the path that exists. An item of a
        list has no key."""
        node = self.walk(path)[-1]
        return node.key or node.place if of_key else node.place

    def sound(self, *path: str | int) -> bool:
        """Whether the value at this path, its parts and its parents are all free of mistakes."""
        return not any(bad[: len(path)] == path or path[: len(bad)] == bad for bad in self.broken)

    def error(self, path: Path, what: str, hint: str | None = None, *, at_key: bool = False) -> None:
        """Report a mistake at a path, and mark the path as invalid."""
        self.report.error(self.place(*path, of_key=at_key), what, hint)
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

    def made(
        self, path: Path, given: Mapping[str, Node], known: Mapping[str, Any], read: Callable[[Any, Node], T]
    ) -> dict[str, T]:
        """The valid ones of values whose types are declared elsewhere: `known`, by name."""
        names = [name for name in given if name in known]
        found = {name: self.attempt((*path, name), read, known[name], given[name]) for name in names}
        return {name: value for name, value in found.items() if value is not MISSING}

    def known(self, *sections: str) -> dict[str, list[str]]:
        """The names in these sections of the file, valid or not, by noun. Without sections that cannot be
        read. sections: paths, such as "peers groups"."""
        found = {}
        for section in sections:
            path = tuple(section.split())
            nodes = self.walk(path)
            given = nodes[-1].value if len(nodes) > len(path) else None
            names = [*given] if isinstance(given, dict) else []
            if names or self.sound(*path):
                found[NOUNS[path[-1]][0]] = names
        return found

    def check_references(self, known: Known) -> None:
        """Report each name that refers to something that does not exist."""
        for ref, name, path, place in self.references:
            axis = next((part for part in reversed(path) if isinstance(part, str)), "")
            noun = axis if ref.noun == OF_AXIS else ref.noun
            there = known.get(noun + OF_AXIS if ref.noun == OF_AXIS else noun)
            wrong = there(name) if callable(there) else None
            shown = name.removeprefix(NOT) if ref.pattern else name
            if isinstance(there, Sequence) and not any(
                shown == one or (ref.pattern and matches(one, shown)) for one in there
            ):
                wrong = Misfit(f"unknown {noun} {quote(shown)}", hint_for(shown, there) or ref.hint)
            if wrong:
                self.report.error(place, wrong.what, wrong.hint)
                self.broken.add(path)


def printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name)


# --- reading


def read(kind: type[T], document: Document) -> T:
    """The record in a file. Mistakes are reported, and the record has the valid parts. A required field that
    is invalid is an empty mapping."""
    shape: Any = kind
    found = document.attempt((), _fields, shape, document.root, (), document) if document.sound() else {}
    valid = (
        {name: value for name, value in found.items() if value is not MISSING} if found is not MISSING else {}
    )
    empty: dict[str, Any] = {field.name: {} for field in fields(shape) if _is_required(field)}
    return kind(**{**empty, **valid})


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _part(hint: Any, node: Node, path: Path, document: Document, *, of_key: bool = False) -> Any:
    """The value of a node, of the type `hint`; MISSING if it is invalid, which is reported."""
    return document.attempt(path, _value, hint, node, path, document, of_key=of_key)


def _value(hint: Any, node: Node, path: Path, document: Document) -> Any:
    """The value of a node. Raises Misfit, or reports mistakes in parts."""
    kind, marks = unfolded(hint)
    if OR_NONE in marks and node.value == "none":
        return None
    for mark in reversed(marks):
        node = mark.before(node) if isinstance(mark, Around) else node
    for mark in marks:
        if isinstance(mark, Kind):
            value = mark.read(node)
            document.references += [(ref, value, path, node.place) for ref in marks if isinstance(ref, Ref)]
            return value
    if kind is Node:
        return node
    if isinstance(kind, type) and is_dataclass(kind):
        found = _fields(kind, node, path, document)
        return kind(**found) if document.sound(*path) else MISSING
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(OneOf(*(member.value for member in kind)).read(node))
    if get_origin(kind) is not tuple:
        return _entries(kind, node, path, document)
    items, hint = node.parts(list, "a list"), get_args(kind)[0]
    values = [_part(hint, item, (*path, place), document) for place, item in enumerate(items)]
    return tuple(values) if document.sound(*path) else MISSING


def _entries(kind: Any, node: Node, path: Path, document: Document) -> dict[str, Any]:
    """A mapping whose keys the user chooses, without its invalid entries."""
    of_key, of_value = get_args(kind)
    found = {}
    for key, part in node.entries.items():
        at, own = (*path, key), Node(part.key or part.place, key, key)
        name = _part(of_key, own, at, document, of_key=True)
        value = _part(of_value, part, at, document)
        found.update({name: value} if document.sound(*at) else {})
    return found


def _fields(kind: Any, node: Node, path: Path, document: Document) -> dict[str, Any]:
    """The fields of a record that the file has; MISSING for one that is invalid."""
    given, found, absent = dict(node.entries), dict[str, Any](), dict[str, Field[Any]]()
    for field in fields(kind):
        at, key = (*path, field.name), document.key(field.name, node.entries)
        hint = hints(kind)[field.name]
        if hint == OwnName:
            found[field.name] = path[-1]
        elif REST in unfolded(hint)[1]:  # the last field
            found[field.name], given = _value(hint, node.holding(given), path, document), {}
        elif key in given:
            found[field.name] = _part(hint, given.pop(key), at, document)
        else:
            absent[key] = field
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
            document.error((*path, field.name), f"{slot} has no {quote(key)}", at_key=True)


# --- the types of records and their fields


@functools.cache
def hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


@functools.cache
def unfolded(hint: Any) -> tuple[Any, list[Any]]:
    """A type without Annotated and None, and its annotations."""
    marks: list[Any] = []
    while get_origin(hint) in (Annotated, Union, types.UnionType):
        others = [part for part in get_args(hint) if part is not type(None)]
        if get_origin(hint) is not Annotated and len(others) > 1:
            break
        hint, *own = others
        marks += own
    return hint, marks
