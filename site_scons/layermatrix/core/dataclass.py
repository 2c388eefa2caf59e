"""`dataclass`, as in the standard library, with methods that are made when a class is first used.

`dataclasses.dataclass` compiles up to six methods of a class at once, which takes half a millisecond. A start
of SCons imports some 200 classes and uses less than half of them, so that was a third of its time.

The methods are made on a draft of the class and then moved, one at a time: another thread finds a method that
waits for the real one, or the real one, and never none.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Callable
from dataclasses import Field, FrozenInstanceError
from typing import TYPE_CHECKING, Any

FIELDS, PARAMETERS, POST_INIT = "__dataclass_fields__", "__dataclass_params__", "__post_init__"
FACTS = (FIELDS, PARAMETERS, "__match_args__")
COMPARISONS = ("__lt__", "__le__", "__gt__", "__ge__")
MADE = ("__init__", "__repr__", "__eq__", "__hash__", "__replace__", *COMPARISONS, *FACTS)
EAGER = ("slots", "weakref_slot", "unsafe_hash")  # options that need the whole class at once
_lock = threading.RLock()  # SCons runs steps as threads


class _Late:
    """A class with attributes that make it a dataclass as soon as one of them is used."""

    def __init__(self, cls: type, options: dict[str, Any]) -> None:
        self.cls, self.options = cls, options
        self.own: dict[str, Any] = dict(cls.__dict__)  # what the class itself defines
        self.is_finished = False
        for name in FACTS:
            setattr(cls, name, _Fact(self, name))
        for name in self._names():
            if name not in self.own:
                setattr(cls, name, self._method(name))
        if self._has("eq", True) and self._has_no_hash():
            setattr(cls, "__hash__", self._method("__hash__") if self._has("frozen") else None)  # noqa: B010
        if self._has("frozen"):
            _freeze(cls, self.own)

    def _has(self, option: str, default: bool = False) -> bool:
        return bool(self.options.get(option, default))

    def _names(self) -> list[str]:
        """The methods that `dataclasses` makes with these options, except the hash."""
        made = {"__init__": "init", "__repr__": "repr", "__eq__": "eq"}
        names = [name for name, option in made.items() if self._has(option, True)]
        return names + (list(COMPARISONS) if self._has("order") else [])

    def _has_no_hash(self) -> bool:
        """Whether the class defines no hash. For a class with an `__eq__`, Python itself sets it to None."""
        own = self.own
        return "__hash__" not in own or (own["__hash__"] is None and "__eq__" in own)

    def _method(self, name: str) -> Callable[..., Any]:
        def method(instance: Any, *arguments: Any, **named: Any) -> Any:
            self.finish()
            return getattr(self.cls, name)(instance, *arguments, **named)

        method.__name__, method.__qualname__ = name, f"{self.cls.__qualname__}.{name}"
        return method

    def finish(self) -> None:
        """Make the class what `dataclasses.dataclass` makes of it."""
        with _lock:
            if self.is_finished:
                return
            made = dict(dataclasses.dataclass(**self.options)(self._draft()).__dict__)
            for name, value in self.own.items():
                if isinstance(value, Field) and name in made:
                    setattr(self.cls, name, made[name])  # the default
                elif isinstance(value, Field):
                    delattr(self.cls, name)
            for name in MADE:
                if name in made and self.own.get(name) is None and self._is_ours(name):
                    setattr(self.cls, name, made[name])
            self.is_finished = True

    def _is_ours(self, name: str) -> bool:
        """Whether an attribute is still as it was made here: not replaced in the meantime."""
        found = self.cls.__dict__.get(name)
        return found is None or isinstance(found, _Fact) or getattr(found, "__module__", "") == __name__

    def _draft(self) -> type:
        """A class with the same fields, in whose place this one gets the methods."""
        fields: dict[str, Any] = {}
        parents = [parent for parent in self.cls.__mro__[:0:-1] if dataclasses.is_dataclass(parent)]
        for parent in parents:
            fields |= getattr(parent, FIELDS)
        about = {FIELDS: fields, PARAMETERS: getattr(parents[-1], PARAMETERS)} if parents else {}
        own = {name: value for name, value in self.own.items() if name not in ("__dict__", "__weakref__")}
        if hasattr(self.cls, POST_INIT):
            own[POST_INIT] = getattr(self.cls, POST_INIT)
        own["__doc__"] = self.cls.__doc__ or self.cls.__name__  # otherwise it is made of the signature
        names = [*own.get("__annotations__", ()), *MADE, "__setattr__", "__delattr__", POST_INIT]
        kept = [*names, "__annotations__", "__module__", "__qualname__", "__doc__"]
        bases: tuple[type, ...] = (type("Parents", (), about),) if parents else ()
        return type(self.cls.__name__, bases, {name: own[name] for name in kept if name in own})


class _Fact:
    """A description of a dataclass that `dataclasses` and `match` ask for by name."""

    def __init__(self, late: _Late, name: str) -> None:
        self.late, self.name = late, name

    def __get__(self, instance: object, owner: type) -> Any:
        self.late.finish()
        return getattr(owner, self.name)


def _freeze(cls: type, own: dict[str, Any]) -> None:
    """Make instances refuse changes. Those of a subclass may have attributes that are not fields."""

    def is_frozen(instance: object, name: str) -> bool:
        return type(instance) is cls or name in getattr(cls, FIELDS)

    def __setattr__(self: object, name: str, value: object) -> None:  # noqa: N807
        if is_frozen(self, name):
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)  # type: ignore[arg-type]

    def __delattr__(self: object, name: str) -> None:  # noqa: N807
        if is_frozen(self, name):
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)  # type: ignore[arg-type]

    for method in (__setattr__, __delattr__):
        if method.__name__ not in own:
            setattr(cls, method.__name__, method)


def is_dataclass_type(kind: type) -> bool:
    """Whether a class is a dataclass, asked without a use of it."""
    return any(FIELDS in one.__dict__ for one in kind.__mro__)


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls=None, /, **options):
        """`dataclasses.dataclass`, with the same options."""
        if cls is None:
            return functools.partial(dataclass, **options)
        if any(options.get(name) for name in EAGER):
            return dataclasses.dataclass(**options)(cls)
        _Late(cls, options)
        return cls
