"""Find functions of C files that are not declared in the header of the file that defines them.

Reads the texts of a `c_folders.Files`. A function that the library exports may be declared in a header
directly in the top folder, or in none, if another library's headers declare it. Static functions, the
functions of headers, and programs (files with `main`, and folders without headers) are not checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from layermatrix.evidence.source import c_folders, csource
from layermatrix.evidence.source.csource import Token

_NOT_A_NAME = {
    "__attribute__",
    "__asm__",
    "_Static_assert",
    "_Atomic",
    "_Alignas",
    "__typeof__",
    "sizeof",
    "defined",
}


@dataclass(frozen=True)
class Function:
    """A declaration or definition outside any braces. words: its tokens, and those of the macros in it."""

    name: str
    line: int
    words: frozenset[str]
    defines: bool

    @property
    def is_local(self) -> bool:
        return "static" in self.words

    @property
    def is_exported(self) -> bool:
        return {"visibility", '"default"'} <= self.words


Macros = Mapping[str, frozenset[str]]  # a macro -> the tokens of its body and of the macros in it


def functions(text: str, path: str, macros: Macros) -> Iterator[Function]:
    """The functions that a file declares and defines. macros: see `macros_of`."""
    depth, held = 0, list[Token]()
    for line in csource.logical_lines(text, path):
        for token in () if line.directive else line.tokens:
            if token.text == "{" and depth == 0:
                yield from _function(held, macros, defines=True)
            elif token.text == ";" and depth == 0:
                yield from _function(held, macros, defines=False)
            depth += {"{": 1, "}": -1}.get(token.text, 0)
            held = [] if depth > 0 or token.text in "};" else [*held, token]


def _function(tokens: Sequence[Token], macros: Macros, *, defines: bool) -> Iterator[Function]:
    texts = [token.text for token in tokens]
    if "typedef" in texts or "=" in texts:
        return
    for index, token in enumerate(tokens[:-1]):
        if texts[index + 1] != "(" or token.kind != "word" or token.text in _NOT_A_NAME:
            continue
        if _depth(texts[:index]) == 0 and token.text not in macros:
            yield Function(token.text, token.line, _words(texts, macros), defines)
            return


def _depth(texts: Sequence[str]) -> int:
    return texts.count("(") - texts.count(")")


def _words(texts: Sequence[str], macros: Macros) -> frozenset[str]:
    return frozenset(texts).union(*(macros[text] for text in texts if text in macros))


def macros_of(files: c_folders.Files) -> Macros:
    """The macros of all files."""
    lines = (line for path, text in files.texts.items() for line in csource.logical_lines(text, path))
    bodies = {
        line.tokens[2].text: {token.text for token in line.tokens[3:]}
        for line in lines
        if line.directive == "define" and len(line.tokens) > 2
    }
    return {name: frozenset(_expanded(name, bodies)) for name in bodies}


def _expanded(name: str, bodies: Mapping[str, set[str]]) -> set[str]:
    found, waiting = set[str](), [name]
    while waiting:
        new = bodies.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def misplaced(files: c_folders.Files) -> Iterator[str]:
    """A message for each function without a declaration in its own header, and for each that another C file
    declares."""
    macros = macros_of(files)
    found = {path: list(functions(text, path, macros)) for path, text in files.texts.items()}
    declared: dict[str, set[str]] = {}
    for path, those in found.items():
        for one in those if path.endswith(".h") else ():
            declared.setdefault(one.name, set()).add(path)
    with_headers = {path.rpartition("/")[0] for path in files.texts if path.endswith(".h")}
    defined = {
        one.name: path
        for path, those in found.items()
        for one in those
        if path.endswith(".c") and one.defines and not one.is_local
    }
    for path, those in found.items():
        if path.endswith(".h") or path.rpartition("/")[0] not in with_headers:
            continue
        if any(one.name == "main" and one.defines for one in those):
            continue
        yield from _of_file(path, those, files, declared, defined)


def _of_file(
    path: str,
    those: Sequence[Function],
    files: c_folders.Files,
    declared: Mapping[str, set[str]],
    defined: Mapping[str, str],
) -> Iterator[str]:
    own = f"{c_folders.unit_of(path, files)}.h"
    exported = {one.name for one in those if one.is_exported}
    for one in those:
        place, headers = files.place(path, one.line), declared.get(one.name, set())
        if not one.defines and defined.get(one.name, path) != path:
            yield f"{place}'{one.name}' is defined in {defined[one.name]}: include a header that declares it"
        if not one.defines or one.is_local or own in headers:
            continue
        public = {header for header in headers if "/" not in header}
        if one.name in exported and (public or not headers):
            continue
        where = f"it is declared in {', '.join(sorted(headers))}" if headers else "no header declares it"
        yield f"{place}'{one.name}' is to be declared in {own}, or static: {where}"
