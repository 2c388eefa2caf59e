"""The types of single values in a file: a name, a path, a number, or one of a few words.

The fields of a record are declared with these types (`capacity: Capacity`), and `spec.reading` calls them
when a file is read. An invalid value raises `Misfit`, which names what is wrong and what helps;
`spec.reading` adds the place.
"""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from layermatrix.core.errors import Place, quote, suggest

LEAST_INT, LARGEST_INT = -(2**31), 2**31 - 1  # the range of a C int
C_KEYWORDS = re.findall(
    r"\w+",
    """
    alignas alignof asm auto bool break case char const constexpr continue default do double else enum extern
    false float for goto if inline int long nullptr register restrict return short signed sizeof static
    static_assert struct switch thread_local true typedef typeof typeof_unqual union unsigned void volatile
    while
    """,
)


@dataclass(eq=False)
class Misfit(ValueError):  # noqa: N818  it is what does not fit
    """An invalid value. `what` follows the value's name; if `whole` is set, `what` is a whole sentence in
    which "{slot}" is the name.

    at: the place in the value, if it has parts. at_key: the place is that of the value's key.
    """

    what: str
    hint: str | None = None
    at: tuple[str | int, ...] = ()
    whole: bool = False
    at_key: bool = False


@dataclass(frozen=True)
class Node:
    """A value in a file. text: its written form without quotes; None for a list or a mapping. value: YAML's
    interpretation; the nodes of a list; the nodes of a mapping by key. key: the place of its own key."""

    place: Place
    text: str | None
    value: Any
    key: Place | None = None

    @property
    def described(self) -> str:
        """For the end of "must be X, not ..."."""
        if self.text is None:
            return "a mapping" if isinstance(self.value, dict) else "a list"
        if self.value is None:
            return "nothing"
        return quote(self.value) if isinstance(self.value, str) else self.text[:40]

    @property
    def is_single(self) -> bool:
        """Whether it is neither a list, nor a mapping, nor nothing."""
        return self.text is not None and self.value is not None

    def holding(self, value: list[Node] | dict[str, Node]) -> Node:
        """A list or a mapping in place of this node."""
        return replace(self, text=None, value=value)

    def parts(self, kind: type, expects: str) -> Any:
        """The value of a list or a mapping; raises Misfit if it is of another kind."""
        if isinstance(self.value, kind):
            return self.value
        raise Misfit(f"must be {expects}, not {self.described}")

    @property
    def entries(self) -> dict[str, Node]:
        """The nodes of a mapping; raises Misfit if it is none."""
        found: dict[str, Node] = self.parts(dict, "a mapping")
        return found


def node_of(value: object) -> Node:
    """A node for a value that is in no file, written as a user would write it."""
    text = ("on" if value else "off") if isinstance(value, bool) else str(value)
    return Node(Place("", 1, 1), text, value)


class Kind:
    """A rule for a single value. `expects` completes the sentence "must be ..."."""

    expects = ""

    def read(self, node: Node) -> Any:
        """The value of the node; raises Misfit if the node is not of this kind."""
        return node.value

    def refuse(self, node: Node, hint: str | None = None) -> Misfit:
        return Misfit(f"must be {self.expects}, not {node.described}", hint)


@dataclass(frozen=True)
class Text(Kind):
    """Text that matches the pattern `fits` as a whole and has at most `longest` characters. then: checks or
    changes it."""

    expects: str = "text"
    fits: str = r"(?s:.*)"
    longest: int = 500
    then: Callable[[str], str] = str

    def read(self, node: Node) -> str:
        value = node.value
        if not isinstance(value, str):
            raise self.refuse(node, "put it in quotes" if isinstance(value, (bool, int, float)) else None)
        if not value.strip():
            raise Misfit(f"must be {self.expects}, not empty")
        if len(value) > self.longest:
            raise Misfit(f"is longer than {self.longest} characters")
        if not self._pattern.fullmatch(value):
            raise self.refuse(node)
        return self.then(value)

    @functools.cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(self.fits, re.ASCII)


def _one_line(text: str) -> str:
    """Text for readers, as one line, because it is printed into `//` comments."""
    return " ".join(text.split())


def no_keyword(name: str) -> str:
    if name in C_KEYWORDS:
        raise Misfit(f"must be a C identifier, not the keyword {quote(name)}")
    return name


def _regex(text: str) -> str:
    """A regular expression that compiles for text and for bytes, and does not match everything."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # "possible nested set" is a mistake, too
            re.compile(text.encode("ascii"))
            matches_nothing = re.compile(text).match("")
    except (re.error, RecursionError, OverflowError, Warning) as problem:
        raise Misfit(f"is not a regular expression: {problem}") from None
    if matches_nothing:
        raise Misfit("matches even the empty text")
    return text


class OneOf(Kind):
    """One of a few words or whole numbers."""

    def __init__(self, *words: str | int) -> None:
        self.words = {str(word): word for word in words}
        self.expects = f"one of {', '.join(self.words)}"

    def read(self, node: Node) -> Any:
        if node.text in self.words:  # the words `none` and `off` are text here
            return self.words[node.text]
        likely = suggest(node.text, self.words) if node.text is not None else None
        raise self.refuse(node, f"did you mean {quote(likely)}?" if likely else None)


class Single(Kind):
    """A single value that YAML reads as one of these types, and that `fits`. With `written`, any other single
    value is read as text."""

    def __init__(
        self, expects: str, *types: type, fits: Callable[[Any], bool] | None = None, written: bool = False
    ) -> None:
        self.expects, self.types, self.fits, self.written = expects, types, fits, written

    def read(self, node: Node) -> Any:
        if type(node.value) in self.types and (self.fits is None or self.fits(node.value)):
            return float(node.value) if float in self.types else node.value
        if self.written and node.text and not (self.types and node.value is None):
            return node.text
        digits = int in self.types and isinstance(node.value, str) and node.value.isdecimal()
        raise self.refuse(node, "write it without quotes and leading zeroes" if digits else None)


class Range(Single):
    """A number from `low` to `high`, a multiple of `step`."""

    def __init__(self, expects: str, *types: type, low: float, high: float, step: int = 1) -> None:
        super().__init__(expects, *types, fits=self._is_in)
        self.low, self.high, self.step = low, high, step

    def _is_in(self, value: float) -> bool:
        return self.low <= value <= self.high and (self.step == 1 or value % self.step == 0)


def integer(low: int, high: int, step: int = 1) -> Range:
    """A whole number from `low` to `high`, a multiple of `step`."""
    multiple = f", a multiple of {step}" if step > 1 else ""
    return Range(f"a whole number from {low} to {high}{multiple}", int, low=low, high=high, step=step)


def number(low: float, high: float) -> Range:
    """A number, whole or not, from `low` to `high`."""
    return Range(f"a number from {low:g} to {high:g}", int, float, low=low, high=high)


class Around:
    """A check of a value before it is read, or another form of it."""

    def before(self, node: Node) -> Node:
        """The node to read; raises Misfit if the value is not allowed."""
        return node

    def schema(self, made: dict[str, Any]) -> dict[str, Any]:
        """The JSON Schema of the value in the file; `made` is that of the node that is read. A check that no
        schema expresses leaves it as it is. `spec.schema` has those of the forms in this module."""
        return made


@dataclass(frozen=True)
class Reserved(Around):
    """A name that users cannot choose. why: what the name means instead."""

    name: str
    why: str

    def before(self, node: Node) -> Node:
        if node.text == self.name:
            raise Misfit(f"cannot be {quote(self.name)}: {self.why}")
        return node


@dataclass(frozen=True)
class Items(Around):
    """A list. `alone`: a single value means a list of one. `unique`: no value appears twice."""

    at_least: int = 0
    unique: bool = False
    alone: bool = False

    def before(self, node: Node) -> Node:
        if self.alone and node.is_single:
            return node.holding([node])
        expects = f"a list of {self.at_least} or more" if self.at_least else "a list"
        texts = [part.text for part in node.parts(list, expects)]
        if len(texts) < self.at_least:
            raise Misfit(f"must be {expects}, not {len(texts)}")
        if self.unique:
            _check_unique(texts)
        return node


def _check_unique(texts: list[str | None]) -> None:
    for index, text in enumerate(texts):
        if text is not None and text in texts[:index]:
            raise Misfit(f"{quote(text)} is in {{slot}} twice", at=(index,), whole=True)


@dataclass(frozen=True)
class Entries(Around):
    """A mapping with names that the user chooses. `listed`: a list of names stands for entries without
    content."""

    at_least: int = 0
    at_most: int = 1000
    listed: bool = False

    def before(self, node: Node) -> Node:
        if self.listed and isinstance(node.value, list) and all(part.text for part in node.value):
            _check_unique([part.text for part in node.value])
            node = node.holding({part.text: part.holding({}) for part in node.value})
        if not self.at_least <= len(node.entries) <= self.at_most:
            what = f"{{slot}} must have {self.at_least} to {self.at_most} entries, not {len(node.entries)}"
            raise Misfit(what, whole=True, at_key=True)
        return node


@dataclass(frozen=True)
class Short(Around):
    """A single value may replace a mapping; it becomes the value of this key. `none`: the word `none` may
    replace an empty mapping."""

    key: str
    none: bool = False
    expects: str = "a mapping"

    def before(self, node: Node) -> Node:
        if node.is_single:
            return node.holding({} if self.none and node.value == "none" else {self.key: node})
        node.parts(dict, self.expects)
        return node


class AsWritten(Around):
    """A single value as it is written: `on` and `3` are text here."""

    def before(self, node: Node) -> Node:
        return replace(node, value=node.text) if node.is_single else node

    def schema(self, made: dict[str, Any]) -> dict[str, Any]:
        return {"anyOf": [made, {"type": ["boolean", "number"]}]}


class Negatable(Around):
    """A list of patterns, or `{not: patterns}`, which selects what none of them matches. The patterns then
    begin with NOT."""

    def before(self, node: Node) -> Node:
        if not isinstance(node.value, dict):
            return node
        for name in node.value:
            if name != "not":
                raise Misfit(f"unknown key {quote(name)}", "'not' is the only key here", (name,), True, True)
        given = node.value.get("not")
        if given is None:
            raise Misfit("must be a value, a list, or {not: ...}, not an empty mapping")
        return node.holding(
            [replace(part, text=_negated(part), value=_negated(part)) for part in _alone(given)]
        )

    def schema(self, made: dict[str, Any]) -> dict[str, Any]:
        negated = {"type": "object", "properties": {"not": made}, "required": ["not"]}
        return {"anyOf": [made, {**negated, "additionalProperties": False}]}


NOT = "!"  # in front of a pattern: what it does not match


def _alone(node: Node) -> list[Node]:
    """The items of a list; a single value is a list of one."""
    parts: list[Node] = [node] if node.is_single else node.parts(list, "a value or a list")
    return parts


def _negated(node: Node) -> str | None:
    return None if node.text is None else NOT + node.text


@dataclass(frozen=True)
class Ref:
    """Declared beside the type of a name: the name refers to something in the project. noun: the kind of
    thing; OF_AXIS: a value of the axis under whose key the name stands. pattern: the name may be a pattern
    that matches several. hint: for a project without such a thing. `spec.reading` checks that the thing
    exists."""

    noun: str
    pattern: bool = False
    hint: str | None = None


Check = Callable[[str], "Misfit | None"]  # what is wrong with a name
Known = Mapping[str, "Sequence[str] | Check"]  # noun -> the existing names; other nouns are not checked
OF_AXIS = "="  # the noun is the axis: `mode=`
REST = object()  # marks the field with the entries of a mapping that no other field takes
OR_NONE = object()  # marks a field whose whole value may be replaced by the word `none`: it is then None
NAME = Text("a C identifier", r"[A-Za-z_][A-Za-z0-9_]*", longest=63, then=no_keyword)
NOT_ALL = Reserved("all", "that is the word for all of them")
_INSIDE = r"(?!/)(?!.*(^|/)\.\.?(/|$))"  # a path inside the project's folder

Name = Annotated[str, NAME]
OwnName = Annotated[str, object()]  # the name of the entry that a record comes from
FreeName = Annotated[Name, NOT_ALL]
Term = Annotated[str, Text("a word", r"[A-Za-z_][\w-]*", longest=63)]  # not used as a name in C
Sentence = Annotated[str, Text("a sentence or two without backslashes", r"[^\\]+", then=_one_line)]
Line = Annotated[
    str, Text("one line without quotes and backslashes", r'[^"\\\n\r\t]+', longest=80)
]  # goes into C strings
PlainLine = Annotated[str, Text("one line", r"[^\n\r\t]+")]
Question = Annotated[str, Text("one line", r"[^\n\r\t]+", longest=100)]
File = Annotated[str, Text("a relative path", _INSIDE + r"[\w./+-]+")]
SourceFile = Annotated[File, Ref("source file")]  # relative to the folder of C sources
Glob = Annotated[str, Text("a relative path or pattern", _INSIDE + r"[\w./+*?\[\]-]+"), Ref("files")]
CFile = Annotated[
    str, Text("the path of a C file, such as src/floor.c", _INSIDE + r"[\w./+-]+\.c"), Ref("file")
]
Pattern = Annotated[str, Text("a name or a pattern such as phase*", r"[\w*?\[\]!.+-]+")]
SharedLibrary = Annotated[
    str, Text("the name of a shared library, such as libm.so.6", _INSIDE + r"[\w./+-]+\.so[\w.]*")
]
EnvironmentName = Annotated[
    str, Text("the name of an environment variable, such as FRONT_RING", r"[A-Z_][A-Z0-9_]*", longest=100)
]
Version = Annotated[str, Text("a version in quotes, such as '1.2.0'", r"\d[\w.+~-]*", longest=40)]
SoVersion = Annotated[str, Text("numbers in quotes, such as '1' or '1.2.0'", r"\d+(\.\d+){0,2}", longest=40)]
Symbol = Annotated[
    str, Text("the name of a C function or a pattern such as *printf", r"(?=.*\w)[\w*?]+", longest=100)
]
Regex = Annotated[str, Text("a regular expression in ASCII", r"[\x20-\x7e]+", longest=200, then=_regex)]
Label = Annotated[str, Text("text", longest=40)]
CAPACITY = integer(1, 65_535)
Capacity = Annotated[int, CAPACITY]
BYTES = integer(1, 2**30)
Bytes = Annotated[int, BYTES]
Seconds = Annotated[int, integer(1, 86_400)]
Switch = Annotated[bool, Single("on or off", bool)]
Value = Annotated["str | bool | int", Single("a word, a whole number or on/off", str, bool, int)]
Word = Annotated[str, Single("a single value", written=True)]  # an argument of a program
Choice = Annotated["str | int", Single("a word or a whole number", int, written=True)]  # of an enumeration
Names = Annotated[tuple[Name, ...], Items(unique=True)]
LayerName = Annotated[Name, Ref("layer")]
Layers = Annotated[tuple[LayerName, ...], Items(unique=True)]
LoadName = Annotated[Name, Ref("load")]
ProgramName = Annotated[Name, Ref("program")]
TestName = Annotated[Name, Ref("test")]
RoleName = Annotated[Term, Ref("role")]
FigureName = Annotated[Name, Ref("reported figure", hint="the catalogue declares them under 'reported'")]
VariantName = Annotated[Name, Ref("variant")]
VariantPattern = Annotated[Pattern, Ref("variant", pattern=True)]
SourceFiles = Annotated[tuple[SourceFile, ...], Items(unique=True)]
Globs = Annotated[tuple[Glob, ...], Items(unique=True, alone=True)]
