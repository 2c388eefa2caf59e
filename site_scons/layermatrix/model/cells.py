"""Select the cells of the matrix: the variants in their configurations, and the reason for each omission.

Reads the resolved model and the available compilers. Writes nothing.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from layermatrix.core.errors import SelectionError, hint_for, quote
from layermatrix.model.budgets import BudgetLimit
from layermatrix.model.matrix import AXES, Rule
from layermatrix.model.patterns import match_any, matches
from layermatrix.model.project import Project
from layermatrix.model.variants import Variant

COMPILER_COMMAND = re.compile(r"(?:[\w.+-]+-)?(gcc|clang)(?:-[\d.]+)?")  # gcc-12, x86_64-linux-gnu-gcc
DEFAULT_AXES = {"sanitizer": "none", "target": "native"}  # not in the id of a cell
ONLY_SHIPPED = "only native release cells without a sanitizer are {}"  # counted, timed
Names = tuple[str, ...]
Available = Mapping[str, object]  # compiler -> what was found; an object with a `reason` is missing


def is_shipped(mode: str, sanitizer: str, target: str) -> bool:
    """Whether a cell of these axes is built as it would be used."""
    return (mode, sanitizer, target) == ("release", "none", "native")


@dataclass(frozen=True)
class Cell:
    """One build folder, one row of the matrix."""

    variant: Variant
    mode: str
    compiler: str
    sanitizer: str = "none"
    target: str = "native"

    @property
    def id(self) -> str:
        """Such as phase2-release-gcc. Sanitizer and target follow if they are not the default."""
        parts = [self.variant.name, self.mode, self.compiler]
        given = ((getattr(self, axis), default) for axis, default in DEFAULT_AXES.items())
        return "-".join([*parts, *(value for value, default in given if value != default)])

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
        """Its budget: entry -> metric -> limit. Empty with a sanitizer or for another target: budgets do not
        cover such code."""
        plain = not self.has_sanitizer and self.target == "native"
        return self.variant.limits(self.mode, self.family) if plain else {}


@dataclass(frozen=True)
class Selection:
    """cells: the selected cells that can be built. left_out: id and reason of each other selected cell."""

    cells: tuple[Cell, ...]
    left_out: tuple[tuple[str, str], ...]


def select(
    project: Project,
    variant: str | None = None,
    mode: str | None = None,
    compiler: str | None = None,
    sanitizer: str | None = None,
    target: str | None = None,
    available: Available | None = None,
) -> Selection:
    """The cells that the command line selects.

    Each text is a name, a comma list, a pattern or `all`. Raises SelectionError if it matches no name.
    """
    given = {"variant": variant, "mode": mode, "compiler": compiler, "sanitizer": sanitizer, "target": target}
    known = {**{axis: project.matrix.axes[axis] for axis in AXES}, "variant": tuple(project.variants)}
    wanted = {}
    for axis, text in given.items():
        names = known[axis]
        wanted[axis] = (
            _default(project, axis, names, available) if text is None else choose(axis, text, names)
        )
    return _cells(project, wanted, available)


def family_of(compiler: str) -> str:
    """The family of a compiler command: gcc for gcc-12. Another name is its own family."""
    command = COMPILER_COMMAND.fullmatch(compiler)
    return command.group(1) if command else compiler


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
    for part in wanted:
        if not any(matches(name, part) for name in known):
            hint = hint_for(part, known)
            raise SelectionError(f"unknown {axis} {quote(part)}" + (f"; {hint}" if hint else ""))
    return tuple(name for name in known if any(matches(name, part) for part in wanted))


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


def _cells(project: Project, axes: Mapping[str, Names], available: Available | None) -> Selection:
    cells, left_out = [], []
    for variant, *configuration in itertools.product(*(axes[axis] for axis in AXES)):
        cell = Cell(project.variants[variant], *configuration)
        reason = _missing(cell.compiler, available) or _excluded(cell, project.matrix.rules)
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


def _excluded(cell: Cell, rules: Iterable[Rule]) -> str | None:
    """The reason of the first rule that excludes this cell; None if no rule does."""
    values = {
        "variant": (cell.variant.name,),
        "mode": (cell.mode,),
        "compiler": (cell.compiler, cell.family),
        "sanitizer": (cell.sanitizer,),
        "target": (cell.target,),
    }
    for rule in rules:
        named = rule.exclude.items()
        if all(match_any(values[axis], wanted) for axis, wanted in named):
            return rule.reason
    return None
