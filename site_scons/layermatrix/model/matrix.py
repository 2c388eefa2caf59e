"""The resolved matrix.yaml: the cells of the project, and what each runs and measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from layermatrix.core.kinds import (
    Items,
    Misfit,
    Name,
    OneOf,
    Pattern,
    Ref,
    Sentence,
    VariantPattern,
)
from layermatrix.model.budgets import COMPILERS
from layermatrix.model.measuring import (
    Baseline,
    Counters,
    Fuzz,
    Load,
    Page,
    Peers,
    Programs,
    Suite,
    Timing,
)
from layermatrix.model.system import MODES

AXES = ("variant", "mode", "compiler", "sanitizer", "target")
SANITIZERS = ("none", "asan", "ubsan", "tsan")
Variants = Annotated[tuple[VariantPattern, ...], Items(1, alone=True)]
Modes = Annotated[tuple[Annotated[Pattern, Ref("mode", pattern=True)], ...], Items(1, alone=True)]
Compilers = Annotated[tuple[Annotated[Pattern, Ref("compiler", pattern=True)], ...], Items(1, alone=True)]
Sanitizers = Annotated[tuple[Annotated[Pattern, Ref("sanitizer", pattern=True)], ...], Items(1, alone=True)]
Targets = Annotated[tuple[Annotated[Pattern, Ref("target", pattern=True)], ...], Items(1, alone=True)]


class _ByAxis:
    """A record with a field for each axis."""

    def __getitem__(self, axis: str) -> tuple[str, ...]:
        found: tuple[str, ...] = getattr(self, axis)
        return found


@dataclass(frozen=True)
class Axes(_ByAxis):
    """The values of each axis, in the order in which cells are listed."""

    variant: Annotated[tuple[VariantPattern, ...], Items(1, unique=True)] = ("all",)
    mode: Annotated[tuple[Annotated[str, OneOf(*MODES)], ...], Items(1, unique=True)] = ("release", "debug")
    compiler: Annotated[tuple[Annotated[str, OneOf(*COMPILERS)], ...], Items(1, unique=True)] = (
        "gcc",
        "clang",
    )
    sanitizer: Annotated[tuple[Annotated[str, OneOf(*SANITIZERS)], ...], Items(1, unique=True)] = ("none",)
    target: Annotated[tuple[Name, ...], Items(1, unique=True)] = ("native",)


@dataclass(frozen=True)
class Cells(_ByAxis):
    """A selection of cells: on each given axis, the cell has one of the given values."""

    variant: Variants = ()
    mode: Modes = ()
    compiler: Compilers = ()
    sanitizer: Sanitizers = ()
    target: Targets = ()

    def items(self) -> list[tuple[str, tuple[str, ...]]]:
        """The given axes with their values."""
        pairs = [(axis, getattr(self, axis)) for axis in AXES]
        return [(axis, values) for axis, values in pairs if values]


@dataclass(frozen=True)
class Rule:
    """A rule that excludes cells: those that `exclude` selects. reason: shown for each excluded cell."""

    exclude: Cells
    reason: Sentence

    def __post_init__(self) -> None:
        if not self.exclude.items():
            hint = f"name one of {', '.join(AXES)}"
            raise Misfit("this rule excludes every cell", hint, ("exclude",), whole=True, at_key=True)


@dataclass(frozen=True)
class Matrix:
    """The content of matrix.yaml. In a resolved project, the variant axis holds names instead of patterns."""

    doc: Sentence
    axes: Axes = field(default_factory=Axes)
    rules: tuple[Rule, ...] = ()
    default: Cells = field(default_factory=Cells)
    tests: Suite = field(default_factory=Suite)
    programs: Programs = field(default_factory=Programs)
    fuzz: Fuzz | None = None
    baseline: Baseline = field(default_factory=Baseline)
    loads: Mapping[Name, Load] = field(default_factory=dict, hash=False)
    timing: Timing = field(default_factory=Timing)
    counters: Counters = field(default_factory=Counters)
    peers: Peers | None = None
    pages: Mapping[Name, Page] = field(default_factory=dict, hash=False)

    @property
    def timed(self) -> dict[str, Load]:
        """The loads that are timed, by name: those with `args`."""
        return {name: load for name, load in self.loads.items() if load.args}
