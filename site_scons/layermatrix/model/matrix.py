"""The resolved matrix.yaml: the cells of the project, and what each runs and measures."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

from layermatrix.core.kinds import (
    OF_AXIS,
    REST,
    AsWritten,
    Items,
    Misfit,
    Name,
    Negatable,
    OneOf,
    Pattern,
    Ref,
    Sentence,
    Text,
    VariantName,
    VariantPattern,
)
from layermatrix.model.axes import BUILT_IN, OwnAxes, Preset, RunAxes, Running
from layermatrix.model.budgets import COMPILERS
from layermatrix.model.measuring import (
    Baseline,
    Counters,
    Fuzz,
    Load,
    Page,
    Peers,
    Programs,
    Recorder,
    Suite,
    Timing,
)
from layermatrix.model.system import MODES
from layermatrix.model.tuning import Tuning

AXES = BUILT_IN
SANITIZERS = ("none", "asan", "ubsan", "tsan")
NATIVE = "native"
TARGET = Text(
    "native, or a target such as aarch64-linux-gnu", rf"{NATIVE}|[A-Za-z0-9_]+(-[A-Za-z0-9_]+)*", longest=60
)
Variants = Annotated[tuple[VariantPattern, ...], Items(1, alone=True), Negatable()]
Values = Annotated[
    tuple[Annotated[Pattern, Ref(OF_AXIS, pattern=True)], ...], Items(1, alone=True), Negatable()
]
OwnValues = Annotated[
    tuple[Annotated[Pattern, AsWritten(), Ref(OF_AXIS, pattern=True)], ...], Items(1, alone=True), Negatable()
]
OwnSelection = Mapping[Annotated[Name, Ref("axis")], OwnValues]


@dataclass(frozen=True)
class Axes:
    """The values of each axis, in the order in which cells are listed. own: the axes of the project's own."""

    variant: Annotated[tuple[VariantPattern, ...], Items(1, unique=True)] = ("all",)
    mode: Annotated[tuple[Annotated[str, OneOf(*MODES)], ...], Items(1, unique=True)] = ("release", "debug")
    compiler: Annotated[tuple[Annotated[str, OneOf(*COMPILERS)], ...], Items(1, unique=True)] = (
        "gcc",
        "clang",
    )
    sanitizer: Annotated[tuple[Annotated[str, OneOf(*SANITIZERS)], ...], Items(1, unique=True)] = ("none",)
    target: Annotated[tuple[Annotated[str, TARGET], ...], Items(1, unique=True)] = (NATIVE,)
    own: Annotated[OwnAxes, REST] = field(default_factory=dict, hash=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The axes in the order of a cell's name."""
        return (*AXES, *self.own)

    def __getitem__(self, axis: str) -> tuple[str, ...]:
        return tuple(self.own[axis].values if axis in self.own else getattr(self, axis))


@dataclass(frozen=True)
class Cells:
    """A selection of cells: on each given axis, the cell has one of the given values. A value that begins
    with `!` is one that the cell does not have; files write `{not: ...}`."""

    variant: Variants = ()
    mode: Values = ()
    compiler: Values = ()
    sanitizer: Values = ()
    target: Values = ()
    own: Annotated[OwnSelection, REST] = field(default_factory=dict, hash=False)

    @functools.cached_property
    def given(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The given axes with their values."""
        pairs = [(axis, getattr(self, axis)) for axis in AXES]
        return tuple((axis, values) for axis, values in (*pairs, *self.own.items()) if values)

    def __getitem__(self, axis: str) -> tuple[str, ...]:
        return dict(self.given).get(axis, ())


@dataclass(frozen=True)
class Rule:
    """One rule. exclude: the cells that it leaves out. include: the cells that it takes back, if an earlier
    rule left them out. reason: shown for each excluded cell."""

    exclude: Cells | None = None
    include: Cells | None = None
    reason: Sentence = ""

    def __post_init__(self) -> None:
        if (self.exclude is None) == (self.include is None):
            what = "a rule has either 'exclude' or 'include'"
            raise Misfit(what, "write two rules" if self.exclude else None, whole=True, at_key=True)
        if self.exclude and not self.reason:
            raise Misfit(
                "this rule has no 'reason'", "it is shown for each excluded cell", whole=True, at_key=True
            )
        if not self.cells.given:
            hint, key = f"name one of {', '.join(AXES)}", "exclude" if self.exclude else "include"
            raise Misfit(f"this rule {key}s every cell", hint, (key,), whole=True, at_key=True)

    @property
    def cells(self) -> Cells:
        """The cells that the rule is about."""
        found = self.exclude or self.include
        assert found is not None
        return found


@dataclass(frozen=True)
class Matrix:
    """The content of matrix.yaml. In a resolved project, the variant axis holds names instead of patterns.
    run: the axes that change only how a program is run."""

    doc: Sentence
    axes: Axes = field(default_factory=Axes)
    rules: tuple[Rule, ...] = ()
    run: RunAxes = field(default_factory=dict, hash=False)
    presets: Mapping[Name, Preset] = field(default_factory=dict, hash=False)
    default: Cells = field(default_factory=Cells)
    tests: Suite = field(default_factory=Suite)
    programs: Programs = field(default_factory=Programs)
    fuzz: Fuzz | None = None
    baseline: Baseline = field(default_factory=Baseline)
    loads: Mapping[Name, Load] = field(default_factory=dict, hash=False)
    timing: Timing = field(default_factory=Timing)
    counters: Counters = field(default_factory=Counters)
    peers: Peers | None = None
    recorder: Recorder | None = None
    pages: Mapping[Name, Page] = field(default_factory=dict, hash=False)
    tune: Mapping[VariantName, Tuning] = field(default_factory=dict, hash=False)

    def with_ways(self, ways: Iterable[Running]) -> Matrix:
        """The matrix in which each timed load is also timed in these ways of running."""
        more = [load.run_as(way) for way in ways for load in self.timed.values()]
        return replace(self, loads={**self.loads, **{load.name: load for load in more}})

    @property
    def timed(self) -> dict[str, Load]:
        """The loads that are timed, by name: those with `args`."""
        return {name: load for name, load in self.loads.items() if load.args}
