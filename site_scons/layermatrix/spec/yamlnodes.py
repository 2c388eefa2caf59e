"""Parse YAML text into a tree of nodes that know their place.

Reads one file and accepts only YAML's core tags. Bytes, depth and nodes are limited; an alias counts as all
the nodes that it refers to. The tree is built from parser events with an explicit stack, so that no input can
exhaust Python's stack.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import yaml

from layermatrix.core.errors import Place, Report, quote

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_NODES = 20_000
MAX_CHARACTERS_OF_A_NUMBER = 40  # Python refuses to convert very long numbers

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_TEXT = _TAG + "str"
# The numbers of YAML 1.2: no octal or sexagesimal numbers, no underscores.
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BOOLEANS = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}
_SCALAR_TAGS = [_TAG + name for name in ("bool", "int", "float", "null")]
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Scalar:
    """A single value. `text` is its written form without quotes, `value` is YAML's interpretation."""

    place: Place
    text: str
    value: str | bool | int | float | None
    size: int = 1


@dataclass(frozen=True)
class Sequence:
    place: Place
    items: tuple[Node, ...]
    size: int


@dataclass(frozen=True)
class Mapping:
    """Keys are unique. Of two equal keys, the first is kept."""

    place: Place
    entries: tuple[tuple[Scalar, Node], ...]
    size: int


Node: TypeAlias = "Scalar | Sequence | Mapping"


class _UnusableError(Exception):
    """The rest of the file cannot be read; the reason is in the report."""


def read_document(file: Path, shown: str, report: Report) -> Node | None:
    """The one YAML document in `file`; None if it has mistakes, which go to `report`. `shown` is the path
    there."""
    try:
        builder = _Builder(shown, report)
        builder.build(_read_text(file, shown, report))
    except _UnusableError:
        return None
    return None if builder.spoiled else builder.root


def _read_text(file: Path, shown: str, report: Report) -> str:
    start = Place(shown, 1, 1)
    try:
        if file.exists() and not file.is_file():
            _stop(report, start, "cannot be read: not a regular file")
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as problem:
        _stop(report, start, f"cannot be read: {(problem.strerror or str(problem)).lower()}")
    if len(data) > MAX_BYTES:
        _stop(report, start, f"is larger than {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as problem:
        good = data[: problem.start].decode("utf-8").removeprefix("\ufeff")
        _stop(report, _place_after(good, shown), "is not UTF-8 text")
    odd = _UNPRINTABLE.search(text)
    if odd:
        place = _place_after(text[: odd.start()], shown)
        _stop(report, place, f"character U+{ord(odd.group()):04X} is not allowed in YAML")
    return text


def _place_after(text: str, shown: str) -> Place:
    return Place(shown, text.count("\n") + 1, len(text) - text.rfind("\n"))


def _stop(report: Report, place: Place, what: str, hint: str | None = None) -> NoReturn:
    report.error(place, what, hint)
    raise _UnusableError


@dataclass
class _Open:
    """A list or mapping that is still open. In a mapping, `parts` alternates keys and values."""

    place: Place
    mapping: bool
    anchor: str | None
    parts: list[Node] = field(default_factory=list)

    def close(self, entries: tuple[tuple[Scalar, Node], ...]) -> Node:
        size = 1 + sum(part.size for part in self.parts)
        if self.mapping:
            return Mapping(self.place, entries, size)
        return Sequence(self.place, tuple(self.parts), size)


class _Builder:
    """Builds the tree of one document."""

    def __init__(self, shown: str, report: Report) -> None:
        self.shown = shown
        self.report = report
        self.anchors: dict[str, Node | None] = {}  # None: still open
        self.open: list[_Open] = []
        self.nodes = 0
        self.root: Node | None = None
        self.spoiled = False  # a mistake left some value unknown

    def build(self, text: str) -> None:
        start = Place(self.shown, 1, 1)
        try:
            self._take_all(_Loader(text))
        except yaml.MarkedYAMLError as problem:
            mark = problem.problem_mark or problem.context_mark
            about = ", ".join(part for part in (problem.problem, problem.context) if part)
            _stop(self.report, self._place(mark) if mark else start, f"bad YAML: {about}")
        except yaml.YAMLError as problem:
            _stop(self.report, start, f"bad YAML: {' '.join(str(problem).split())}")
        if self.root is None or (isinstance(self.root, Scalar) and self.root.value is None):
            _stop(self.report, start, "is empty")

    def _take_all(self, loader: Any) -> None:
        try:
            event = loader.get_event()
            while not isinstance(event, yaml.StreamEndEvent):
                self._take(event)
                event = loader.get_event()
        finally:
            loader.dispose()

    def _place(self, mark: Any) -> Place:
        return Place(self.shown, mark.line + 1, mark.column + 1)

    def _take(self, event: Any) -> None:
        place = self._place(event.start_mark)
        if isinstance(event, yaml.ScalarEvent):
            self._count(1, place)
            self._add(Scalar(place, event.value, self._value(event, place)), event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            node = self._aliased(event.anchor, place)
            self._count(node.size, place)
            self._add(node, None)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._count(1, place)
            self._begin(event, place)
        elif isinstance(event, yaml.CollectionEndEvent):
            done = self.open.pop()
            self._add(done.close(self._entries(done.parts) if done.mapping else ()), done.anchor)
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            _stop(self.report, place, "a second document begins here", "one file holds one")

    def _begin(self, event: Any, place: Place) -> None:
        mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "!", _TAG + ("map" if mapping else "seq")):
            self._refuse_tag(event.tag, place)
        if len(self.open) >= MAX_DEPTH:
            _stop(self.report, place, f"is nested more than {MAX_DEPTH} deep")
        if event.anchor:
            self.anchors[event.anchor] = None
        self.open.append(_Open(place, mapping, event.anchor))

    def _count(self, nodes: int, place: Place) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            what = f"holds more than {MAX_NODES} values (what an alias stands for counts each time)"
            _stop(self.report, place, what)

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor:
            self.anchors[anchor] = node
        if self.open:
            self.open[-1].parts.append(node)
        else:
            self.root = node

    def _aliased(self, anchor: Any, place: Place) -> Node:
        node = self.anchors.get(anchor)
        if node is not None:
            return node
        if anchor in self.anchors:
            _stop(self.report, place, f"alias {quote(anchor)} stands for something that holds it")
        _stop(self.report, place, f"unknown alias {quote(anchor)}")

    def _entries(self, parts: list[Node]) -> tuple[tuple[Scalar, Node], ...]:
        entries: dict[str, tuple[Scalar, Node]] = {}
        for key, value in zip(parts[::2], parts[1::2], strict=True):
            if not isinstance(key, Scalar):
                self._spoil(key.place, "a key must be a single word, not a list or a mapping")
            elif key.text in entries:
                hint = f"first on line {entries[key.text][0].place.line}"
                self.report.error(key.place, f"key {quote(key.text)} is given twice", hint)
            else:
                entries[key.text] = (key, _beside(key, value))
        return tuple(entries.values())

    def _value(self, event: Any, place: Place) -> str | bool | int | float | None:
        text: str = event.value
        if _UNPRINTABLE.search(text):
            self._spoil(place, f"{quote(text)} holds a control character")
            return text
        explicit = event.tag not in (None, "!", _TEXT)
        if explicit and event.tag not in _SCALAR_TAGS:
            self._refuse_tag(event.tag, place)
            return text
        if not explicit and not (event.tag is None and event.implicit[0]):
            return text
        value = self._convert(text, place)
        if explicit and isinstance(value, str):
            self._spoil(place, f"{quote(text)} does not fit its tag", "leave the tag out")
        return value

    def _convert(self, text: str, place: Place) -> str | bool | int | float | None:
        """The type of an unquoted word. Dates, merge keys and numbers in other bases are text."""
        if text in ("", "~", "null"):
            return None
        if _INTEGER.fullmatch(text) and len(text) <= MAX_CHARACTERS_OF_A_NUMBER:
            return int(text)
        if _FLOAT.fullmatch(text) and len(text) <= MAX_CHARACTERS_OF_A_NUMBER:
            return float(text)
        if _INTEGER.fullmatch(text) or _FLOAT.fullmatch(text):
            self._spoil(place, f"{quote(text)} is no number that can be used")
        return _BOOLEANS.get(text.lower() if text[1:].islower() or text.isupper() else "", text)

    def _refuse_tag(self, tag: str, place: Place) -> None:
        short = f"!!{tag[len(_TAG) :]}" if tag.startswith(_TAG) else tag
        self._spoil(place, f"tag {quote(short)} is not allowed", "leave it out")

    def _spoil(self, place: Place, what: str, hint: str | None = None) -> None:
        self.report.error(place, what, hint)
        self.spoiled = True


def _beside(key: Scalar, value: Node) -> Node:
    """`value`. A missing value gets the place of its key, because YAML puts it where the next token
    begins."""
    if isinstance(value, Scalar) and value.value is None and not value.text:
        return replace(value, place=key.place)
    return value
