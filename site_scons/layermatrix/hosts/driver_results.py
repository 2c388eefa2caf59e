"""The folder of results: one file for each bundle, named after the bundle's digest.

A result is written whole or not at all, and never written over: a second result of the same bundle is
compared with the first one and dropped. So results of several machines are merged by copying their files
together, and a run that was killed goes on.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

FORMAT = "layermatrix-result"
VERSION = 1
# What differs between two runs of the same bundle: when and where it ran, and what a clock measured.
OF_ONE_RUN = frozenset({"host", "started", "finished", "seconds", "usage", "log"})


class DamagedError(Exception):
    """A file is not the result of its bundle; str() says why."""


class Results:
    """The results in this folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def file(self, digest: str) -> Path:
        return self.folder / f"{digest}.json"

    def has(self, digest: str) -> bool:
        """Whether there is a whole result of this bundle. A damaged one is removed."""
        file = self.file(digest)
        try:
            check(file.read_bytes(), digest)
        except FileNotFoundError:
            return False
        except DamagedError:
            file.unlink(missing_ok=True)
            return False
        return True

    def add(self, digest: str, content: bytes) -> str | None:
        """Write a result. Of a bundle that has one, the new one is dropped: returns how they differ; an empty
        text if they agree, and None if the result is new. Raises DamagedError if it is none."""
        check(content, digest)
        file = self.file(digest)
        if self._write_new(file, content):
            return None
        try:
            first = file.read_bytes()
            check(first, digest)
        except (FileNotFoundError, DamagedError):  # the new one replaces a damaged one
            self._replace(file, content)
            return None
        return difference(first, content)

    def _write_new(self, file: Path, content: bytes) -> bool:
        """Write a file that must not exist; whether it did not. Another driver may write the same one."""
        made = self._temporary(file, content)
        try:
            os.link(made, file)
        except FileExistsError:
            return False
        except (
            OSError
        ):  # a file system without links: between the two calls, another driver may write it, too
            if file.exists():
                return False
            made.replace(file)
        finally:
            made.unlink(missing_ok=True)
        return True

    def _replace(self, file: Path, content: bytes) -> None:
        self._temporary(file, content).replace(file)

    def _temporary(self, file: Path, content: bytes) -> Path:
        made = file.with_name(f".{file.name}.{os.getpid()}-{threading.get_ident()}")
        try:
            made.write_bytes(content)
        except OSError:
            with contextlib.suppress(OSError):
                made.unlink()
            raise
        return made


def check(content: bytes, digest: str) -> None:
    """Raise DamagedError unless this is a whole result of the bundle."""
    try:
        value = json.loads(content)
    except ValueError:
        raise DamagedError("it is not JSON") from None
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise DamagedError("it is no result of a bundle")
    if value.get("version") != VERSION:
        raise DamagedError(f"its version is {value.get('version')}, not {VERSION}")
    if value.get("bundle") != digest:
        raise DamagedError("it is the result of another bundle")
    if not isinstance(value.get("steps"), list):
        raise DamagedError("it has no steps")


def deterministic(value: object) -> object:
    """The part of a result that every run of the bundle on the same kind of host repeats."""
    if isinstance(value, Mapping):
        return {key: deterministic(one) for key, one in value.items() if key not in OF_ONE_RUN}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [deterministic(one) for one in value]
    return value


def difference(first: bytes, second: bytes) -> str:
    """Where the deterministic parts of two results differ; empty if they agree."""
    return _difference(deterministic(json.loads(first)), deterministic(json.loads(second)), "result")


def _difference(first: object, second: object, where: str) -> str:
    if first == second:
        return ""
    if isinstance(first, dict) and isinstance(second, dict):
        pairs = [(f"{where}.{key}", first.get(key), second.get(key)) for key in sorted(first | second)]
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        pairs = [(f"{where}[{place}]", *both) for place, both in enumerate(zip(first, second, strict=True))]
    else:
        return where
    return next(found for found in (_difference(a, b, name) for name, a, b in pairs) if found)
