"""Results of bundles: the records that a host took, in one JSON file whose name is the bundle's digest.

Reads and writes `build/results/<digest>.json`. A result has a sum over its content, so a damaged one is not
believed. Uses only the standard library, because hosts write results with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layermatrix.evidence import determinism

FORMAT, VERSION = "layermatrix-result", 1
FOLDER = Path("build/results")
_FIELDS: dict[str, type] = {"bundle": str, "host": dict, "steps": list, "started": str, "finished": str}


class ResultError(ValueError):
    """A result that cannot be used; str() is the reason in one line."""


@dataclass(frozen=True)
class Result:
    """bundle: the bundle's digest. host: the kind of host. steps: name, kind and record of each step, in the
    order of the bundle. started, finished: times in UTC, ISO 8601."""

    bundle: str
    host: Mapping[str, Any]
    steps: Sequence[Mapping[str, Any]]
    started: str
    finished: str

    def record(self, step: str) -> str | None:
        """The record of this step as JSON; None if the bundle has no such step."""
        found = next((one for one in self.steps if one.get("name") == step), None)
        return None if found is None else json.dumps(found["record"])


def path(root: Path, digest: str) -> Path:
    """The file of a bundle's result in the project of this folder."""
    return root / FOLDER / f"{digest}.json"


def text(result: Result) -> str:
    """The content of the file."""
    content = {"format": FORMAT, "version": VERSION, **vars(result)}
    return json.dumps({**content, "sum": _sum(content)}, indent=1, ensure_ascii=False) + "\n"


def parse(content: str | bytes, digest: str | None = None) -> Result:
    """The result in this text; digest: of the bundle that it must belong to. Raises ResultError if it is
    damaged, of another version, or of another bundle."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ResultError(f"it is not JSON: {error}") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ResultError(f"it does not say that it is a {FORMAT}")
    if found.get("version") != VERSION:
        raise ResultError(f"it has version {found.get('version')}, not {VERSION}; run the bundle again")
    if found.pop("sum", None) != _sum(found):
        raise ResultError("its content does not match its sum; run the bundle again")
    wrong = next((name for name, kind in _FIELDS.items() if not isinstance(found.get(name), kind)), None)
    if wrong:
        raise ResultError(f"its field {wrong!r} is missing or of another type")
    if digest is not None and found["bundle"] != digest:
        raise ResultError(f"it belongs to the bundle {found['bundle'][:12]}, not to {digest[:12]}")
    return Result(**{name: found[name] for name in _FIELDS})


def read(file: Path, digest: str | None = None) -> Result | None:
    """The result in this file; None if there is no file. Raises ResultError, which names the file."""
    try:
        return parse(file.read_bytes(), digest)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ResultError(f"{file}: {error.strerror or error}") from error
    except ResultError as error:
        raise ResultError(f"{file}: {error}") from error


def deterministic(result: Result) -> bytes:
    """The part of a result that every run of the bundle on this kind of host repeats, in one form: two runs
    agree if these bytes are equal."""
    steps = [
        {"name": step["name"], "kind": step["kind"], "record": determinism.canonical(step["record"])}
        for step in result.steps
    ]
    return json.dumps({"bundle": result.bundle, "steps": steps}, sort_keys=True, indent=1).encode()


def _sum(content: Mapping[str, Any]) -> str:
    plain = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()
