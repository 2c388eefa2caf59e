"""Select the cells of the matrix: the variants in their configurations, and the reason for each omission.

Reads the resolved model and the available compilers. Writes nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from layermatrix.core.errors import SelectionError, hint_for, quote
from layermatrix.core.kinds import NOT
from layermatrix.model.axes import Choice, missing_command
from layermatrix.model.budgets import BudgetLimit
from layermatrix.model.matching import family_of, is_among, names_of, short_target
from layermatrix.model.matrix import AXES, NATIVE, Rule
from layermatrix.model.patterns import match_any, matches
from layermatrix.model.project import Project
from layermatrix.model.variants import Variant

DEFAULT_AXES = {"sanitizer": "none", "target": "native"}  # not in the id of a cell
ONLY_SHIPPED = "only native release cells without a sanitizer are {}"  # counted, timed
Names = tuple[str, ...]
Available = Mapping[str, object]  # compiler -> what was found; an object with a `reason` is missing
Installed = Callable[[str], bool]  # whether a command is installed


def is_shipped(mode: str, sanitizer: str, target: str) -> bool:
    """Whether a cell of these axes is built as it would be used."""
    return (mode, sanitizer, target) == ("release", "none", NATIVE)


@dataclass(frozen=True)
class Cell:
    """One build folder, one row of the matrix."""

    variant: Variant
    mode: str
    compiler: str
    sanitizer: str = "none"
    target: str = NATIVE
    own: tuple[Choice, ...] = ()

    @property
    def id(self) -> str:
        """Such as phase2-release-gcc. What is not the default follows: sanitizer, target, and each own axis
        with its value."""
        parts = [self.variant.name, self.mode, self.compiler]
        given = ((getattr(self, axis), default) for axis, default in DEFAULT_AXES.items())
        others = [short_target(value) for value, default in given if value != default]
        return "-".join([*parts, *others, *(str(choice) for choice in self.own if not choice.usual)])

    def value(self, axis: str) -> str:
        """Its value on an axis, built-in or not."""
        if axis == "variant":
            return self.variant.name
        own = (choice.value.name for choice in self.own if choice.axis == axis)
        return str(getattr(self, axis)) if axis in AXES else next(own)

    @property
    def choices(self) -> dict[str, str]:
        """Its values that are not the default, by axis: of sanitizer, target and the own axes."""
        given = {axis: getattr(self, axis) for axis, default in DEFAULT_AXES.items()}
        others = {axis: value for axis, value in given.items() if value != DEFAULT_AXES[axis]}
        return others | {choice.axis: choice.value.name for choice in self.own if not choice.usual}

    @property
    def has_own_choice(self) -> bool:
        """Whether it has a value of an own axis that is not the default."""
        return any(not choice.usual for choice in self.own)

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that its own axes set, for commands and programs."""
        return {name: word for choice in self.own for name, word in choice.value.environment.items()}

    @property
    def family(self) -> str:
        """The compiler's name in the matrix: gcc for gcc-12."""
        return family_of(self.compiler)

    @property
    def is_counted(self) -> bool:
        """Whether this cell is counted and timed: its code is what users get, and it runs on this machine."""
        return is_shipped(self.mode, self.sanitizer, self.target)

    @property
    def has_sanitizer(self) -> bool:
        return self.sanitizer != "none"

    @property
    def counts_layers(self) -> bool:
        """Whether its layers count their hits and misses."""
        stats = self.variant.system.stats
        return stats is not None and self.mode == stats.mode

    @property
    def shipped(self) -> Cell:
        """The cell without counting layers whose behaviour this cell's counts describe."""
        stats = self.variant.system.stats
        return replace(self, mode=stats.of) if stats else self

    @property
    def build_dir(self) -> str:
        return f"build/{self.id}"

    @property
    def library(self) -> str:
        """The path of its shared library."""
        return f"{self.build_dir}/{self.variant.system.shared}"

    @property
    def limits(self) -> dict[str, dict[str, BudgetLimit]]:
        """Its budget: entry -> metric -> limit. Empty with a sanitizer, for another target, and with a value
        of an own axis: budgets do not cover such code."""
        plain = not self.has_sanitizer and self.target == NATIVE and not self.has_own_choice
        return self.variant.limits(self.mode, self.family) if plain else {}


@dataclass(frozen=True)
class Selection:
    """cells: the selected cells that can be built. left_out: id and reason of each other selected cell."""

    cells: tuple[Cell, ...]
    left_out: tuple[tuple[str, str], ...]


def select(
    project: Project,
    given: Mapping[str, str] | None = None,
    *,
    available: Available | None = None,
    installed: Installed | None = None,
) -> Selection:
    """The cells that the command line selects. given: axis -> text; of an axis without a text, the default.

    Each text is a name, a comma list, a pattern or `all`; `!` before a part excludes what it matches. Raises
    SelectionError if a part matches no name.
    """
    axes = project.matrix.axes
    wanted = {}
    for axis in axes.names:
        names = tuple(project.variants) if axis == "variant" else axes[axis]
        text = (given or {}).get(axis)
        wanted[axis] = (
            _default(project, axis, names, available) if text is None else choose(axis, text, names)
        )
    return _cells(project, wanted, available, installed)


def with_compilers(project: Project, names: Iterable[str]) -> Project:
    """The project with these values on the compiler axis."""
    axes = replace(project.matrix.axes, compiler=tuple(names))
    return replace(project, matrix=replace(project.matrix, axes=axes))


def choose(axis: str, text: str, known: Names) -> Names:
    """The values that a user's text selects, in the order of the axis. Raises SelectionError if a part of it
    matches none."""
    wanted = [part.strip() for part in text.split(",") if part.strip()]
    if not wanted:
        raise SelectionError(f"{axis}= is empty; {hint_for('', known) or 'all selects every value'}")
    for part in (one.removeprefix(NOT) for one in wanted):
        if not any(matches(name, part) for value in known for name in names_of(axis, value)):
            hint = hint_for(part, known)
            raise SelectionError(f"unknown {axis} {quote(part)}" + (f"; {hint}" if hint else ""))
    return tuple(value for value in known if match_any(names_of(axis, value), wanted))


def _default(project: Project, axis: str, known: Names, available: Available | None) -> Names:
    """The values under `default` in matrix.yaml.

    Without them, the first value of the axis; for compilers, the first available one; for variants, all
    variants of the axis.
    """
    patterns = project.matrix.default[axis]
    if patterns:
        return choose(axis, ",".join(patterns), known)
    if axis == "variant":
        return project.matrix.axes[axis]
    if axis == "compiler":
        here = [name for name in known if _missing(name, available) is None]
        return tuple(here[:1]) or known
    return known[:1]


def _cells(
    project: Project, axes: Mapping[str, Names], available: Available | None, installed: Installed | None
) -> Selection:
    cells, left_out, rules = [], [], project.matrix.rules
    own = project.matrix.axes.own
    choices = [
        [Choice(name, axis.values[value], value == axis.usual) for value in axes[name]]
        for name, axis in own.items()
    ]
    for variant, mode, compiler, sanitizer, target in itertools.product(*(axes[axis] for axis in AXES)):
        for chosen in itertools.product(*choices):
            cell = Cell(project.variants[variant], mode, compiler, sanitizer, target, chosen)
            reason = _missing(cell.compiler, available) or _excluded(cell, rules) or _lacking(cell, installed)
            if reason:
                left_out.append((cell.id, reason))
            else:
                cells.append(cell)
    return Selection(tuple(cells), tuple(left_out))


def _missing(compiler: str, available: Available | None) -> str | None:
    """The reason why a compiler cannot be used; None if it can, or if no search was made."""
    if available is None:
        return None
    if compiler not in available:
        return f"{compiler} was not searched for"
    reason = getattr(available[compiler], "reason", None)
    return str(reason) if reason else None


def _lacking(cell: Cell, installed: Installed | None) -> str | None:
    """The command that a value of an own axis needs and that is not installed."""
    for choice in cell.own if installed else ():
        assert installed is not None
        reason = missing_command(choice.value.needs, filter(installed, choice.value.needs))
        if reason:
            return f"{choice.axis}={choice.value.name}: {reason}"
    return None


def _excluded(cell: Cell, rules: Iterable[Rule]) -> str | None:
    """The reason of the last rule about this cell, if that rule excludes it. Of two `exclude` rules in a row,
    the first one's reason."""
    reason = None
    for rule in rules:
        if rule.include and reason and is_among(cell, rule.include):
            reason = None
        elif rule.exclude and not reason and is_among(cell, rule.exclude):
            reason = rule.reason
    return reason
