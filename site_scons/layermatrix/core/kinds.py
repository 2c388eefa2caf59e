"""The types of single values in a file: a name, a path, a number, or one of a few words.

The fields of a record are declared with these types (`capacity: Capacity`), and pydantic calls them when a
file is read. An invalid value raises `Misfit`, which names what is wrong and what helps; `spec.reading` adds
the place. A value is an object with `text`, its written form, and `value`, YAML's interpretation. This module
does not import pydantic, so that the records can be used without it.
"""

from __future__ import annotations

import enum
import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar

from layermatrix.core.errors import quote, suggest

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


class Misfit(ValueError):  # noqa: N818  it is what does not fit
    """An invalid value. `what` follows the value's name; if `whole` is set, `what` is a whole sentence in
    which "{slot}" is the name.

    at: the place in the value, if it has parts.
    """

    def __init__(
        self, what: str, hint: str | None = None, at: tuple[str | int, ...] = (), *, whole: bool = False
    ) -> None:
        super().__init__(what)
        self.what, self.hint, self.at, self.whole = what, hint, at, whole


class KeyName(str):
    """The name of a mapping's entry, as it is passed to the entry's own field `name`."""

    __slots__ = ()


def describe(node: object) -> str:
    """A description of the value, for the end of "must be X, not ..."."""
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, list):
        return "a list"
    value, text = value_of(node), text_of(node)
    if value is None:
        return "nothing"
    return quote(value) if isinstance(value, str) else str(value if text is None else text)[:40]


def text_of(node: object) -> str | None:
    """The written form of a single value; None for a list or a mapping."""
    return node if isinstance(node, str) else getattr(node, "text", None)


def value_of(node: object) -> object:
    """YAML's interpretation of a single value."""
    return node if isinstance(node, str) else getattr(node, "value", node)


class Kind(ABC):
    """A rule for a value. `expects` completes the sentence "must be ..."."""

    expects = ""

    @abstractmethod
    def read(self, node: object) -> Any:
        """The value of the node; raises Misfit if the node is not of this kind."""

    def refuse(self, node: object, hint: str | None = None) -> Misfit:
        return Misfit(f"must be {self.expects}, not {describe(node)}", hint)

    def __get_pydantic_core_schema__(self, source: object, handler: object) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(self.read)


class Text(Kind):
    """Text that matches a pattern as a whole and has at most `longest` characters."""

    def __init__(self, expects: str = "text", fits: str | None = None, longest: int = 500) -> None:
        self.expects, self.longest = expects, longest
        self.pattern = re.compile(fits, re.ASCII) if fits else None

    def read(self, node: object) -> str:
        value = value_of(node)
        if not isinstance(value, str):
            raise self.refuse(node, "put it in quotes" if isinstance(value, (bool, int, float)) else None)
        if not value.strip():
            raise Misfit(f"must be {self.expects}, not empty")
        if len(value) > self.longest:
            raise Misfit(f"is longer than {self.longest} characters")
        if self.pattern and not self.pattern.fullmatch(value):
            raise self.refuse(node)
        return value


class _Sentence(Text):
    """Text for readers, as one line, because it is printed into `//` comments."""

    def read(self, node: object) -> str:
        return " ".join(super().read(node).split())


class _Identifier(Text):
    """A name that is valid in C."""

    def read(self, node: object) -> str:
        name = super().read(node)
        if name in C_KEYWORDS:
            raise Misfit(f"must be {self.expects}, not the keyword {quote(name)}")
        return name


class _Regex(Text):
    """A regular expression that compiles for text and for bytes, and does not match everything."""

    def read(self, node: object) -> str:
        found = super().read(node)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # "possible nested set" is a mistake, too
                re.compile(found.encode("ascii"))
                matches_nothing = re.compile(found).match("")
        except (re.error, RecursionError, OverflowError, Warning) as problem:
            raise Misfit(f"is not a regular expression: {problem}") from None
        if matches_nothing:
            raise Misfit("matches even the empty text")
        return found


class OneOf(Kind):
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.expects = f"one of {', '.join(words)}"

    def read(self, node: object) -> str:
        text = text_of(node)
        if text in self.words:  # the words `none` and `off` are text here
            return text
        likely = suggest(text, self.words) if text is not None else None
        raise self.refuse(node, f"did you mean {quote(likely)}?" if likely else None)


class EnumOf(OneOf):
    """The member of an enumeration with this value."""

    def __init__(self, members: type[enum.Enum]) -> None:
        super().__init__(*(str(member.value) for member in members))
        self.members = members

    def read(self, node: object) -> Any:
        return self.members(super().read(node))


class Integer(Kind):
    """A whole number from `low` to `high`, a multiple of `step`."""

    def __init__(self, low: int, high: int, step: int = 1) -> None:
        self.allowed, self.step = range(low, high + 1), step
        self.expects = f"a whole number from {low} to {high}" + (
            f", a multiple of {step}" if step > 1 else ""
        )

    def read(self, node: object) -> int:
        value = value_of(node)
        if type(value) is int and value in self.allowed and value % self.step == 0:
            return value
        digits = isinstance(value, str) and value.isdecimal()
        raise self.refuse(node, "write it without quotes and leading zeroes" if digits else None)


class Number(Kind):
    """A number, whole or not, from `low` to `high`."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high
        self.expects = f"a number from {low:g} to {high:g}"

    def read(self, node: object) -> float:
        value = value_of(node)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and self.low <= value <= self.high:
            return float(value)
        raise self.refuse(node)


class Single(Kind):
    """A single value that YAML reads as one of these types. With `written`, any other single value is read as
    text."""

    def __init__(self, expects: str, *types: type, written: bool = False) -> None:
        self.expects, self.types, self.written = expects, types, written

    def read(self, node: object) -> Any:
        value, text = value_of(node), text_of(node)
        if type(value) in self.types:
            return value
        if self.written and text and not (self.types and value is None):
            return text
        raise self.refuse(node)


class Own(Kind):
    """The name of the entry that a record comes from. The record itself does not contain it."""

    def read(self, node: object) -> str:
        if isinstance(node, KeyName):
            return str(node)
        raise Misfit("is the entry's own name", "leave it out")


class _Around(ABC):
    """A check of a list or a mapping, before its parts are read."""

    @abstractmethod
    def before(self, value: Any) -> Any: ...

    def __get_pydantic_core_schema__(self, source: object, handler: Callable[[object], Any]) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(self.before, handler(source))


class Items(_Around):
    """A list. `alone`: a single value means a list of one. `unique`: no value appears twice."""

    def __init__(self, at_least: int = 0, unique: bool = False, alone: bool = False) -> None:
        self.at_least, self.unique, self.alone = at_least, unique, alone
        self.expects = f"a list of {at_least} or more" if at_least else "a list"

    def before(self, value: Any) -> Any:
        if self.alone and value_of(value) is not None and text_of(value) is not None:
            return [value]
        if not isinstance(value, list):
            raise Misfit(f"must be {self.expects}, not {describe(value)}")
        if len(value) < self.at_least:
            raise Misfit(f"must be {self.expects}, not {len(value)}")
        if self.unique:
            self._refuse_repetition([text_of(part) for part in value])
        return value

    def _refuse_repetition(self, texts: Sequence[str | None]) -> None:
        for index, text in enumerate(texts):
            if text is not None and text in texts[:index]:
                raise Misfit(f"{quote(text)} is in {{slot}} twice", at=(index,), whole=True)


class Entries(_Around):
    """A mapping with names that the user chooses. `named`: each entry is a record that has its name as a
    field."""

    def __init__(self, at_least: int = 0, at_most: int = 1000, named: bool = False) -> None:
        self.at_least, self.at_most, self.named = at_least, at_most, named

    def before(self, value: Any) -> Any:
        if not isinstance(value, dict):
            raise Misfit(f"must be a mapping, not {describe(value)}")
        if not self.at_least <= len(value) <= self.at_most:
            span = f"{self.at_least} to {self.at_most}"
            raise Misfit(f"{{slot}} must have {span} entries, not {len(value)}", whole=True)
        if not self.named:
            return value
        return {
            key: {"name": KeyName(key), **part} if isinstance(part, dict) else part
            for key, part in value.items()
        }


class OrNone(_Around):
    """The word `none` may replace the whole value, which is then None."""

    def before(self, value: Any) -> Any:
        return None if value_of(value) == "none" else value


class Short(_Around):
    """A single value may replace a mapping; it becomes the value of this key."""

    def __init__(self, key: str) -> None:
        self.key = key

    def before(self, value: Any) -> Any:
        return {self.key: value} if text_of(value) is not None and value_of(value) is not None else value


class Ref:
    """Declared beside the type of a name: the name refers to something in the project. noun: the kind of
    thing. pattern: the name may be a pattern that matches several. `spec.references` checks that the thing
    exists."""

    def __init__(self, noun: str, *, pattern: bool = False) -> None:
        self.noun, self.pattern = noun, pattern


class Record:
    """A base for dataclasses that are read from a mapping. A key that is not a field is a mistake."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}


NAME = _Identifier("a C identifier", r"[A-Za-z_][A-Za-z0-9_]*", longest=63)
_INSIDE = r"(?!/)(?!.*(^|/)\.\.?(/|$))"  # a path inside the project's folder

Name = Annotated[str, NAME]
Term = Annotated[str, Text("a word", r"[A-Za-z_][\w-]*", longest=63)]  # not used as a name in C
OwnName = Annotated[str, Own()]
Sentence = Annotated[str, _Sentence("a sentence or two without backslashes", r"[^\\]+")]
Line = Annotated[
    str, Text("one line without quotes and backslashes", r'[^"\\\n\r\t]+', longest=80)
]  # goes into C strings
PlainLine = Annotated[str, Text("one line", r"[^\n\r\t]+")]
Question = Annotated[str, Text("one line", r"[^\n\r\t]+", longest=100)]
File = Annotated[str, Text("a relative path", _INSIDE + r"[\w./+-]+")]
Glob = Annotated[str, Text("a relative path or pattern", _INSIDE + r"[\w./+*?\[\]-]+")]
CFile = Annotated[str, Text("the path of a C file, such as src/floor.c", _INSIDE + r"[\w./+-]+\.c")]
Pattern = Annotated[str, Text("a name or a pattern such as phase*", r"[\w*?\[\]!-]+")]
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
Regex = Annotated[str, _Regex("a regular expression in ASCII", r"[\x20-\x7e]+", longest=200)]
Label = Annotated[str, Text("text", longest=40)]
Capacity = Annotated[int, Integer(1, 65_535)]
Bytes = Annotated[int, Integer(1, 2**30)]
Seconds = Annotated[int, Integer(1, 86_400)]
Switch = Annotated[bool, Single("on or off", bool)]
Value = Annotated["str | bool | int", Single("a word, a whole number or on/off", str, bool, int)]
Word = Annotated[str, Single("a single value", written=True)]  # an argument of a program
Choice = Annotated["str | int", Single("a word or a whole number", int, written=True)]  # of an enumeration
Names = Annotated[tuple[Name, ...], Items(unique=True)]
LayerName = Annotated[Name, Ref("layer")]
Layers = Annotated[tuple[LayerName, ...], Items(unique=True)]
LoadName = Annotated[Name, Ref("load")]
RoleName = Annotated[Term, Ref("role")]
VariantName = Annotated[Name, Ref("variant")]
VariantPattern = Annotated[Pattern, Ref("variant", pattern=True)]
Files = Annotated[tuple[File, ...], Items(unique=True)]
Globs = Annotated[tuple[Glob, ...], Items(unique=True, alone=True)]
