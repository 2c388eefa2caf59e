"""Find what a Python step depends on: the modules of this library that it imports, directly or indirectly.

Reads the library's own files. An import inside a function counts; an import under `if TYPE_CHECKING:` does
not. So the modules of a step need not be listed by hand. When one of them changes, the step's output is out
of date; a change of any other module does not affect it.

Parsing about a hundred modules takes a large part of a build that has nothing to do. build/.modules.json
therefore caches the imports and a digest of each file, until the file's time or size changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from layermatrix.core import records

LIBRARY = Path(__file__).resolve().parents[1]
STORE = Path("build/.modules.json")


@dataclass(frozen=True)
class Module:
    """A file: the stamp of its last reading, a digest of its text, and the names that it imports."""

    stamp: str
    digest: str
    imports: tuple[str, ...]


class Library:
    """A package, given by its folder, whose name is the package's. store: the cache file."""

    def __init__(self, folder: Path = LIBRARY, store: Path | None = None) -> None:
        self.folder, self.store = folder, store
        self._known = _remembered(store) if store else {}
        self._digests: dict[str, str] = {}
        self._direct: dict[str, frozenset[str]] = {}

    def closure(self, module: str) -> list[Path]:
        """The files of a module (package.sub.name) and of everything that it imports, sorted by path."""
        return [self.folder / file for file in self._closure(module)]

    def digest(self, module: str) -> str:
        """A key that changes with the contents of any file of the closure."""
        if module not in self._digests:
            texts = (f"{file}\0{self._module(file).digest}\n" for file in self._closure(module))
            self._digests[module] = hashlib.sha256("".join(texts).encode()).hexdigest()
        return self._digests[module]

    def _closure(self, module: str) -> list[str]:
        before = dict(self._known)
        found: set[str] = set()
        waiting = set(self._files(module))
        while waiting:
            file = waiting.pop()
            found.add(file)
            waiting |= self._imported(file) - found
        if self.store and self._known != before:
            with contextlib.suppress(OSError):  # without write access, each run parses the modules again
                records.write(self.store, {name: vars(one) for name, one in self._known.items()})
        return sorted(found)

    @cached_property
    def _stamps(self) -> dict[str, str]:
        """Every file of the library, relative to its folder, with a stamp that changes when the file is
        written."""
        return dict(_walk(self.folder, ""))

    def _imported(self, file: str) -> frozenset[str]:
        """The modules that this file imports directly."""
        if file not in self._direct:
            names = self._module(file).imports
            self._direct[file] = frozenset(one for name in names for one in self._files(name))
        return self._direct[file]

    def _files(self, module: str) -> list[str]:
        """The file of a module, and the files of its parent packages; none for a module of another
        library."""
        top, *names = module.split(".")
        if top != self.folder.name:
            return []
        folders = ["/".join(names[:depth]) for depth in range(len(names) + 1)]
        packages = [f"{folder}/__init__.py".lstrip("/") for folder in folders]
        own = packages[-1] if packages[-1] in self._stamps else f"{folders[-1]}.py"
        return [file for file in (*packages[:-1], own) if file in self._stamps]

    def _module(self, file: str) -> Module:
        known = self._known.get(file)
        if known is None or known.stamp != self._stamps[file]:
            text = (self.folder / file).read_bytes()
            digest = hashlib.sha256(text).hexdigest()
            known = self._known[file] = Module(self._stamps[file], digest, tuple(_imports(text, file)))
        return known


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, str]]:
    """The Python files in a folder and its subfolders, with their stamps."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _walk(Path(entry.path), f"{prefix}{entry.name}/")
            elif entry.name.endswith(".py"):
                facts = entry.stat()
                yield f"{prefix}{entry.name}", f"{facts.st_mtime_ns} {facts.st_ctime_ns} {facts.st_size}"


def _imports(text: bytes, file: str) -> Iterator[str]:
    """The names that this text imports. `from a import b` also gives `a.b`, which may be a module."""
    import ast  # needed only if a file has changed

    statements = (ast.stmt, ast.ExceptHandler, ast.match_case)  # expressions contain no imports
    waiting: list[ast.AST] = [ast.parse(text, file)]
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
            waiting += (child for child in ast.iter_child_nodes(node) if isinstance(child, statements))


def _remembered(store: Path) -> dict[str, Module]:
    """The cached entries. Empty if the file is missing or damaged, which only costs time."""
    try:
        known = json.loads(store.read_text(encoding="utf-8"))
        return {
            name: Module(str(one["stamp"]), str(one["digest"]), tuple(map(str, one["imports"])))
            for name, one in known.items()
        }
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return {}


@cache
def library(root: Path) -> Library:
    """This library, read once per run, for the build of the project in this folder."""
    return Library(LIBRARY, root / STORE)
