"""The results that a driver collects: one file for each bundle, named after the bundle's digest.

A result is written whole or not at all, and never written over: a second result of the same bundle is
compared with the first one and dropped. So results of several machines are merged by copying their files
together, and a run that was killed goes on.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

from layermatrix.evidence import determinism
from layermatrix.hosts import results
from layermatrix.hosts.results import Result, ResultError


class Results:
    """The results in the project of this folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def folder(self) -> Path:
        return self.root / results.FOLDER

    def file(self, digest: str) -> Path:
        return results.path(self.root, digest)

    def has(self, digest: str) -> bool:
        """Whether there is a good result of this bundle. A damaged one is removed."""
        file = self.file(digest)
        try:
            return results.read(file, digest) is not None
        except ResultError:
            file.unlink(missing_ok=True)
            return False

    def add(self, digest: str, content: bytes) -> str | None:
        """Write a result. Of a bundle that has one, the new one is dropped: returns how they differ; an empty
        text if they agree, and None if the result is new. Raises ResultError if the new one is damaged."""
        new, file = results.parse(content, digest), self.file(digest)
        if self._write_new(file, content):
            return None
        try:
            old = results.read(file, digest)
        except ResultError:
            old = None
        if old is None:  # the new one replaces a damaged one
            self._temporary(file, content).replace(file)
            return None
        return difference(old, new)

    def _write_new(self, file: Path, content: bytes) -> bool:
        """Write a file that must not exist; whether it did not. Another driver may write the same one."""
        made = self._temporary(file, content)
        try:
            os.link(made, file)
        except FileExistsError:
            return False
        except OSError:  # a file system without links: another driver may write the same result, too
            if file.exists():
                return False
            made.replace(file)
        finally:
            made.unlink(missing_ok=True)
        return True

    def _temporary(self, file: Path, content: bytes) -> Path:
        made = file.with_name(f".{file.name}.{os.getpid()}-{threading.get_ident()}")
        try:
            made.write_bytes(content)
        except OSError:
            with contextlib.suppress(OSError):
                made.unlink()
            raise
        return made


def difference(first: Result, second: Result) -> str:
    """The steps whose deterministic parts differ; empty if all agree."""
    if results.deterministic(first) == results.deterministic(second):
        return ""
    names = [
        str(one.get("name"))
        for one, other in zip(first.steps, second.steps, strict=False)
        if determinism.canonical(one["record"]) != determinism.canonical(other["record"])
    ]
    return ", ".join(names) or "its steps"
