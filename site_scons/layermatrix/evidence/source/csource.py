"""Split C text into tokens and logical lines, and find the calls of some functions with their strings.

Reads text; writes nothing. Macros are not expanded. Comments are removed; a line that ends in a backslash
continues on the next line.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from layermatrix.core.errors import SpecError, SpecErrors, quote

_TOKEN = re.compile(
    r"""
      (?P<blank>   [ \t\f\v\r]+ | \\\r?\n | //(?:[^\\\n]|\\[\s\S])* | /\*[\s\S]*?\*/ )
    | (?P<string>  (?:u8|[uUL])? "(?:[^"\\\n]|\\[\s\S])*" )
    | (?P<char>    (?:u8|[uUL])? '(?:[^'\\\n]|\\[\s\S])*' )
    | (?P<word>    [A-Za-z_$][\w$]* )
    | (?P<number>  \.?\d(?:[eEpP][+-]|[\w.'])* )
    | (?P<newline> \n )
    | (?P<open>    /\* | " )
    | (?P<sign>    [\s\S] )
    """,
    re.VERBOSE | re.ASCII,
)
_BEFORE_A_CALL = ("return", "else", "do")  # words; any other in front of `name(` makes it a declaration


@dataclass(frozen=True)
class Token:
    """kind: string, char, word, number, newline or sign (one character); line counts from 1."""

    kind: str
    text: str
    line: int


@dataclass(frozen=True)
class LogicalLine:
    """The tokens of one logical line, and its first and last line in the file."""

    tokens: tuple[Token, ...]
    first: int
    last: int

    @property
    def directive(self) -> str:
        """The word after `#`; empty if the line is not a directive."""
        if len(self.tokens) < 2 or self.tokens[0].text != "#":
            return ""
        return self.tokens[1].text

    def mentions(self, word: str) -> bool:
        return any(token.kind == "word" and token.text == word for token in self.tokens)


@dataclass(frozen=True)
class Call:
    """A call. strings: for each argument with string literals, their source text without quotes."""

    function: str
    line: int
    strings: tuple[str, ...]


def tokens(text: str, path: str) -> list[Token]:
    """All tokens. path: the file's name in errors. Raises SpecErrors for a comment or string with no end."""
    found, line = [], 1
    for match in _TOKEN.finditer(text):
        kind, part = str(match.lastgroup), match.group()
        if kind == "open":
            what = "comment" if part == "/*" else "string"
            column = match.start() - text.rfind("\n", 0, match.start())
            raise SpecErrors([SpecError(path, line, column, f"this {what} has no end")])
        if kind != "blank":
            found.append(Token(kind, part, line))
        line += part.count("\n")
    return found


def logical_lines(text: str, path: str) -> Iterator[LogicalLine]:
    """The lines as the preprocessor sees them, including empty ones; together they cover the whole file."""
    first, held = 1, list[Token]()
    for token in tokens(text, path):
        if token.kind == "newline":
            yield LogicalLine(tuple(held), first, token.line)
            first, held = token.line + 1, []
        else:
            held.append(token)
    if held or first <= text.count("\n"):
        yield LogicalLine(tuple(held), first, text.count("\n") + 1)


def calls(text: str, path: str, functions: Collection[str]) -> list[Call]:
    """The calls of these functions, in the order of the text.

    Raises SpecErrors if a function is used without a call, because its messages are then unknown.
    """
    return list(_calls(text, path, tuple(functions)))


@functools.lru_cache(maxsize=512)  # all cells of a build have nearly all files in common
def _calls(text: str, path: str, functions: tuple[str, ...]) -> tuple[Call, ...]:
    found, mistakes = [], []
    stream = [token for line in logical_lines(text, path) for token in _apart(line)]
    for index, token in enumerate(stream):
        if token.kind != "word" or token.text not in functions:
            continue
        if index + 1 == len(stream) or stream[index + 1].text != "(":
            what = f"{quote(token.text)} is used without being called, so its messages cannot be found"
            mistakes.append(SpecError(path, token.line, 1, what, "write the call out"))
        elif not _is_declaration(stream, index):
            found.append(Call(token.text, token.line, _strings(stream, index + 1)))
    if mistakes:
        raise SpecErrors(mistakes)
    return tuple(found)


def _apart(line: LogicalLine) -> Iterator[Token]:
    """The line's tokens, with separators around a directive and the body of a macro."""
    if not line.directive:
        yield from line.tokens
        return
    end = Token("sign", ";", line.first)
    head = 3 if line.directive == "define" else 2
    yield from (*line.tokens[:head], end, *line.tokens[head:], end)


def _is_declaration(stream: Sequence[Token], index: int) -> bool:
    if index == 0:
        return False
    before = stream[index - 1]
    return before.text == "*" or (before.kind == "word" and before.text not in _BEFORE_A_CALL)


def _strings(stream: Sequence[Token], opening: int) -> tuple[str, ...]:
    """The strings of a call's arguments; adjacent literals are joined, as the compiler does."""
    depth, found, joined = 0, list[str](), ""
    for token in stream[opening:]:
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "sign" else 0
        if token.kind == "string":
            joined += token.text[token.text.index('"') + 1 : -1]
        if depth == 0 or (depth == 1 and token.text == ","):
            found += [joined] if joined else []
            joined = ""
        if depth == 0:
            break
    return tuple(found)


def error(path: str, line: int, what: str, hint: str | None = None) -> SpecErrors:
    """An exception for a mistake in a C file."""
    return SpecErrors([SpecError(path, line, 1, what, hint)])
