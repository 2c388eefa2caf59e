"""The resolved project, cached between builds.

Reads and writes build/.project. Reading and checking the YAML files takes half of a build with nothing to do,
mostly for imports. The result is therefore cached until a spec file, or a module that reads one, changes. The
files that the specs name are looked for in every build.

The cache is a pickle. Loading it creates only records of `layermatrix.model`; a file that contains anything
else, is damaged, or has another version is ignored. Someone who can write to build/ can also change what is
compiled, so the pickle adds no risk.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import hashlib
import importlib.util
import io
import pickle
import sys
from pathlib import Path
from typing import Any

from layermatrix.build.dependencies import Library
from layermatrix.core import records
from layermatrix.model.project import Project
from layermatrix.spec import disk

STORE = Path("build/.project")
SPECS = "variants"
READER = "layermatrix.spec.loader"
PACKAGES = ("yaml",)  # that the reader uses
MOST_BYTES = 1 << 21  # more than the loader accepts
MODEL = Project.__module__.rpartition(".")[0] + "."


def load_project(root: Path, sources: str, library: Library) -> Project:
    """The result of `spec.loader` for the project in this folder. Raises SpecErrors with every mistake."""
    store, key = root / STORE, _key(root, sources, library)
    found = _read(store, key, disk.Files(root, sources))
    if found:
        return found
    from layermatrix.spec import loader  # imports yaml

    files = disk.Files(root, sources)
    loaded = loader.load_project(root, sources, files)
    with contextlib.suppress(OSError):  # without write access, each call reads the files again
        records.write_bytes(store, sealed(key, pickle.dumps((loaded, files.answers), protocol=5)))
    return loaded


def _key(root: Path, sources: str, library: Library) -> str:
    """A key that changes with every input of the project: the spec files, the code that reads them, and the
    versions of Python and the libraries that this code uses."""
    digest = hashlib.sha256(f"{sys.version} {sources} {library.digest(READER)}\n".encode())
    for package in PACKAGES:
        found = importlib.util.find_spec(package)
        if found and found.origin:
            digest.update(f"{found.origin} {Path(found.origin).stat().st_mtime_ns}\n".encode())
    folder = root / SPECS
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        text = _text(path) if path.suffix == ".yaml" else b""
        digest.update(f"{path.name!r} {len(text)}\n".encode() + text)
    return digest.hexdigest()


def _text(path: Path) -> bytes:
    """The contents of a file. Unreadable and oversized files are never cached, so their contents do not
    matter."""
    try:
        with path.open("rb") as stream:
            return stream.read(MOST_BYTES)
    except OSError:
        return b""


def sealed(key: str, content: bytes) -> bytes:
    """The cache file's bytes: a line that shows whether the rest is complete and has this key, then the
    rest."""
    return f"{key} {hashlib.sha256(content).hexdigest()}\n".encode() + content


def _read(store: Path, key: str, files: disk.Files) -> Project | None:
    try:
        _, _, content = (whole := store.read_bytes()).partition(b"\n")
        if whole != sealed(key, content):
            return None
        found, answers = _Records(io.BytesIO(content)).load()
        same = all(files.ask(*asked) == answer for asked, answer in answers.items())
        return found if isinstance(found, Project) and same else None
    except Exception:  # reading a damaged pickle, or a file that it names, may raise anything
        return None


class _Records(pickle.Unpickler):
    """Creates records and enumerations of the model, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("builtins", "getattr"):  # with this, Python 3.11.0 to 3.11.3 names a member
            return _member
        found = getattr(sys.modules.get(module), name, None) if module.startswith(MODEL) else None
        if isinstance(found, type) and (dataclasses.is_dataclass(found) or issubclass(found, enum.Enum)):
            return found
        raise pickle.UnpicklingError(f"{module}.{name} is no record")


def _member(kind: type[enum.Enum], name: str) -> enum.Enum:
    if not (isinstance(kind, type) and issubclass(kind, enum.Enum)):
        raise pickle.UnpicklingError(f"{kind!r} is no enumeration")
    return kind[name]
