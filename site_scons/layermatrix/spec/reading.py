"""Read one file into a checked record. pydantic reads the values; this module adds a place and a hint to its
errors.

A `Document` is a file and the paths in it: ("layers", "ring", "capacity") is a value, and has a place. `read`
returns a record. If the file has mistakes, they are in the report, and the record holds the valid parts: an
invalid entry of a mapping is left out; an invalid field has its default, or is absent. Further checks call
`sound()` first, so that one mistake causes one error.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path as FilePath
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from layermatrix.core.errors import Place, Report, article, hint_for, quote, suggest
from layermatrix.core.kinds import Misfit, Own, describe
from layermatrix.spec import yamlnodes
from layermatrix.spec.yamlnodes import Node, Scalar, Sequence

if TYPE_CHECKING:
    import pydantic

T = TypeVar("T")
Path: TypeAlias = "tuple[str | int, ...]"  # of a value in a file

# The noun for an entry of a mapping, by the mapping's key; nested mappings follow.
NOUNS: Mapping[str, tuple[str, ...]] = {
    "layers": ("layer",), "options": ("option",), "keys": ("key",), "entries": ("entry",), "loads": ("load",),
    "libraries": ("library",), "limits": ("limit",), "pages": ("page",), "experiments": ("experiment",),
    "groups": ("group",), "lines": ("file",), "reported": ("reported figure",), "settings": ("setting",),
    "storages": ("storage",), "capacity": ("layer",), "soak": ("program",), "roles": ("role",),
    "classes": ("class",), "variants": ("variant", "mode", "load"),
    "budget": ("entry", "metric", "configuration"),
}  # fmt: skip
EXPECTED = {"dataclass_type": "a mapping", "dict_type": "a mapping", "mapping_type": "a mapping",
            "tuple_type": "a list", "list_type": "a list"}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One step of a path: the element, the place of its key in a mapping, and the value's node."""

    element: str | int
    key: Place | None
    node: Node


class Document:
    """A file, read or unreadable. `words`: the file's names for the core's terms."""

    def __init__(self, shown: str, node: Node | None, words: Mapping[str, str], report: Report) -> None:
        self.shown, self.node, self.words, self.report = shown, node, words, report
        self.broken: set[Path] = {()} if node is None else set()

    def walk(self, path: Path) -> Iterator[Step]:
        """The steps of a path, as far as they exist in the file."""
        node = self.node
        for element in path:
            step = self._step(node, element)
            if step is None:
                return
            node = step.node
            yield step

    def _step(self, node: Node | None, element: str | int) -> Step | None:
        if isinstance(node, yamlnodes.Mapping):
            wanted = (element, self.words.get(str(element)))
            found = ((key, value) for key, value in node.entries if key.text in wanted)
            return next((Step(key.text, key.place, value) for key, value in found), None)
        if isinstance(node, Sequence) and isinstance(element, int) and element < len(node.items):
            return Step(element, None, node.items[element])
        return None

    def place(self, *path: str | int) -> Place:
        """The place of a value, or of the deepest part of its path that exists."""
        steps = list(self.walk(path))
        start = self.node.place if self.node else Place(self.shown, 1, 1)
        return steps[-1].node.place if steps else start

    def key_place(self, *path: str | int) -> Place:
        """The place of a value's key. For an item of a list, the item's place; for the file, its start."""
        steps = list(self.walk(path))
        if not steps:
            return Place(self.shown, 1, 1)
        return steps[-1].key or steps[-1].node.place

    def names(self, *path: str) -> list[str]:
        """The keys of the mapping at a path, valid or not."""
        steps = list(self.walk(path))
        node = steps[-1].node if len(steps) == len(path) and steps else None
        return [key.text for key, _ in node.entries] if isinstance(node, yamlnodes.Mapping) else []

    def sound(self, *path: str | int) -> bool:
        """Whether the value at this path, its parts and its parents are all free of mistakes."""
        return not any(bad[: len(path)] == path or path[: len(bad)] == bad for bad in self.broken)

    def error(self, path: Path, what: str, hint: str | None = None, *, at_key: bool = False) -> None:
        """Report a mistake at a path, and mark the path as invalid."""
        place = self.key_place(*path) if at_key else self.place(*path)
        self.report.error(place, what, hint)
        self.broken.add(path)

    def slot(self, path: Path) -> str:
        """The name of the value at a path in messages."""
        slot = "the file"
        nouns: tuple[str, ...] = ()
        node = self.node
        for element in path:
            if isinstance(node, Scalar):
                break  # a single value in place of a list or a mapping
            step = self._step(node, element)
            node = step.node if step else None
            if isinstance(element, int):
                slot, nouns = f"an item of {slot}", ()
            elif nouns:
                slot, nouns = f"{self.words.get(nouns[0], nouns[0])} {quote(element)}", nouns[1:]
            else:
                own = str(step.element) if step else element
                slot, nouns = quote(own), NOUNS.get(own, ())
        return slot


# --- reading


def open_document(file: FilePath, shown: str, words: Mapping[str, str], report: Report) -> Document:
    """Parse the file's text into nodes. `shown` is its path in messages."""
    return Document(shown, yamlnodes.read_document(file, shown, report), words, report)


def read(kind: type[T], document: Document) -> T | None:
    """The record in a file. Mistakes are reported, and the record has the valid parts; None if there are
    none."""
    import pydantic

    if document.node is None:
        return None
    data = plain(document.node, document.words, kind)
    try:
        found: T = _adapter(kind).validate_python(data)
        return found
    except pydantic.ValidationError as problem:
        _report(problem, kind, document)
    return _partly(kind, data, document) if isinstance(data, dict) else None


def _adapter(kind: Any) -> pydantic.TypeAdapter[Any]:
    """The reader of this kind. It is slow to create, so it is cached."""
    import pydantic

    key = repr(kind)
    if key not in _ADAPTERS:
        _ADAPTERS[key] = pydantic.TypeAdapter(kind)
    return _ADAPTERS[key]


_ADAPTERS: dict[str, pydantic.TypeAdapter[Any]] = {}


def plain(node: Node, words: Mapping[str, str], kind: Any = None) -> Any:
    """Nodes as dicts and lists with the core's terms as keys. Each single value keeps its written form."""
    if isinstance(node, yamlnodes.Mapping):
        known = fields_of(kind)
        given = {key.text for key, _ in node.entries}
        core = {word: own for own, word in words.items() if own in known and own not in given}
        parts = ((core.get(key.text, key.text), value) for key, value in node.entries)
        return {name: plain(value, words, part_of(kind, name)) for name, value in parts}
    if isinstance(node, Sequence):
        return [plain(item, words, part_of(kind, 0)) for item in node.items]
    return node


def _partly(kind: type[T], data: dict[str, Any], document: Document) -> T:
    """A record of the valid fields. Invalid entries of a mapping are left out."""
    record = kind.__new__(kind)
    own = hints(kind)
    for field in fields(kind):  # type: ignore[arg-type]
        value = _sound_part(own[field.name], field.name, data, document)
        if value is MISSING:
            value = field.default_factory() if callable(field.default_factory) else field.default
        if value is MISSING and get_origin(bare(own[field.name])) is Mapping:
            value = {}
        if value is not MISSING:
            object.__setattr__(record, field.name, value)
    return record


def _sound_part(hint: Any, name: str, data: dict[str, Any], document: Document) -> Any:
    """The value of a field; MISSING if it is absent or has no valid part."""
    import pydantic

    if name not in data:
        return MISSING
    value = data[name]
    if isinstance(value, dict):
        value = {key: part for key, part in value.items() if document.sound(name, key)}
    elif not document.sound(name):
        return MISSING
    try:
        return _adapter(hint).validate_python(value)
    except pydantic.ValidationError:
        return MISSING


# --- mistakes and their places


def _report(problem: pydantic.ValidationError, kind: Any, document: Document) -> None:
    """Every mistake, once. If an unknown key looks like a misspelled one, that one is not reported as
    missing."""
    errors = problem.errors(include_url=False, include_input=True)
    meant = {
        (*error["loc"][:-1], likely)
        for error in errors
        if error["type"] == "unexpected_keyword_argument"
        if (likely := suggest(str(error["loc"][-1]), _absent(error["loc"][:-1], kind, document)))
    }
    for error in errors:
        if error["loc"] in meant:
            document.broken.add(error["loc"])
        else:
            _report_one(error, kind, document)


def _report_one(error: Any, kind: Any, document: Document) -> None:
    path, sort = error["loc"], error["type"]
    if sort == "missing":
        holder = path[:-1]
        name = document.words.get(path[-1], path[-1])
        document.error(holder, f"{document.slot(holder)} has no {quote(name)}", at_key=True)
        document.broken.add(path)
    elif sort == "unexpected_keyword_argument":
        _report_unknown(path, kind, document)
    elif path and path[-1] == "[key]":
        noun = document.slot(path[:-1]).rpartition(" ")[0] or "entry"
        _report_misfit(error, path[:-1], f"the name of {article(noun)}", document, at_key=True)
    else:
        _report_misfit(error, path, document.slot(path), document)


def _report_unknown(path: Path, kind: Any, document: Document) -> None:
    name, holder = str(path[-1]), path[:-1]
    likely = suggest(name, _absent(holder, kind, document))
    known = [document.words.get(key, key) for key in fields_of(_kind_at(kind, holder))]
    hint = f"did you mean {quote(likely)}?" if likely else hint_for(name, known)
    document.error(path, f"unknown key {quote(name)} in {document.slot(holder)}", hint, at_key=True)


def _absent(path: Path, kind: Any, document: Document) -> list[str]:
    """The keys that the mapping at a path may have and does not have."""
    given = document.names(*(str(element) for element in path))
    known = (document.words.get(key, key) for key in fields_of(_kind_at(kind, path)))
    return [key for key in known if key not in given]


def _report_misfit(error: Any, path: Path, slot: str, document: Document, *, at_key: bool = False) -> None:
    wrong = error.get("ctx", {}).get("error")
    if not isinstance(wrong, Misfit):
        what = (
            f"must be {EXPECTED[error['type']]}, not {describe(error['input'])}"
            if error["type"] in EXPECTED
            else error["msg"]
        )
        wrong = Misfit(what)
    report_misfit(wrong, path, document, slot=slot, at_key=at_key)


def report_misfit(
    wrong: Misfit, path: Path, document: Document, *, slot: str | None = None, at_key: bool = False
) -> None:
    """Report a Misfit at its place in the file."""
    inner = (*path, *wrong.at)
    if wrong.whole:
        what, at_key = (
            wrong.what.replace("{slot}", document.slot(path)),
            at_key or not isinstance((inner or (0,))[-1], int),
        )
    else:
        what = f"{slot if slot and not wrong.at else document.slot(inner)} {wrong.what}"
    document.error(inner, what, wrong.hint, at_key=at_key)


# --- the kinds of records and their fields


def bare(kind: Any) -> Any:
    """A kind without Annotated and None."""
    while get_origin(kind) is Annotated or get_origin(kind) in (Union, types.UnionType):
        kind = next(part for part in get_args(kind) if part is not type(None))
    return kind


def hints(kind: Any) -> dict[str, Any]:
    if kind not in _HINTS:
        _HINTS[kind] = get_type_hints(kind, include_extras=True)
    return _HINTS[kind]


_HINTS: dict[Any, dict[str, Any]] = {}


def fields_of(kind: Any) -> list[str]:
    """The keys of a mapping of this kind; none if users choose the keys."""
    kind = bare(kind)
    if not (isinstance(kind, type) and is_dataclass(kind)):
        return []
    return [field.name for field in fields(kind) if not _is_own(hints(kind)[field.name])]


def _is_own(hint: Any) -> bool:
    """Whether the reader fills in this field."""
    return any(isinstance(part, Own) for part in getattr(hint, "__metadata__", ()))


def part_of(kind: Any, element: str | int) -> Any:
    """The kind of a part of this kind; None if it is unknown."""
    kind = bare(kind)
    if isinstance(kind, type) and is_dataclass(kind):
        return hints(kind).get(str(element))
    arguments = get_args(kind)
    return arguments[-1 if isinstance(element, str) else 0] if arguments else None


def _kind_at(kind: Any, path: Path) -> Any:
    for element in path:
        kind = part_of(kind, element)
    return kind
