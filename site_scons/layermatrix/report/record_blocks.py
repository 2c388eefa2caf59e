"""Lay out any record as blocks to print (pairs, tables and texts), without knowing its fields.

Reads plain JSON values; returns `Block`s of text. A new field of evidence therefore appears on its page
without a change here. A dict of dicts becomes a table, and dicts nested in it become further tables. A
missing figure shows its reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HIDDEN = ("kind", "version", "missing", "key")  # shown above the blocks, or useless to a reader
LONG = ("log", "command")  # shown below a table, for failures
WIDE = 6  # a table with more columns than this, and more columns than rows, is transposed
SENTENCE = 24  # longer texts are read, not compared
MEASURED, MISSING = "measured", "not measured"
_FIGURE = re.compile(r"[-+]?[\d,.]+(-[\d,.]+)?")  # or a range of two


@dataclass(frozen=True)
class Block:
    """pairs: name and text. rows: one per name, under `heads`, with the name first. texts: name and a long
    text."""

    title: str
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    texts: tuple[tuple[str, str], ...] = ()

    @property
    def wordy(self) -> frozenset[int]:
        """The columns after the names that hold words, not figures."""
        columns = [[row[place] for row in self.rows] for place in range(len(self.heads))]
        return frozenset(place for place, column in enumerate(columns) if place and _is_wordy(column))

    @staticmethod
    def is_long(text: str) -> bool:
        """Whether a text needs more than one line in a column of figures."""
        return len(text) > SENTENCE


def _is_wordy(column: Sequence[str]) -> bool:
    """Whether most of its fields are not figures. Missing values do not count."""
    shown_texts = [text for text in column if text and not text.startswith(MISSING)]
    return sum(_FIGURE.fullmatch(text) is None for text in shown_texts) > len(shown_texts) / 2


def blocks(value: Any, title: str = "") -> Iterator[Block]:
    """The blocks of a record, or of a part of a record with the heading `title`."""
    if isinstance(value, Mapping):
        yield from _of_mapping(value, title)
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        yield from _of_records(value, title)
    elif value not in (None, [], {}):
        yield Block(title, pairs=(("", shown(value)),))


def _of_mapping(value: Mapping[str, Any], title: str) -> Iterator[Block]:
    if is_missing(value):
        yield Block(title, pairs=(("", shown(value)),))
        return
    flat = [name for name, item in value.items() if _is_flat(item) and name not in (*HIDDEN, *LONG)]
    pairs = tuple((words(name), text) for name in flat if (text := _field(value, name)))
    texts = tuple((name, str(value[name])) for name in LONG if value.get(name))
    if pairs or texts:
        yield Block(title, pairs=pairs, texts=texts)
    for name, item in value.items():
        if isinstance(item, Mapping) and item and all(isinstance(part, Mapping) for part in item.values()):
            yield from _of_rows(item, _join(title, words(name)))
        elif not _is_flat(item):
            yield from blocks(item, _join(title, words(name)))


def _of_rows(value: Mapping[str, Mapping[str, Any]], title: str) -> Iterator[Block]:
    """A dict of dicts: one table of its flat fields, then the blocks of its nested fields."""
    heads = _heads(value.values())
    rows = [(name, *_fields(item, heads)) for name, item in value.items()]
    if heads or any(map(is_missing, value.values())):
        yield _turned(title, heads or [""], rows)
    for key in dict.fromkeys(key for item in value.values() for key in item if not _is_flat(item[key])):
        inner = {name: item[key] for name, item in value.items() if item.get(key)}
        if all(isinstance(part, Mapping) and all(map(_is_flat, part.values())) for part in inner.values()):
            yield from _of_rows(inner, _join(title, words(key)))
        else:
            for name, part in inner.items():
                yield from blocks({key: part}, _join(title, name))


def _fields(item: Mapping[str, Any], heads: Sequence[str]) -> Iterator[str]:
    """The fields of a row. If it was not measured, only the reason."""
    if is_missing(item):
        yield shown(item)
        yield from [""] * (len(heads) - 1)
    else:
        yield from (_field(item, head) for head in heads)


def _of_records(value: Sequence[Any], title: str) -> Iterator[Block]:
    """A list of dicts: a table, and the logs of the failures below it."""
    items = [item for item in value if isinstance(item, Mapping)]
    heads = [head for head in _heads(items) if head != "name" and head not in LONG]
    rows = [(str(item.get("name", "")), *(_field(item, head) for head in heads)) for item in items]
    texts = [
        (f"{item.get('name', '')}: {key}", str(item[key]))
        for item in items
        if item.get("status") == "failed"
        for key in LONG
        if item.get(key)
    ]
    yield Block(title, ("", *map(words, heads)), tuple(rows), texts=tuple(texts))


def _turned(title: str, heads: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Block:
    """The table, transposed if it has many columns and fewer rows."""
    if len(heads) <= WIDE or len(heads) <= len(rows):
        return Block(title, ("", *map(words, heads)), tuple(rows))
    turned = [(words(head), *(row[place] for row in rows)) for place, head in enumerate(heads, start=1)]
    return Block(title, ("", *(row[0] for row in rows)), tuple(turned))


def _heads(items: Iterable[Mapping[str, Any]]) -> list[str]:
    """The flat keys that have a value in any of these dicts."""
    every = [item for item in items if not is_missing(item)]
    keys = dict.fromkeys(key for item in every for key in item if _is_flat(item[key]) and key not in HIDDEN)
    return [key for key in keys if any(_field(item, key) for item in every)]


def _field(item: Mapping[str, Any], key: str) -> str:
    """A value. The text does not repeat that something was measured."""
    is_usual = item.get(key) is None or (key, item[key]) == ("status", MEASURED)
    return "" if is_usual else shown(item[key])


def is_missing(value: Any) -> bool:
    """Whether this is the record of something that was not measured."""
    return isinstance(value, Mapping) and value.get("status") == MISSING


def _is_flat(value: Any) -> bool:
    """Whether a value fits on one line: a number, a text, a list of them, or a reason why there is none."""
    if isinstance(value, list):
        return all(not isinstance(item, (Mapping, list)) for item in value)
    return not isinstance(value, Mapping) or is_missing(value)


def shown(value: Any) -> str:
    """A number, a text, or a list of them, in printed form; or the reason why there is none."""
    if isinstance(value, Mapping):
        return f"{MISSING}: {value.get('reason')}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{round(value, 4) + 0.0:,.4f}".rstrip("0").rstrip(".")
    if isinstance(value, list):
        return ", ".join(map(shown, value)) or "none"
    return str(value)


def words(name: str) -> str:
    return name.replace("_", " ")


def _join(title: str, name: str) -> str:
    return f"{title}, {name}" if title else name
