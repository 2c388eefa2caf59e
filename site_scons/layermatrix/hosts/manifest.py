"""The manifest of a bundle: the steps, the files, and the kind of host that can run it.

Pure data. `bundle` writes it into a bundle as JSON, and `host_main` reads it on the host, so this module uses
only the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from layermatrix.core import records
from layermatrix.core.decoding import decode

FORMAT, VERSION = "layermatrix-bundle", 1
FILE = "manifest.json"  # in the bundle
FILES = "files/"  # in the bundle: the folder of the files; their paths are those in the project


class ManifestError(ValueError):
    """The text is no manifest of this version; str() is the reason."""


@dataclass(frozen=True)
class HostNeeds:
    """The kind of host that can run the files. libc: its name, such as glibc; empty if any will do.
    libc_least: its oldest version."""

    architecture: str
    os: str = "Linux"
    libc: str = ""
    libc_least: str = ""
    python_least: str = "3.10"


@dataclass(frozen=True)
class StepEntry:
    """One step. kind, version: of its record. module: the module that takes the record. commands to wants:
    what the request runs, for readers; see `evidence.hosted.Outline`. request: what the module gets, as
    JSON."""

    name: str
    kind: str
    version: int
    module: str
    commands: tuple[tuple[str, ...], ...]
    environment: Mapping[str, str]
    timeouts: Mapping[str, float]
    needs: Mapping[str, str]
    wants: Mapping[str, str]
    request: str


@dataclass(frozen=True)
class File:
    """A file of the bundle. sha256: of its content. program: whether it may be executed. link: if set, the
    file is a symbolic link with this text."""

    sha256: str = ""
    program: bool = False
    link: str = ""


@dataclass(frozen=True)
class Manifest:
    """cells: the cells that the records belong to. resources: what a worker must have free, such as bench.
    modules: the Python files with their SHA-256."""

    cells: tuple[str, ...]
    host: HostNeeds
    steps: tuple[StepEntry, ...]
    files: Mapping[str, File] = field(default_factory=dict)
    modules: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, float] = field(default_factory=dict)


def text(manifest: Manifest) -> str:
    """The manifest as JSON, for people and for hosts. Equal manifests give equal texts."""
    plain = records.plain(manifest)
    for step in plain["steps"]:
        step["request"] = json.loads(step["request"])
    whole = {"format": FORMAT, "version": VERSION, **plain}
    return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def parse(content: str) -> Manifest:
    """The manifest in this text. Raises ManifestError."""
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"the manifest is not JSON: {error}") from error
    if not isinstance(whole, dict) or whole.pop("format", None) != FORMAT:
        raise ManifestError(f"the manifest does not say that it is a {FORMAT}")
    version = whole.pop("version", None)
    if version != VERSION:
        raise ManifestError(f"the manifest has version {version}, not {VERSION}; build the bundle again")
    try:
        for step in whole.get("steps", []):
            step["request"] = json.dumps(step["request"], ensure_ascii=False)
        return decode(Manifest, whole)
    except (ValueError, KeyError, TypeError) as error:
        raise ManifestError(f"the manifest is damaged: {error}") from error
