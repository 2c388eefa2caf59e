"""Parse YAML text into a tree of nodes that know their place.

Reads one file and accepts only YAML's core tags. Bytes, depth and nodes are limited; an alias counts as all
the nodes that it refers to. The tree is built from parser events and only down to the limit of depth, so that
no input can exhaust Python's stack.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from layermatrix.core.errors import Place, Report, quote
from layermatrix.core.kinds import Node

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_NODES = 20_000
MAX_CHARACTERS_OF_A_NUMBER = 40  # Python refuses to convert very long numbers

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
# The numbers of YAML 1.2: no octal or sexagesimal numbers, no underscores.
_NUMBER = re.compile(
    r"(?P<whole>[-+]?(0|[1-9][0-9]*))|[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
)
_BOOLEANS = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}
_SCALAR_TAGS = [_TAG + name for name in ("bool", "int", "float", "null")]
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


class _UnusableError(Exception):
    """The rest of the file cannot be read. Its arguments are those of `Report.error`."""


def read_document(file: Path, shown: str, report: Report) -> Node | None:
    """The one YAML document in `file`; None if it has mistakes, which go to `report`. `shown` is the path
    there."""
    tree, root = _Tree(shown, report), None
    try:
        root = tree.build(_read_text(file, shown))
    except _UnusableError as problem:
        tree.spoil(*problem.args)
    return None if tree.spoiled else root


def _read_text(file: Path, shown: str) -> str:
    start = Place(shown, 1, 1)
    try:
        if file.exists() and not file.is_file():
            raise _UnusableError(start, "cannot be read: not a regular file")
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as problem:
        raise _UnusableError(start, f"cannot be read: {(problem.strerror or str(problem)).lower()}") from None
    if len(data) > MAX_BYTES:
        raise _UnusableError(start, f"is larger than {MAX_BYTES} bytes")
    text = data.decode("utf-8", errors="surrogateescape").removeprefix("\ufeff")
    if odd := _UNPRINTABLE.search(text):
        before, character = text[: odd.start()], odd.group()
        place = Place(shown, before.count("\n") + 1, len(before) - before.rfind("\n"))
        if "\udc80" <= character <= "\udcff":  # how Python keeps a byte that it cannot decode
            raise _UnusableError(place, "is not UTF-8 text")
        raise _UnusableError(place, f"character U+{ord(character):04X} is not allowed in YAML")
    return text


class _Tree:
    """Builds the tree of one document. spoiled: a mistake left some value unknown."""

    def __init__(self, shown: str, report: Report) -> None:
        self.shown, self.report, self.spoiled = shown, report, False
        self.anchors: dict[str, tuple[Node, int] | None] = {}  # with the number of nodes; None: still open
        self.nodes = 0

    def spoil(self, place: Place, what: str, hint: str | None = None) -> None:
        self.report.error(place, what, hint)
        self.spoiled = True

    def build(self, text: str) -> Node:
        start, root, loader = Place(self.shown, 1, 1), None, _Loader(text)
        try:
            while not isinstance(event := loader.get_event(), yaml.StreamEndEvent):
                if isinstance(event, yaml.DocumentStartEvent):
                    if root:
                        what = "a second document begins here"
                        raise _UnusableError(self._place(event.start_mark), what, "one file holds one")
                    root = self._node(loader.get_event(), loader, 0)
        except yaml.YAMLError as problem:
            marks = [getattr(problem, name, None) for name in ("problem_mark", "context_mark")]
            place = next((self._place(mark) for mark in marks if mark), start)
            parts = [getattr(problem, name, None) for name in ("problem", "context")]
            about = ", ".join(filter(None, parts)) or " ".join(str(problem).split())
            raise _UnusableError(place, f"bad YAML: {about}") from None
        finally:
            loader.dispose()
        if root is None or root.value is None:
            raise _UnusableError(start, "is empty")
        return replace(root, key=start)

    def _place(self, mark: Any) -> Place:
        return Place(self.shown, mark.line + 1, mark.column + 1)

    def _node(self, event: Any, loader: Any, depth: int) -> Node:
        """The node that begins with this event, or that an alias stands for."""
        place, before = self._place(event.start_mark), self.nodes
        is_alias = isinstance(event, yaml.AliasEvent)
        found, nodes = self._aliased(event.anchor, place) if is_alias else (None, 1)
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            what = f"holds more than {MAX_NODES} values (what an alias stands for counts each time)"
            raise _UnusableError(place, what)
        if found:
            return found
        is_single = isinstance(event, yaml.ScalarEvent)
        value = self._value(event, place) if is_single else self._collection(event, loader, depth, place)
        node = Node(place, event.value if is_single else None, value)
        if event.anchor:
            self.anchors[event.anchor] = (node, self.nodes - before)
        return node

    def _collection(self, event: Any, loader: Any, depth: int, place: Place) -> list[Node] | dict[str, Node]:
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "!", _TAG + ("map" if is_mapping else "seq")):
            self._refuse_tag(event.tag, place)
        if depth >= MAX_DEPTH:
            raise _UnusableError(place, f"is nested more than {MAX_DEPTH} deep")
        if event.anchor:
            self.anchors[event.anchor] = None
        parts = []
        while not isinstance(part := loader.get_event(), yaml.CollectionEndEvent):
            parts.append(self._node(part, loader, depth + 1))
        return self._entries(parts) if is_mapping else parts

    def _aliased(self, anchor: Any, place: Place) -> tuple[Node, int]:
        """The node that an alias stands for, and how many nodes it is."""
        found = self.anchors.get(anchor)
        if found is None:
            holds = f"alias {quote(anchor)} stands for something that holds it"
            raise _UnusableError(place, holds if anchor in self.anchors else f"unknown alias {quote(anchor)}")
        return found

    def _entries(self, parts: list[Node]) -> dict[str, Node]:
        """A mapping's nodes by key. Of two equal keys, the first is kept. A missing value gets the place of
        its key, because YAML puts it where the next token begins."""
        entries: dict[str, Node] = {}
        for key, value in zip(parts[::2], parts[1::2], strict=True):
            if key.text is None:
                self.spoil(key.place, "a key must be a single word, not a list or a mapping")
            elif first := entries.get(key.text):
                hint = f"first on line {first.key.line}" if first.key else None
                self.report.error(key.place, f"key {quote(key.text)} is given twice", hint)
            else:
                place = value.place if value.text or value.value is not None else key.place
                entries[key.text] = Node(place, value.text, value.value, key.place)
        return entries

    def _value(self, event: Any, place: Place) -> str | bool | int | float | None:
        text: str = event.value
        explicit = event.tag not in (None, "!", _TAG + "str")
        if event.style == '"' and _UNPRINTABLE.search(text):  # other texts have no escapes
            self.spoil(place, f"{quote(text)} holds a control character")
        elif explicit and event.tag not in _SCALAR_TAGS:
            self._refuse_tag(event.tag, place)
        elif explicit or (event.tag is None and event.implicit[0]):
            value = self._convert(text, place)
            if explicit and isinstance(value, str):
                self.spoil(place, f"{quote(text)} does not fit its tag", "leave the tag out")
            return value
        return text

    def _convert(self, text: str, place: Place) -> str | bool | int | float | None:
        """The type of an unquoted word. Dates, merge keys and numbers in other bases are text."""
        if text in ("", "~", "null"):
            return None
        if number := _NUMBER.fullmatch(text):
            if len(text) <= MAX_CHARACTERS_OF_A_NUMBER:
                return int(text) if number["whole"] else float(text)
            self.spoil(place, f"{quote(text)} is no number that can be used")
            return text
        return _BOOLEANS.get(text.lower() if text in (text.lower(), text.title(), text.upper()) else "", text)

    def _refuse_tag(self, tag: str, place: Place) -> None:
        short = f"!!{tag[len(_TAG) :]}" if tag.startswith(_TAG) else tag
        self.spoil(place, f"tag {quote(short)} is not allowed", "leave it out")
