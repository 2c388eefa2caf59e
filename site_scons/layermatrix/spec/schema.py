"""The small language in which `spec` says what a YAML file may hold.

A `Kind` reads one node: it gives the value with its place, or reports what is wrong and gives None. A
`Shape` is a dataclass whose fields are the keys of a mapping: `key(kind)` says what the value must be.
One mistake gives one error: a field that is not as it must be is named in the shape's `broken`, and
whoever checks further asks `sound()`.
"""

from __future__ import annotations

import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any, Generic, TypeVar

from layermatrix.core.errors import Place, Report, hint_for, quote, suggest
from layermatrix.spec.yamlnodes import Mapping, Node, Scalar, Sequence

T = TypeVar("T")
S = TypeVar("S", bound="Shape")

C_KEYWORDS = re.findall(
    r"\w+",
    """
    alignas alignof asm auto bool break case char const constexpr continue default do double else enum extern
    false float for goto if inline int long nullptr register restrict return short signed sizeof static
    static_assert struct switch thread_local true typedef typeof typeof_unqual union unsigned void volatile
    while
    """,
)


@dataclass(frozen=True)
class Placed(Generic[T]):
    """A value and where the user wrote it."""

    value: T
    place: Place


@dataclass(frozen=True)
class Slot:
    """Where a value stands: what it is called in a message, and the place of its key."""

    name: str
    place: Place


class Kind(ABC, Generic[T]):
    """What a value must be. `expects` finishes the sentence "must be ..."."""

    expects = ""
    empty: Any = None  # what a key holds that is left out or broken

    @abstractmethod
    def read(self, node: Node, slot: Slot, report: Report) -> T | None:
        """The value of a node; None, and reported, where it is none of this kind."""

    def refuse(self, node: Node, slot: Slot, report: Report, hint: str | None = None) -> None:
        report.error(node.place, f"{slot.name} must be {self.expects}, not {describe(node)}", hint)


def describe(node: Node) -> str:
    """What a node is, for the end of "must be X, not ..."."""
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    if node.value is None:
        return "nothing"
    return quote(node.text) if isinstance(node.value, str) else node.text[:40]


def article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


class Text(Kind[Placed[str]]):
    """Text that `fits` (a whole-match pattern or a test), at most `longest` characters."""

    def __init__(self, expects: str = "text", fits: str | None = None, longest: int = 500) -> None:
        self.expects = expects
        self.pattern = re.compile(fits, re.ASCII) if fits else None
        self.longest = longest

    def read(self, node: Node, slot: Slot, report: Report) -> Placed[str] | None:
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            written = isinstance(node, Scalar) and node.value is not None
            self.refuse(node, slot, report, "put it in quotes" if written else None)
            return None
        if not node.value.strip():
            report.error(node.place, f"{slot.name} must be {self.expects}, not empty")
        elif len(node.value) > self.longest:
            report.error(node.place, f"{slot.name} is longer than {self.longest} characters")
        elif self.pattern and not self.pattern.fullmatch(node.value):
            self.refuse(node, slot, report)
        else:
            return Placed(node.value, node.place)
        return None


class Sentence(Text):
    """Text for readers, as one line: it is printed into `//` comments."""

    def __init__(self) -> None:
        super().__init__("a sentence or two without backslashes", r"[^\\]+")

    def read(self, node: Node, slot: Slot, report: Report) -> Placed[str] | None:
        text = super().read(node, slot, report)
        return text and replace(text, value=" ".join(text.value.split()))


class Identifier(Text):
    """A name that C takes."""

    def __init__(self) -> None:
        super().__init__("a C identifier", r"[A-Za-z_][A-Za-z0-9_]*", longest=63)

    def read(self, node: Node, slot: Slot, report: Report) -> Placed[str] | None:
        name = super().read(node, slot, report)
        if name is not None and name.value in C_KEYWORDS:
            report.error(
                node.place, f"{slot.name} must be a C identifier, not the keyword {quote(name.value)}"
            )
            return None
        return name


class Regex(Text):
    """A regular expression, for text and for bytes, that does not match everything."""

    def __init__(self) -> None:
        super().__init__("a regular expression in ASCII", r"[\x20-\x7e]+", longest=200)

    def read(self, node: Node, slot: Slot, report: Report) -> Placed[str] | None:
        found = super().read(node, slot, report)
        if found is None:
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # "possible nested set" is a mistake, too
                re.compile(found.value.encode("ascii"))
                matches_nothing = re.compile(found.value).match("")
        except (re.error, RecursionError, OverflowError, Warning) as problem:
            report.error(node.place, f"{slot.name} is no regular expression: {problem}")
            return None
        if matches_nothing:
            report.error(node.place, f"{slot.name} matches even the empty text")
            return None
        return found


class OneOf(Kind[Placed[str]]):
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.expects = f"one of {', '.join(words)}"

    def read(self, node: Node, slot: Slot, report: Report) -> Placed[str] | None:
        if isinstance(node, Scalar) and node.text in self.words:  # the word `none` or `off` is text here
            return Placed(node.text, node.place)
        likely = suggest(node.text, self.words) if isinstance(node, Scalar) else None
        self.refuse(node, slot, report, f"did you mean {quote(likely)}?" if likely else None)
        return None


class Integer(Kind[Placed[int]]):
    """A whole number from `low` to `high`, a multiple of `step`; or one of `choices`."""

    def __init__(self, low: int = 0, high: int = 0, step: int = 1, choices: tuple[int, ...] = ()) -> None:
        self.allowed = choices or range(low, high + 1)
        self.step = step
        multiple = f", a multiple of {step}" if step > 1 else ""
        whole = f"a whole number from {low} to {high}{multiple}"
        self.expects = " or ".join(str(choice) for choice in choices) or whole

    def read(self, node: Node, slot: Slot, report: Report) -> Placed[int] | None:
        value = node.value if isinstance(node, Scalar) else None
        if (
            isinstance(value, int)
            and not isinstance(value, bool)
            and value in self.allowed
            and value % self.step == 0
        ):
            return Placed(value, node.place)
        self.refuse(node, slot, report)
        return None


class Number(Kind[Placed[float]]):
    """A number, whole or not, from `low` to `high`."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high
        self.expects = f"a number from {low:g} to {high:g}"

    def read(self, node: Node, slot: Slot, report: Report) -> Placed[float] | None:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, (int, float)) and not isinstance(value, bool) and self.low <= value <= self.high:
            return Placed(float(value), node.place)
        self.refuse(node, slot, report)
        return None


class Value(Kind[Placed["str | bool | int"]]):
    """A word, a whole number, or on/off."""

    expects = "a word, a whole number or on/off"

    def read(self, node: Node, slot: Slot, report: Report) -> Placed[str | bool | int] | None:
        if isinstance(node, Scalar) and isinstance(node.value, (str, bool, int)):
            return Placed(node.value, node.place)
        self.refuse(node, slot, report)
        return None


class Boolean(Kind[Placed[bool]]):
    expects = "on or off"

    def read(self, node: Node, slot: Slot, report: Report) -> Placed[bool] | None:
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return Placed(node.value, node.place)
        self.refuse(node, slot, report)
        return None


class Word(Kind[Placed[str]]):
    """Any single value, as it is written: an argument of a program."""

    expects = "a single value"

    def read(self, node: Node, slot: Slot, report: Report) -> Placed[str] | None:
        if isinstance(node, Scalar) and node.text:
            return Placed(node.text, node.place)
        self.refuse(node, slot, report)
        return None


class ListOf(Kind["tuple[T, ...]"]):
    """A list. `alone`: one value may stand for a list of one. `unique`: no value twice."""

    empty = ()

    def __init__(self, item: Kind[T], at_least: int = 0, unique: bool = False, alone: bool = False) -> None:
        self.item, self.at_least, self.unique, self.alone = item, at_least, unique, alone
        self.expects = f"a list of {at_least} or more" if at_least else "a list"

    def read(self, node: Node, slot: Slot, report: Report) -> tuple[T, ...]:
        if self.alone and isinstance(node, Scalar) and node.value is not None:
            item = self.item.read(node, slot, report)
            return () if item is None else (item,)
        if not isinstance(node, Sequence):
            self.refuse(node, slot, report)
            return ()
        if len(node.items) < self.at_least:
            report.error(node.place, f"{slot.name} must be {self.expects}, not {len(node.items)}")
        seen: set[str] = set()
        items = [self._item(part, seen, slot, report) for part in node.items]
        return tuple(item for item in items if item is not None)

    def _item(self, part: Node, seen: set[str], slot: Slot, report: Report) -> T | None:
        if self.unique and isinstance(part, Scalar):
            if part.text in seen:
                report.error(part.place, f"{quote(part.text)} is in {slot.name} twice")
                return None
            seen.add(part.text)
        return self.item.read(part, Slot(f"an item of {slot.name}", part.place), report)


class MapOf(Kind["tuple[tuple[Placed[str], T | None], ...]"]):
    """The user's own names with a value each, in the file's order; a value is None where it is broken."""

    empty = ()

    def __init__(
        self, name: Kind[Placed[str]], item: Kind[T], what: str, at_least: int = 0, at_most: int = 1000
    ) -> None:
        self.name, self.item, self.what = name, item, what
        self.at_least, self.at_most = at_least, at_most
        self.expects = "a mapping"

    def read(self, node: Node, slot: Slot, report: Report) -> tuple[tuple[Placed[str], T | None], ...]:
        if not isinstance(node, Mapping):
            self.refuse(node, slot, report)
            return ()
        if not self.at_least <= len(node.entries) <= self.at_most:
            span = f"{self.at_least} to {self.at_most}"
            report.error(slot.place, f"{slot.name} must have {span} entries, not {len(node.entries)}")
        return tuple(self._entry(key, part, report) for key, part in node.entries)

    def _entry(self, key: Scalar, part: Node, report: Report) -> tuple[Placed[str], T | None]:
        """A name that is none stays, so that those who refer to it are not told that it does not exist."""
        self.name.read(
            replace(key, value=key.text), Slot(f"the name of {article(self.what)}", key.place), report
        )
        slot = Slot(f"{self.what} {quote(key.text)}", key.place)
        return Placed(key.text, key.place), self.item.read(part, slot, report)


@dataclass(frozen=True)
class Key:
    """What the spec says of one key; `name` is the YAML's where Python has that word itself."""

    kind: Kind[Any]
    required: bool
    name: str | None


def key(kind: Kind[Any], required: bool = True, name: str | None = None) -> Any:
    """A field of a Shape that is read from the key of the same name, or from `name`."""
    return field(default=kind.empty, metadata={"key": Key(kind, required, name)})


@dataclass(frozen=True)
class Shape:
    """A mapping with known keys. A field that is in `broken` holds what could be read of it, or None."""

    place: Place
    broken: frozenset[str]

    def sound(self, *names: str) -> bool:
        """Whether these fields (or all) are as the spec wants them, so that more may be said of them."""
        return not (self.broken.intersection(names) if names else self.broken)

    def check(self, report: Report) -> Iterable[str]:
        """Report what is wrong between the fields; gives the names of those that are broken by it."""
        return ()


def keys_of(shape: type[Shape]) -> dict[str, tuple[str, Key]]:
    """YAML key -> field name and Key, in the order of the fields."""
    keys = ((part.name, part.metadata["key"]) for part in fields(shape) if "key" in part.metadata)
    return {key.name or field_name: (field_name, key) for field_name, key in keys}


class Record(Kind[S]):
    """A mapping that is a Shape. `short`: a single word may stand for a mapping with that key alone."""

    expects = "a mapping"

    def __init__(self, shape: type[S], short: str | None = None) -> None:
        self.shape, self.short = shape, short
        self.keys = keys_of(shape)

    def read(self, node: Node, slot: Slot, report: Report) -> S | None:
        if self.short and isinstance(node, Scalar) and node.value is not None:
            return self._build({self.short: (node.place, node)}, set(), slot, report)
        if not isinstance(node, Mapping):
            self.refuse(node, slot, report)
            return None
        given = {name.text: (name.place, part) for name, part in node.entries}
        return self._build(given, self._unknown(given, slot, report), slot, report)

    def _unknown(self, given: dict[str, tuple[Place, Node]], slot: Slot, report: Report) -> set[str]:
        """Report unknown keys; gives those that were probably meant, so that they are not called missing."""
        meant: set[str] = set()
        absent = [name for name in self.keys if name not in given]
        for name in given.keys() - self.keys.keys():
            likely = suggest(name, absent)
            meant.update({likely} if likely else ())
            hint = f"did you mean {quote(likely)}?" if likely else hint_for(name, self.keys)
            report.error(given[name][0], f"unknown key {quote(name)} in {slot.name}", hint)
        return meant

    def _build(self, given: dict[str, tuple[Place, Node]], meant: set[str], slot: Slot, report: Report) -> S:
        values: dict[str, Any] = {}
        broken = set()
        for name, (field_name, part) in self.keys.items():
            known = len(report.errors)
            if name in given:
                place, node = given[name]
                read = part.kind.read(node, Slot(quote(name), place), report)
                values[field_name] = part.kind.empty if read is None else read
            elif part.required and name not in meant:
                report.error(slot.place, f"{slot.name} has no {quote(name)}")
            if name in meant or len(report.errors) > known:
                broken.add(field_name)
        shape = self.shape(place=slot.place, broken=frozenset(broken), **values)
        also_broken = broken.union(shape.check(report))
        return self.shape(place=slot.place, broken=frozenset(also_broken), **values)
