"""Write and check a bundle: one file with everything that a host needs to take the evidence of a cell.

A bundle is a zip application. It holds the manifest, the files of the cell at their paths in the project, and
the Python modules that the steps need. Equal inputs give equal bytes, so the digest of the file names the
result. (Another version of zlib may compress to other bytes, and so give another name.)
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from layermatrix.build import dependencies
from layermatrix.core import records
from layermatrix.evidence.hosted import Hosted
from layermatrix.hosts import cell_result, host_main, manifest
from layermatrix.hosts.manifest import FILE, FILES, File, HostNeeds, Manifest, ManifestError, StepEntry

Q = TypeVar("Q")
NAME = cell_result.BUNDLE
SHEBANG = b"#!/usr/bin/env python3\n"
TIME = (1980, 1, 1, 0, 0, 0)  # of every entry: the oldest that a zip file can hold
COMPRESSION = 6
MAIN = f'''"""Run this bundle; {host_main.__name__} does the work."""

import sys

try:
    from {host_main.__name__} import main
except Exception as error:
    sys.exit(f"{{sys.argv[0]}}: the bundle is damaged, or this Python is too old: {{error}}")
sys.exit(main(__loader__.archive, __loader__, sys.argv[1:]))
'''


class BundleError(ValueError):
    """The file is no bundle that can be used; str() is the reason in one line."""


@dataclass(frozen=True)
class Step(Generic[Q]):
    """One step of a bundle: its name, what takes it, and its request."""

    name: str
    hosted: Hosted[Q]
    request: Q


AnyStep = Step[Any]  # each has its own request type


@dataclass(frozen=True)
class Content:
    """What a bundle holds. files: path in the project -> the file here. links: path -> the text of a symbolic
    link. resources: what a worker must have free."""

    cells: tuple[str, ...]
    host: HostNeeds
    steps: Sequence[AnyStep]
    files: Mapping[str, Path]
    links: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, float] = field(default_factory=dict)


def build(content: Content, library: dependencies.Library | None = None) -> bytes:
    """The bytes of the bundle. library: gives the modules; reading them takes time, so a caller that builds
    many bundles passes it."""
    modules = _modules(library or dependencies.Library(), content.steps)
    files = {name: path.read_bytes() for name, path in content.files.items()}
    described = {
        name: File(_digest(data), _is_program(content.files[name])) for name, data in sorted(files.items())
    }
    described |= {name: File(link=text) for name, text in sorted(content.links.items())}
    made = Manifest(
        cells=content.cells,
        host=content.host,
        steps=tuple(_entry(step) for step in content.steps),
        files=described,
        modules={name: _digest(data) for name, data in modules.items()},
        resources=content.resources,
    )
    members = {FILE: manifest.text(made).encode(), "__main__.py": MAIN.encode(), **modules}
    return _zipped({**members, **{FILES + name: data for name, data in files.items()}})


def write(path: Path, content: Content, library: dependencies.Library | None = None) -> str:
    """Write the bundle atomically, and return its digest."""
    data = build(content, library)
    records.write_bytes(path, data)
    path.chmod(0o755)
    return _digest(data)


def _entry(step: AnyStep) -> StepEntry:
    shown = step.hosted.outline(step.request)
    return StepEntry(
        name=step.name,
        kind=step.hosted.kind,
        version=step.hosted.version,
        module=step.hosted.module,
        commands=tuple(tuple(command) for command in shown.commands),
        environment=shown.environment,
        timeouts=shown.timeouts,
        needs=shown.needs,
        wants=shown.wants,
        request=records.text(step.request),
    )


def _modules(library: dependencies.Library, steps: Sequence[AnyStep]) -> dict[str, bytes]:
    """The Python files that the steps and the main program import, at their paths in the bundle."""
    names = [host_main.__name__, *(step.hosted.module for step in steps)]
    paths = sorted({path for name in names for path in library.closure(name)})
    return {path.relative_to(library.folder.parent).as_posix(): path.read_bytes() for path in paths}


def _zipped(members: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    stream.write(SHEBANG)
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION) as made:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, TIME)
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, 3  # Unix
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            made.writestr(entry, members[name])
    return stream.getvalue()


def _is_program(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IXUSR)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def digest(path: Path) -> str:
    """The digest of a bundle, which names its result."""
    return _digest(path.read_bytes())


# --- reading


def read(path: Path) -> Manifest:
    """The manifest of a bundle. Raises BundleError, which names the file."""
    with _opened(path) as archive:
        return _manifest(path, archive)


def check(path: Path) -> Manifest:
    """The manifest of a bundle whose every member has the content that the manifest names. Raises
    BundleError."""
    with _opened(path) as archive:
        found = _manifest(path, archive)
        sums = dict(found.modules)
        sums |= {FILES + name: file.sha256 for name, file in found.files.items() if not file.link}
        for name, wanted in sums.items():
            if _digest(_member(path, archive, name)) != wanted:
                raise BundleError(f"{path}: the bundle is damaged: {name}; build it again")
        return found


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror or error}") from error
    except zipfile.BadZipFile as error:
        raise BundleError(f"{path}: no bundle, or a damaged one: {error}") from error


def _manifest(path: Path, archive: zipfile.ZipFile) -> Manifest:
    try:
        return manifest.parse(_member(path, archive, FILE).decode())
    except (ManifestError, UnicodeDecodeError) as error:
        raise BundleError(f"{path}: {error}") from error


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        return archive.read(name)
    except KeyError as error:
        raise BundleError(f"{path}: no bundle: it has no {name}") from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
        raise BundleError(f"{path}: the bundle is damaged: {name}: {error}; build it again") from error
