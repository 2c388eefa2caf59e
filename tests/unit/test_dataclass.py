"""`core.dataclass` makes the same classes as the standard library, at their first use."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import threading
from collections.abc import Callable, Hashable
from dataclasses import FrozenInstanceError, field
from typing import Any, Generic, TypeVar

import pytest

from layermatrix.core import dataclass as module
from layermatrix.core.dataclass import dataclass

T = TypeVar("T")


@dataclass(frozen=True)
class Point:
    """A point."""

    x: int
    y: int = 2
    tags: tuple[str, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True)
class Box(Point, Generic[T]):
    content: list[Any] = field(default_factory=list, hash=False)


@dataclass
class Open:
    name: str


@dataclass(frozen=True, order=True, kw_only=True)
class Rank:
    place: int


@dataclass(frozen=True)
class Own:
    value: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own) and abs(self.value - other.value) < 2

    def __hash__(self) -> int:
        return 7

    def __repr__(self) -> str:
        return "own"


@dataclass(frozen=True)
class Alike:
    """Python gives a class with an `__eq__` the hash None."""

    value: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alike)


def fresh() -> Any:
    """A class that nothing has used yet."""

    class Fresh:
        size: int
        unit: str = "m"

    Fresh.__annotations__ = {"size": "int", "unit": "str"}
    return dataclass(frozen=True)(Fresh)


def test_it_has_fields_defaults_and_the_methods_of_a_record() -> None:
    assert repr(Point(1)) == "Point(x=1, y=2)"
    assert Point(1) == Point(1, 2, ("a",)) != Point(2)
    assert hash(Point(1)) == hash(Point(1, tags=("b",)))
    assert dataclasses.asdict(Point(1)) == {"x": 1, "y": 2, "tags": ()}
    assert dataclasses.replace(Point(1), y=5) == Point(1, 5)


def test_a_subclass_has_the_fields_of_its_parent_first() -> None:
    assert [one.name for one in dataclasses.fields(Box)] == ["x", "y", "tags", "content"]
    one, other = Box[str](1), Box[str](1)
    assert one == other
    assert one.content is not other.content
    assert one != Point(1)


def test_a_frozen_one_refuses_a_change_before_and_after_its_first_use() -> None:
    late_class = fresh()
    for made in (object.__new__(late_class), late_class(1)):
        with pytest.raises(FrozenInstanceError):
            made.size = 3
        with pytest.raises(FrozenInstanceError):
            del made.size


def test_one_that_is_not_frozen_can_be_changed_and_not_hashed() -> None:
    assert not isinstance(Open("a"), Hashable)
    made = Open("a")
    made.name = "b"
    assert made == Open("b")
    with pytest.raises(TypeError, match="unhashable"):
        hash(made)


def test_options_and_own_methods_are_respected() -> None:
    assert sorted([Rank(place=2), Rank(place=1)])[0] == Rank(place=1)
    with pytest.raises(TypeError, match="positional"):
        Rank(1)  # type: ignore[call-arg]
    assert (Own(1) == Own(2), hash(Own(1)), repr(Own(1))) == (True, 7, "own")
    assert hash(Alike(3)) == hash((3,))


def test_a_wrong_argument_is_named_as_by_the_standard_library() -> None:
    with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'size'"):
        fresh()()


FIRST_USES: dict[str, Callable[[Any], object]] = {
    "fields": dataclasses.fields,
    "is_dataclass": dataclasses.is_dataclass,
    "parameters": lambda kind: kind.__dataclass_params__.frozen,
    "match": lambda kind: kind.__match_args__ == ("size", "unit"),
    "comparing": lambda kind: object.__new__(kind) != 1,
    "creating": lambda kind: kind(1),
}


@pytest.mark.parametrize("use", FIRST_USES)
def test_any_first_use_makes_the_class(use: str) -> None:
    kind = fresh()
    assert "__init__" in kind.__dict__
    assert FIRST_USES[use](kind)
    plain = dataclasses.make_dataclass("Plain", [("size", int), ("unit", str, "m")], frozen=True)
    names = [name for name in plain.__dict__ if name.startswith("__")]
    assert all(name in kind.__dict__ for name in names if name != "__module__")
    assert kind(1).unit == "m"


def test_asking_if_it_is_one_is_no_use() -> None:
    kind = fresh()
    assert module.is_dataclass_type(kind)
    assert module.is_dataclass_type(type("Child", (kind,), {}))
    assert not module.is_dataclass_type(int)
    assert isinstance(kind.__dict__["__dataclass_fields__"], module._Fact)


def test_instances_without_a_call_are_whole() -> None:
    """pickle and copy make them so."""
    made = Point(3, tags=("t",))
    assert pickle.loads(pickle.dumps(made)) == made
    assert copy.copy(made).tags == ("t",)


def test_a_method_that_was_replaced_stays_so() -> None:
    kind = fresh()
    kind.__repr__ = lambda self: "replaced"
    assert repr(kind(1)) == "replaced"


def test_threads_that_use_a_class_first_at_the_same_time_find_it_whole() -> None:
    for _ in range(50):
        kind, found = fresh(), list[object]()
        start = threading.Barrier(4)

        def use(kind: Any = kind, start: threading.Barrier = start, found: list[object] = found) -> None:
            start.wait()
            found.append(kind(1) == kind(1, "m"))

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [True] * 4
