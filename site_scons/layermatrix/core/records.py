"""Result records: the JSON files in which evidence, timings and reports meet.

Reads and writes `build/<cell>/evidence/<kind>.json`. Every record says what it is (`kind`), whether
it was taken (`status`), and why not (`reason`); the other fields depend on the kind, see `FIELDS`.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from pathlib import Path
from typing import Any

# Plain JSON: the modules that meet here share no types, only these files.
Record = dict[str, Any]

MEASURED = "measured"
NOT_MEASURED = "not measured"

# kind -> the fields that a measured record of it has, with their JSON types
FIELDS: dict[str, dict[str, type]] = {
    "asm": {"entries": dict, "arch": str},
    "code": {"header": dict, "entries": dict, "sources": dict, "files": dict},
    "budget": {"figures": list, "broken": list},
    "guards": {"debug_strings": dict, "sentinel": str},
    "counters": {"tool": str, "valgrind": str, "libc": str, "cache": dict, "loads": dict},
    "layers": {"layers": list, "classes": dict, "programs": list, "loads": dict},
    "tests": {"programs": list},
    "programs": {"programs": list},
    "plain": {"stdout": str, "stderr": str},
    "fuzz": {"programs": list, "seconds": int},
    "bench": {"loads": dict, "rounds": int},
    "reference": {"verdict": str, "loads": dict},
    "failure": {"command": str, "log": str, "target": str},
    "experiments": {"comparisons": dict},
    "peers": {"loads": dict, "own": list, "rivals": list, "missing": dict},
}


class RecordError(ValueError):
    """A record that is not what its kind asks for."""


def measured(kind: str, **fields: Any) -> Record:
    """A record of something that was established."""
    return {"kind": kind, "status": MEASURED, "reason": None, **fields}


def not_measured(kind: str, reason: str, **fields: Any) -> Record:
    """A record of something that could not be established, and why."""
    return {"kind": kind, "status": NOT_MEASURED, "reason": reason, **fields}


def is_measured(record: Record) -> bool:
    return bool(record["status"] == MEASURED)


def check(record: object, kind: str) -> Record:
    """The record itself when it is a complete one of this kind; RecordError otherwise."""
    if not isinstance(record, dict):
        raise RecordError(f"a record is an object, not {type(record).__name__}")
    if record.get("kind") != kind:
        raise RecordError(f"kind is {record.get('kind')!r}, not {kind!r}")
    if record.get("status") == NOT_MEASURED:
        if not isinstance(record.get("reason"), str):
            raise RecordError("not measured, and no reason given")
        return record
    if record.get("status") != MEASURED:
        raise RecordError(f"status is {record.get('status')!r}")
    for field, wanted in FIELDS.get(kind, {}).items():
        if type(record.get(field)) is not wanted:
            raise RecordError(f"field {field!r} is missing or not a JSON {wanted.__name__}")
    return record


def load(path: Path, kind: str) -> Record:
    """The record in this file. A missing or damaged file is a record that says so, never an exception:
    the report of many cells goes on without it."""
    try:
        return check(json.loads(path.read_text(encoding="utf-8")), kind)
    except FileNotFoundError:
        return not_measured(kind, f"there is no {path.name} of this cell")
    except (OSError, ValueError, RecursionError) as error:
        return not_measured(kind, f"{path.name} cannot be used: {error}")


def write(path: Path, record: Record) -> None:
    """Write the record at once or not at all, so that a reader never sees half of one."""
    write_text(path, json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """The same for any text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # SCons runs Python actions as threads of one process: the process id alone is not unique
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
