"""Find the libraries that are timed beside ours, and name the package of a missing library.

The field `found_in` of a peer decides where to look: in the loader's list, in a package of the running
Python, or among clang's runtime libraries.
"""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from layermatrix.core import process
from layermatrix.model.measuring import FoundIn, Peer

_SECONDS = 60.0  # time limit for a tool's answer
SOURCES = {FoundIn.LOADER: "Debian", FoundIn.PYTHON: "PyPI", FoundIn.CLANG: "Debian"}  # origins


@dataclass(frozen=True)
class SearchPaths:
    """The search paths of libraries on this machine. listing: the output of `ldconfig -p`; python, clang:
    folders."""

    listing: str = ""
    python: tuple[Path, ...] = ()
    clang: tuple[Path, ...] = ()


def search_paths(run: process.Run = process.run) -> SearchPaths:
    """The search paths of this machine. A place is empty if its tool cannot be run."""
    packages = dict.fromkeys(Path(sysconfig.get_path(name)) for name in ("purelib", "platlib"))
    return SearchPaths(_listing(run), tuple(packages), tuple(_clang_folders(run)))


def find(peer: Peer, where: SearchPaths) -> Path | None:
    """The peer's file; None if it is not installed."""
    if peer.found_in is FoundIn.LOADER:
        return _known_to_loader(peer.file, where.listing)
    folders = where.python if peer.found_in is FoundIn.PYTHON else where.clang
    return next((folder / peer.file for folder in folders if (folder / peer.file).is_file()), None)


def missing(peer: Peer) -> str:
    """The message about a library that is not installed."""
    return f"{peer.file} is not installed ({SOURCES[peer.found_in]}: {peer.package})"


def _known_to_loader(file: str, listing: str) -> Path | None:
    for line in listing.splitlines():
        name, arrow, path = line.partition("=>")
        if arrow and name.split()[:1] == [file] and Path(path.strip()).is_file():
            return Path(path.strip())
    return None


def _listing(run: process.Run) -> str:
    tool = shutil.which("ldconfig") or shutil.which("ldconfig", path="/usr/sbin:/sbin")
    return _said(run, tool, "-p") if tool else ""


def _clang_folders(run: process.Run) -> Iterable[Path]:
    """The folders of clang's runtime libraries: first that of the command `clang`, then Debian's, newest
    first."""
    tool = shutil.which("clang")
    own = _said(run, tool, "-print-resource-dir").strip() if tool else ""
    if own:
        yield Path(own, "lib", "linux")
    yield from sorted(Path("/usr/lib").glob("llvm-*/lib/clang/*/lib/linux"), reverse=True)


def _said(run: process.Run, tool: str, option: str) -> str:
    return process.text(run([tool, option], environment=process.environment(), timeout=_SECONDS).stdout)
