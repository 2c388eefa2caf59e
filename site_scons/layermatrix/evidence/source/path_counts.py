"""Count in C text: the files that it includes, its conditionals, and the functions that a function inlines.

    conditional paths  preprocessor lines that choose between texts (#if, #ifdef, #ifndef, #elif), without
                       include guards, which choose nothing
    runtime checks     in the preprocessed text, mentions of the variables (`switches`) that switch code on
    and off at run time

Both are counted in an entry's function and in every inline function that it calls, once per call: this is the
text of the path after inlining. The text is counted instead of the object because a compiler may merge and
hoist such reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)
_COMMENT_OR_TEXT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
_DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(\w+)[ \t]*([^\n]*)$", re.MULTILINE)
_CHOOSING = ("if", "ifdef", "ifndef", "elif")
# a formatted definition at the left margin: a signature, then a body between braces on their own lines
_FUNCTION = re.compile(r"^(\w[^;{}=#]*)\n\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_ATTRIBUTE = re.compile(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)")
_CALLED = re.compile(r"(?<![\w.>])([A-Za-z_]\w*)\s*\(")
_ALIAS = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+(\w+)[ \t]*$", re.MULTILINE)
_WORD = re.compile(r"(?<![\w.>])[A-Za-z_]\w*")  # not the name of a field
_OUT_OF_LINE = re.compile(r"\b(noinline|COLD|cold)\b")


class CodeError(ValueError):
    """The text cannot be counted; str() is the reason."""


@dataclass(frozen=True)
class Counts:
    """checks: switch -> its mentions. paths: the number of conditional preprocessor lines."""

    checks: Mapping[str, int] = field(default_factory=dict)
    paths: int = 0

    def plus(self, other: Counts) -> Counts:
        names = dict.fromkeys((*self.checks, *other.checks))
        both = {name: self.checks.get(name, 0) + other.checks.get(name, 0) for name in names}
        return Counts(both, self.paths + other.paths)


def lines(text: str) -> int:
    return len(text.splitlines())


def included(start: Path, folders: Sequence[Path]) -> dict[str, str]:
    """The text of a C file and of all that it includes by "name" from these folders, by name."""
    texts: dict[str, str] = {}
    waiting = [(start.name, start)]
    while waiting:
        name, path = waiting.pop(0)
        if name in texts:
            continue
        texts[name] = path.read_text(encoding="utf-8")
        for inner in _INCLUDE.findall(texts[name]):
            found = find(inner, folders)
            if found is not None:
                waiting.append((inner, found))
    return texts


def find(name: str, folders: Iterable[Path]) -> Path | None:
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def stripped(text: str) -> str:
    """C without comments and the contents of strings, every line where it was."""
    return _COMMENT_OR_TEXT.sub(lambda found: "\n" * found.group().count("\n"), text)


def conditionals(text: str) -> int:
    """The preprocessor lines that choose between texts, in C without comments."""
    directives = [(found.group(1), found.group(2)) for found in _DIRECTIVE.finditer(text)]
    following = [*directives[1:], ("", "")]  # one more than needed where there is none
    return sum(
        word in _CHOOSING and not _is_guard(condition, after)
        for (word, condition), after in zip(directives, following, strict=False)
    )


def _is_guard(condition: str, after: tuple[str, str]) -> bool:
    """Whether this is an include guard: the next preprocessor line defines the tested macro."""
    word, rest = after
    return word == "define" and rest.split()[:1] != [] and rest.split()[0] in _WORD.findall(condition)


class Program:
    """The functions of C texts without comments, with the functions that they inline."""

    def __init__(self, texts: Sequence[str], switches: tuple[str, ...]) -> None:
        self.switches = switches
        self.aliases = {name: target for text in texts for name, target in _ALIAS.findall(text)}
        self.bodies: dict[str, str] = {}
        for text in texts:
            for signature, body in _FUNCTION.findall(text):
                name = _CALLED.search(_ATTRIBUTE.sub("", signature))
                if name and not _OUT_OF_LINE.search(signature):
                    self.bodies[name[1]] = body

    def counts(self, function: str) -> Counts:
        """The counts of the function and of the inline functions that it calls. Raises CodeError."""
        if function not in self.bodies:
            raise CodeError(f"no function {function!r} is defined in what the probe includes")
        return self._counts(function)

    def _counts(self, function: str, callers: tuple[str, ...] = ()) -> Counts:
        if function in callers:
            raise CodeError(f"{function!r} calls itself")
        body = self.bodies[function]
        words = _WORD.findall(body)
        own = {name: words.count(name) for name in self.switches if name in words}
        total = Counts(own, conditionals(body))
        for word in _CALLED.findall(body):
            called = self.aliases.get(word, word)
            if called in self.bodies:
                total = total.plus(self._counts(called, (*callers, function)))
        return total
