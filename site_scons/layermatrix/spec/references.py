"""Check the names in a record that refer to something in the project: a layer, role, load or variant.

A field declares such a name with `kinds.Ref` beside its kind. One walk over a record reports the unknown
names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, get_args, get_origin

from layermatrix.core.errors import hint_for, quote
from layermatrix.core.kinds import Ref
from layermatrix.model.patterns import matches
from layermatrix.spec.reading import Document, Path, bare, hints

Known = Mapping[str, Sequence[str]]  # noun -> the existing names; other nouns are not checked


def check(record: object, known: Known, document: Document) -> None:
    """Report each unknown name in a file's record."""
    for ref, name, path, at_key in _names(type(record), record, ()):
        there = known.get(ref.noun)
        if there is not None and not any(matches(one, name) if ref.pattern else one == name for one in there):
            what = f"unknown {ref.noun} {quote(name)}"
            document.error(path, what, hint_for(name, there), at_key=at_key)


def _names(kind: Any, value: Any, path: Path, at_key: bool = False) -> Iterator[tuple[Ref, str, Path, bool]]:
    """Every name in a value that refers to something, with its place. A key's place is that of the key."""
    if isinstance(value, str):
        yield from ((one, value, path, at_key) for one in _refs(kind) if value)
        return
    kind = bare(kind)
    if is_dataclass(value) and is_dataclass(kind):
        for field in fields(value):
            if hasattr(value, field.name):  # an invalid field is absent
                yield from _names(hints(kind)[field.name], getattr(value, field.name), (*path, field.name))
    elif isinstance(value, Mapping):
        of_key, of_value = get_args(kind) or (Any, Any)
        for name, part in value.items():
            yield from _names(of_key, name, (*path, name), at_key=True)
            yield from _names(of_value, part, (*path, name))
    elif isinstance(value, tuple):
        for index, part in enumerate(value):
            yield from _names(get_args(kind)[0], part, (*path, index))


def _refs(kind: Any) -> list[Ref]:
    kind = next((part for part in get_args(kind) if get_origin(part) is Annotated), kind)  # of one or None
    return [part for part in getattr(kind, "__metadata__", ()) if isinstance(part, Ref)]
