"""Turn JSON values back into frozen dataclasses, with the standard library alone.

`core.records` writes the JSON. It reads files with pydantic, which a host does not have; this module reads
the requests that a host gets. Values must have exactly the declared types.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")
_SINGLE = (str, int, float, bool, type(None))


def decode(kind: type[T], value: object) -> T:
    """The value as an object of this dataclass. Raises ValueError, which names the first wrong field."""
    made: T = _decode(kind, value, kind.__name__)
    return made


def _decode(kind: Any, value: Any, place: str) -> Any:
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _one_of(parts, value, place)
    if origin is tuple:
        return _tuple(parts, value, place)
    if origin in (dict, Mapping):
        _require(isinstance(value, dict), "an object", value, place)
        return {name: _decode(parts[1], inner, f"{place}.{name}") for name, inner in value.items()}
    if is_dataclass(kind):
        return _record(kind, value, place)
    if isinstance(kind, type) and issubclass(kind, Enum):
        known = [one.value for one in kind]
        _require(value in known, f"one of {', '.join(map(str, known))}", value, place)
        return kind(value)
    if kind is float and type(value) is int:
        return float(value)
    _require(kind in _SINGLE and type(value) is kind, getattr(kind, "__name__", str(kind)), value, place)
    return value


def _one_of(kinds: tuple[Any, ...], value: Any, place: str) -> Any:
    """The value as the first of these types that it fits."""
    problem: ValueError | None = None
    for kind in kinds:
        try:
            return _decode(kind, value, place)
        except ValueError as error:
            problem = error
    raise problem or ValueError(f"{place} has no type")


def _tuple(parts: tuple[Any, ...], value: Any, place: str) -> tuple[Any, ...]:
    _require(isinstance(value, list), "a list", value, place)
    if len(parts) == 2 and parts[1] is Ellipsis:
        parts = (parts[0],) * len(value)
    _require(len(parts) == len(value), f"a list of {len(parts)}", value, place)
    pairs = zip(parts, value, strict=True)
    return tuple(_decode(part, one, f"{place}[{index}]") for index, (part, one) in enumerate(pairs))


def _record(kind: Any, value: Any, place: str) -> Any:
    _require(isinstance(value, dict), "an object", value, place)
    hints, known = _hints(kind), {part.name: part for part in fields(kind)}
    for name in value:
        _require(name in known, f"an object without {name!r}", value, place)
    for name, part in known.items():
        optional = part.default is not MISSING or part.default_factory is not MISSING
        _require(name in value or optional, f"an object with {name!r}", value, place)
    return kind(**{name: _decode(hints[name], inner, f"{place}.{name}") for name, inner in value.items()})


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _require(condition: bool, expects: str, value: object, place: str) -> None:
    if not condition:
        raise ValueError(f"{place} must be {expects}, not {str(value)[:60]!r}")
