"""What a step in Python depends on: the modules of this library that it imports, directly or not.

Reads the library's own files. An import inside a function counts, one under `if TYPE_CHECKING:` does not. So
nobody lists the modules of a step: when one of them changes, what the step has made is out of date, and a
change of any other module leaves it alone.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[1]


class Library:
    """A package, by its folder; its name is the folder's."""

    def __init__(self, folder: Path = LIBRARY) -> None:
        self.folder = folder
        self._imports: dict[Path, frozenset[Path]] = {}
        self._contents: dict[Path, bytes] = {}
        self._digests: dict[str, str] = {}

    def closure(self, module: str) -> list[Path]:
        """The files of a module (package.sub.name) and of all that it imports, in order of their paths."""
        found: set[Path] = set()
        waiting = set(self._files(module))
        while waiting:
            file = waiting.pop()
            found.add(file)
            waiting |= self._imported(file) - found
        return sorted(found)

    def digest(self, module: str) -> str:
        """Changes with the contents of any file of the closure."""
        if module not in self._digests:
            self._digests[module] = self._digest(module)
        return self._digests[module]

    def _digest(self, module: str) -> str:
        digest = hashlib.sha256()
        for file in self.closure(module):
            digest.update(file.relative_to(self.folder).as_posix().encode() + b"\0")
            digest.update(self._read(file) + b"\0")
        return digest.hexdigest()

    def _files(self, module: str) -> list[Path]:
        """The file of a module, and those of the packages that it is in; none for a module of others."""
        top, *names = module.split(".")
        if top != self.folder.name:
            return []
        packages = [self.folder.joinpath(*names[:depth], "__init__.py") for depth in range(len(names) + 1)]
        plain = self.folder.joinpath(*names).with_suffix(".py") if names else packages[0]
        *around, package = packages
        own = package if package.is_file() else plain
        return [file for file in (*around, own) if file.is_file()]

    def _imported(self, file: Path) -> frozenset[Path]:
        """What this file imports itself."""
        if file not in self._imports:
            names = _imports(ast.parse(self._read(file), str(file)).body)
            self._imports[file] = frozenset(found for name in names for found in self._files(name))
        return self._imports[file]

    def _read(self, file: Path) -> bytes:
        if file not in self._contents:
            self._contents[file] = file.read_bytes()
        return self._contents[file]


_STATEMENTS = (ast.stmt, ast.ExceptHandler, ast.match_case)  # and what they stand in; expressions hold none


def _imports(statements: Iterable[ast.stmt]) -> Iterator[str]:
    """The names that these statements import; of `from a import b` also `a.b`, which may be a module."""
    waiting: list[ast.AST] = list(statements)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            waiting += node.orelse
        else:
            waiting += (child for child in ast.iter_child_nodes(node) if isinstance(child, _STATEMENTS))


@cache
def library() -> Library:
    """This library, read once in a run of the build."""
    return Library()
