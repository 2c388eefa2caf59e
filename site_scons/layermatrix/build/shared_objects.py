"""Objects that several cells share: compiled once, and copied into each cell that would compile the same.

Reads and writes build/.shared, one file for each object, named by the digest of all that it depends on: the
command without the cell's folder, the compiler's identity, and the contents of every file that it includes.
An object that includes a file of its cell, such as the generated header, is never shared, so that no path of
another cell gets into it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path("build/.shared")
SAVED = ".saved"  # in a cell's folder: the objects that it got from others, one a line
MOST_BYTES = 500 * 1024 * 1024
VARIABLES = ("CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "SOURCE_DATE_EPOCH")  # compilers read these
OWN_FILES = (
    "-gsplit-dwarf",
    "--coverage",
    "-fprofile",
    "-ftest-coverage",
    "-save-temps",
)  # more than an object


@dataclass(frozen=True)
class Recipe:
    """What an object is made from. folder: the cell's folder, as the command names it. inputs: path and
    digest of each file that it depends on."""

    folder: str
    inputs: tuple[tuple[str, str], ...]


class SharedObjects:
    """The shared objects of a project. root: its folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def key(self, line: str, recipe: Recipe, variables: Mapping[str, str]) -> str | None:
        """The name of the object that this command makes; None if it is not shared."""
        prefix = f"{recipe.folder}/"
        if any(path.startswith(prefix) for path, _ in recipe.inputs) or any(
            word in line for word in OWN_FILES
        ):
            return None
        own = [f"{name}={variables.get(name, '')}" for name in VARIABLES]
        parts = [
            line.replace(prefix, "<cell>/"),
            *own,
            *(f"{path} {digest}" for path, digest in recipe.inputs),
        ]
        return hashlib.sha256("\n".join(parts).encode(errors="surrogateescape")).hexdigest()

    def fetch(self, key: str, target: Path) -> bool:
        """Copy the shared object to this file, if there is one."""
        source = self._file(key)
        try:
            _copy(source, target)
            os.utime(source)  # it is in use
        except OSError:
            return False
        with (
            contextlib.suppress(OSError),
            (self._cell_of(target) / SAVED).open("a", encoding="utf-8", errors="replace") as file,
        ):
            file.write(f"{target}\n")
        return True

    def store(self, key: str, made: Path) -> None:
        """Keep this object for other cells. A full disk does not fail the build."""
        with contextlib.suppress(OSError):
            self._file(key).parent.mkdir(parents=True, exist_ok=True)
            _copy(made, self._file(key))

    def prune(self, most: int = MOST_BYTES) -> None:
        """Remove the objects that were not used for the longest time, beyond so many bytes."""
        facts: list[tuple[os.stat_result, Path]] = []
        for path in (self.root / FOLDER).glob("*/*"):
            with contextlib.suppress(OSError):  # another run has removed it
                facts.append((path.stat(), path))
        facts.sort(key=lambda pair: -pair[0].st_mtime)
        total = 0
        for fact, path in facts:
            total += fact.st_size
            if total > most:
                path.unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        return self.root / FOLDER / key[:2] / key

    def _cell_of(self, target: Path) -> Path:
        """The folder build/<cell> of a file."""
        return self.root / "build" / target.absolute().relative_to(self.root / "build").parts[0]


def _copy(source: Path, target: Path) -> None:
    """Copy a file so that no other process sees half of it."""
    draft = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        shutil.copyfile(source, draft)
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def saved(folders: Iterable[Path]) -> int:
    """The number of objects in these cells that were not compiled for them."""
    count = 0
    for folder in folders:
        with contextlib.suppress(OSError):
            count += len({*(folder / SAVED).read_text(encoding="utf-8", errors="replace").splitlines()})
    return count
