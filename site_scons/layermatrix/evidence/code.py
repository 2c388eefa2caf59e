"""Count in the text that is compiled what a reader counts there: conditional code, runtime checks, lines.

Reads the C files that a probe includes, the generated header among them, and the probe as the preprocessor
leaves it. Returns the record `code`.

    conditional paths  preprocessor lines that choose between texts (#if, #ifdef, #ifndef, #elif); the guards
                       against a second inclusion choose nothing and are left out
    runtime checks     mentions, in what the preprocessor left, of the variables (`switches`) by which code is
                       switched on and off at run time

Of an entry both are counted in its function and in every function that it calls and that is defined for
inlining, once for each call: what the compiler has before it when it has inlined the path. The text decides,
not the object, because a compiler merges and hoists such reads as it likes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from layermatrix.core import records

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)
_COMMENT_OR_TEXT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
_DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(\w+)[ \t]*([^\n]*)$", re.MULTILINE)
_CHOOSING = ("if", "ifdef", "ifndef", "elif")
# a definition at the left margin, as formatters leave it: a signature, then a body between lone braces
_FUNCTION = re.compile(r"^(\w[^;{}=#]*)\n\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_ATTRIBUTE = re.compile(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)")
_CALLED = re.compile(r"(?<![\w.>])([A-Za-z_]\w*)\s*\(")
_ALIAS = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+(\w+)[ \t]*$", re.MULTILINE)
_WORD = re.compile(r"(?<![\w.>])[A-Za-z_]\w*")  # not the name of a field
_OUT_OF_LINE = re.compile(r"\b(noinline|COLD|cold)\b")


class Entry(Protocol):
    @property
    def function(self) -> str: ...


class CodeError(ValueError):
    """Text that cannot be counted, and why."""


@dataclass(frozen=True)
class Counts:
    """checks: how often each switch is mentioned; paths: conditional preprocessor lines."""

    checks: Mapping[str, int] = field(default_factory=dict)
    paths: int = 0

    def plus(self, other: Counts) -> Counts:
        names = dict.fromkeys((*self.checks, *other.checks))
        both = {name: self.checks.get(name, 0) + other.checks.get(name, 0) for name in names}
        return Counts(both, self.paths + other.paths)


def measure(
    probe: Path,
    preprocessed: Path,
    folders: Sequence[Path],
    header: str,
    entries: Mapping[str, Entry],
    switches: Sequence[str],
    sources: Sequence[str],
    told: Mapping[str, str],
) -> records.Record:
    """The record `code`. folders: where includes are looked for, in order. header: the generated one's name.
    sources: the library's C files; they are counted with what they include, except the header. told: file ->
    how many lines somebody said it should have; those files are counted, too."""
    try:
        texts = included(probe, folders)
        if header not in texts:
            raise CodeError(f"{probe.name} does not include {header}")
        written = Program([stripped(text) for text in texts.values()], ())
        compiled = Program([stripped(preprocessed.read_text(encoding="utf-8"))], tuple(switches))
        counted = {name: _entry(written, compiled, entry.function) for name, entry in entries.items()}
        files = {name: _file(name, folders, words) for name, words in told.items()}
        library = _library(sources, folders, header)
    except (CodeError, OSError) as error:
        return records.not_measured("code", str(error))
    own = texts[header]
    about = {"name": header, "lines": _lines(own), "conditional_paths": conditionals(stripped(own))}
    return records.measured("code", header=about, entries=counted, sources=library, files=files)


def _entry(written: Program, compiled: Program, function: str) -> records.Record:
    checks = compiled.counts(function).checks
    return {
        "function": function,
        "runtime_checks": sum(checks.values()),
        "switches": dict(checks),
        "conditional_paths": written.counts(function).paths,
    }


def _library(sources: Sequence[str], folders: Sequence[Path], header: str) -> records.Record:
    texts: dict[str, str] = {}
    for name in sources:
        path = _find(name, folders)
        if path is None:
            raise CodeError(f"there is no {name}, of which the library is compiled")
        texts.update(included(path, folders))
    texts.pop(header, None)
    paths = sum(conditionals(stripped(text)) for text in texts.values())
    return {"files": len(texts), "conditional_paths": paths}


def _file(name: str, folders: Sequence[Path], told: str) -> records.Record:
    path = _find(name, folders)
    if path is None:
        raise CodeError(f"there is no {name} whose lines could be counted")
    return {"lines": _lines(path.read_text(encoding="utf-8")), "told": told}


def _lines(text: str) -> int:
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
            found = _find(inner, folders)
            if found is not None:
                waiting.append((inner, found))
    return texts


def _find(name: str, folders: Iterable[Path]) -> Path | None:
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
    """Whether the next preprocessor line defines what this one asks for."""
    word, rest = after
    return word == "define" and rest.split()[:1] != [] and rest.split()[0] in _WORD.findall(condition)


class Program:
    """The functions of some C text without comments, and what is reached from them by inlining."""

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
        """What stands in the function, and in those that it calls."""
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
