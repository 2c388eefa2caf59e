"""Cache which templates each variant's files are printed from.

Reads and writes `build/.closures.json`. Only jinja2 can find what a template includes, and importing it would
take a large part of a null build. So the result is cached until one of the files it was computed from
changes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layermatrix.core import records

if TYPE_CHECKING:
    from layermatrix.model.variants import Variant

Compute = Callable[["Variant", Path], list[str]]


class Closures:
    """The templates of each variant. `compute` is called only when the cached list may be out of date.
    generator: a text that changes with the code that computes the list."""

    def __init__(self, store: Path, templates: Path, compute: Compute, generator: str) -> None:
        self.store = store
        self.templates = templates
        self.compute = compute
        self.generator = generator
        self.known = _read(store)

    def of(self, variant: Variant) -> list[str]:
        """The names of the variant's templates, relative to the folder of templates."""
        own = [(self.templates / layer.own_template).is_file() for layer in variant.layers]
        key = hashlib.sha256(f"{variant.as_value}{own}".encode()).hexdigest()
        entry = self.known.get(key)
        if entry is None or entry["stamps"] != self._stamps(entry["names"]):
            names = list(self.compute(variant, self.templates))
            entry = self.known[key] = {"names": names, "stamps": self._stamps(names)}
            records.write(self.store, self.known)
        found: list[str] = entry["names"]
        return found

    def _stamps(self, names: Iterable[str]) -> list[str]:
        return [self.generator, *(_stamp(self.templates / name) for name in names)]


def _stamp(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return "missing"
    return f"{found.st_mtime_ns}:{found.st_size}"


def _read(store: Path) -> dict[str, Any]:
    """The cached lists; empty if the file is missing or damaged, which costs only time."""
    try:
        known = json.loads(store.read_text(encoding="utf-8"))
        sound = all(
            isinstance(entry["names"], list) and isinstance(entry["stamps"], list) for entry in known.values()
        )
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return {}
    return known if sound else {}
