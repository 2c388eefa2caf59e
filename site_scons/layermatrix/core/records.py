"""Records of results: frozen dataclasses in memory, JSON in files.

Reads and writes JSON files such as `build/<cell>/evidence/<kind>.json`. A file states what it holds (`kind`),
the `version` of its shape, whether the record was measured (`status`), and if not, why (`reason`). A file
that is missing, damaged or of another version reads as `NotMeasured` with the reason, never as an exception
and never as a figure.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Generic, TypeVar

MEASURED = "measured"
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Measured:
    """The base class of records, and of parts of records that can fail separately. In JSON they have the
    status `measured`."""


@dataclass(frozen=True)
class NotMeasured:
    """Takes the place of a figure or a record that could not be measured. reason: why."""

    reason: str


@dataclass(frozen=True)
class Missing(NotMeasured):
    """There is no file: the measurement was not attempted."""


@dataclass(frozen=True)
class Outdated(NotMeasured):
    """The file is of another build of the library than the present one."""


R = TypeVar("R", bound=Measured)


@dataclass(frozen=True)
class Format(Generic[R]):
    """The format of a JSON file with one record. type: the class of the record. version: the version of its
    shape; raise it when a field changes."""

    kind: str
    type: type[R]
    version: int = 1

    def write(self, path: Path, record: R | NotMeasured, *, library: str = "") -> None:
        """Write the record atomically: a reader never sees half of a record. library: the digest of the
        library that the record is of."""
        head = {"kind": self.kind, "version": self.version, **({"of_library": library} if library else {})}
        write(path, {**head, **plain(record)})

    def read(self, path: Path, *, library: str = "") -> R | NotMeasured:
        """The record in this file, or NotMeasured with the reason, so that a report of many cells goes on.
        library: the digest of the present library; a record of another one is not measured."""
        try:
            return self.parse(path.read_text(encoding="utf-8"), library=library)
        except FileNotFoundError:
            return Missing(f"there is no {path.name} of this cell")
        except (OSError, ValueError, RecursionError) as error:
            return NotMeasured(f"{path.name} cannot be used: {error}")

    def parse(self, text: str, *, library: str = "") -> R | NotMeasured:
        """The record in this text. Raises ValueError unless it is complete and of this kind and version.
        library: as for `read`."""
        head = json.loads(text)
        if not isinstance(head, dict):
            raise ValueError(f"a record is an object, not {type(head).__name__}")
        if head.get("kind") != self.kind:
            raise ValueError(f"kind is {head.get('kind')!r}, not {self.kind!r}")
        if head.get("version") != self.version:
            raise ValueError(f"version is {head.get('version')!r}, not {self.version}; build it again")
        if library and head.get("of_library", library) != library:
            return Outdated("it is of an earlier build of the library")
        if head.get("status") == NOT_MEASURED and isinstance(head.get("reason"), str):
            return NotMeasured(head["reason"])
        if head.get("status") != MEASURED:
            raise ValueError(f"status is {head.get('status')!r}, reason {head.get('reason')!r}")
        return parse(self.type, text)


T = TypeVar("T")


def parse(record_type: type[T], text: str) -> T:
    """Parse JSON into a record of this type. Raises ValueError, which names the first wrong field."""
    from pydantic import ValidationError

    try:
        found: T = _adapters()(record_type).validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the record"
        raise ValueError(f"{place}: {first['msg']}") from error
    return found


@functools.cache
def _adapters() -> Any:
    """A cached pydantic adapter for each type. The import is here because it takes a sixth of a second."""
    from pydantic import TypeAdapter

    return functools.cache(TypeAdapter)


def plain(value: object) -> Any:
    """A record, with the records in it, as values that JSON can hold."""
    if isinstance(value, NotMeasured):
        missing = {"missing": True} if isinstance(value, Missing) else {}
        return {"status": NOT_MEASURED, "reason": value.reason, **missing}
    if is_dataclass(value) and not isinstance(value, type):
        status = {"status": MEASURED, "reason": None} if isinstance(value, Measured) else {}
        return {**status, **{part.name: plain(getattr(value, part.name)) for part in fields(value)}}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {plain(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(inner) for inner in value]
    return value


def write(path: Path, record: object) -> None:
    """Write a record, or plain JSON values, atomically."""
    write_text(path, text(record) + "\n")


def text(record: object) -> str:
    """A record, or plain values, as JSON."""
    return json.dumps(plain(record), indent=2, ensure_ascii=False, allow_nan=False)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically: a reader sees the old text or the new one."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically, as `write_text` does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # SCons runs Python actions as threads of one process: the process id alone is not unique
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
