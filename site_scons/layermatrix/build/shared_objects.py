"""Objects that several cells share: compiled once, and copied into each cell that would compile the same.

Reads and writes build/.shared. An object is named by the digest of what SCons knows of it: the command
without the cell's folder, the compiler's identity, and the contents of the project's files that it includes.
SCons does not look for headers of the system. So the compiler lists every file that it reads, and beside each
object is a list of the others with their digests; an object is shared only while all of them are as they
were. A new header that the compiler would find before one in the list is not noticed.

An object that includes a file of its cell, such as the generated header, is never shared, so that no path of
another cell gets into it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shlex
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping
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
    " -M",  # the project wants a list of its own
)  # more than an object
HEADERS = ".headers"  # suffix of the list beside an object
Run = Callable[[str], "tuple[int, str]"]  # a command line -> its exit status and its output


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
        self._digests: dict[tuple[str, int, int], str] = {}  # of path, time (ns) and size
        self._lock, self._has_room = threading.Lock(), False

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
        """Copy the shared object to this file, if there is one that was made from the headers of today."""
        source, listed = self._file(key), self._file(key + HEADERS)
        try:
            if not self._are_as_listed(listed.read_text(encoding="utf-8", errors="surrogateescape")):
                return False
            _copy(source, target)
            for path in (source, listed):
                os.utime(path)  # it is in use
        except OSError:
            return False
        with (
            contextlib.suppress(OSError),
            (self._cell_of(target) / SAVED).open("a", encoding="utf-8", errors="replace") as file,
        ):
            file.write(f"{target}\n")
        return True

    def compile(self, key: str, line: str, recipe: Recipe, made: Path, run: Run) -> tuple[int, str]:
        """Run a compiler's command, and keep the object for other cells. An object with warnings is not kept,
        because they must be seen in each cell. A full disk does not fail the build."""
        listing = self._draft(key)
        try:
            listing.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            return run(line)
        begin = time.time_ns()
        try:
            status, log = run(f"{line} -MD -MF {shlex.quote(os.fspath(listing))}")
            if status == 0 and not log:
                with contextlib.suppress(OSError):
                    self._store(key, made, recipe, dependencies(listing), begin)
        finally:
            with contextlib.suppress(OSError):
                listing.unlink(missing_ok=True)
        return status, log

    def _store(self, key: str, made: Path, recipe: Recipe, read: Iterable[str], begin: int) -> None:
        """Keep an object, and the list of the files that the compiler has read and SCons does not know.
        begin: when the compiler started, in nanoseconds; it may have read a later change or not."""
        known = {os.path.normpath(path) for path, _ in recipe.inputs if path}
        others = sorted({os.path.normpath(path) for path in read} - known)
        own = f"{os.path.normpath(recipe.folder)}/"
        if any(path.startswith(own) or Path(path).stat().st_mtime_ns >= begin for path in others):
            return
        self._make_room()
        lines = [f"{self._digest(path)} {path}\n" for path in others]
        self._file(key + HEADERS).unlink(missing_ok=True)  # an object never has the list of another one
        _copy(made, self._file(key))
        listed, draft = self._file(key + HEADERS), self._draft(key + HEADERS)
        draft.write_text("".join(lines), encoding="utf-8", errors="surrogateescape")
        draft.replace(listed)

    def _are_as_listed(self, text: str) -> bool:
        """Whether the files of a list are there, with the contents of then. Raises OSError if one is not."""
        pairs = (line.split(" ", 1) for line in text.splitlines())
        return all(self._digest(path) == digest for digest, path in pairs)

    def _digest(self, path: str) -> str:
        """The digest of a file's contents. Computed again only if the file was changed."""
        facts = Path(path).stat()
        key = (path, facts.st_mtime_ns, facts.st_size)
        if key not in self._digests:
            self._digests[key] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        return self._digests[key]

    def _draft(self, name: str) -> Path:
        """A file that no other process or thread uses."""
        return self._file(name).with_name(f".{name}.{os.getpid()}.{threading.get_ident()}")

    def _make_room(self) -> None:
        """Remove old objects, before this run adds its first one."""
        with self._lock:
            first, self._has_room = not self._has_room, True
        if first:
            self.prune()

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


def dependencies(listing: Path) -> list[str]:
    """The files in a compiler's list, which is a rule of make. Raises OSError if there is no list."""
    text = listing.read_text(encoding="utf-8", errors="surrogateescape").replace("\\\n", " ")
    words = re.findall(r"(?:\\[ #:]|\$\$|[^\s])+", text)
    first = next((place for place, word in enumerate(words) if word.endswith(":")), -1)
    return [re.sub(r"\\([ #:])", r"\1", word).replace("$$", "$") for word in words[first + 1 :]]


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
