"""The axes of the matrix -> cells: which variant is built in which configuration, and why the others are not.

Reads the resolved model and what is known of the compilers. Writes nothing.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from layermatrix.core.errors import SelectionError, hint_for, quote
from layermatrix.model.budgets import BudgetLimit
from layermatrix.model.layers import ALL
from layermatrix.model.plan import AXES, Rule
from layermatrix.model.project import Project
from layermatrix.model.variants import Variant

COMPILER_COMMAND = re.compile(r"(?:[\w.+-]+-)?(gcc|clang)(?:-[\d.]+)?")  # gcc-12, x86_64-linux-gnu-gcc
Names = tuple[str, ...]
Available = Mapping[str, object]  # compiler -> what was found; one with a `reason` is missing for that reason


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
        """phase2-release-gcc; sanitizer and target follow where they are not the default."""
        parts = [self.variant.name, self.mode, self.compiler]
        parts += [self.sanitizer] if self.sanitizer != "none" else []
        parts += [self.target] if self.target != "native" else []
        return "-".join(parts)

    @property
    def family(self) -> str:
        """Its compiler as the matrix calls it: gcc of gcc-12."""
        return family_of(self.compiler)

    @property
    def is_counted(self) -> bool:
        """Whether its code is what is shipped, and runs here: such cells are counted and timed."""
        return (self.mode, self.sanitizer, self.target) == ("release", "none", "native")

    @property
    def has_sanitizer(self) -> bool:
        return self.sanitizer != "none"

    @property
    def counts_layers(self) -> bool:
        """Whether its layers count what they do."""
        stats = self.variant.system.stats
        return stats is not None and self.mode == stats.mode

    @property
    def shipped(self) -> Cell:
        """Of a cell whose layers count, the one that the counts are about: in the mode that is shipped."""
        stats = self.variant.system.stats
        return replace(self, mode=stats.of) if stats else self

    @property
    def build_dir(self) -> str:
        return f"build/{self.id}"

    @property
    def library(self) -> str:
        """Its shared library."""
        return f"{self.build_dir}/lib{self.variant.system.library}.so"

    @property
    def limits(self) -> dict[str, dict[str, BudgetLimit]]:
        """Its budget: entry -> metric -> limit. Where a sanitizer's code is part of it, or another machine is
        compiled for, no figure is meant."""
        plain = not self.has_sanitizer and self.target == "native"
        return self.variant.limits(self.mode, self.family) if plain else {}


@dataclass(frozen=True)
class Selection:
    """The cells that are wanted and can be built; of the others, id and reason."""

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
    """The cells that the command line asks for.

    Each text is a name, a comma list, a pattern or `all`; SelectionError if nothing is called so.
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
    """gcc of gcc-12; a name that is no such command is its own family."""
    command = COMPILER_COMMAND.fullmatch(compiler)
    return command.group(1) if command else compiler


def with_compilers(project: Project, names: Iterable[str]) -> Project:
    """The project with these compilers on their axis."""
    axes = replace(project.matrix.axes, compiler=tuple(names))
    return replace(project, matrix=replace(project.matrix, axes=axes))


def choose(axis: str, text: str, known: Names) -> Names:
    """The values that a user's text stands for, in the axis's order."""
    wanted = [part.strip() for part in text.split(",") if part.strip()]
    if not wanted:
        raise SelectionError(f"{axis}= names nothing; {hint_for('', known) or 'say all for every one'}")
    for part in wanted:
        if not any(_matches(name, part) for name in known):
            hint = hint_for(part, known)
            raise SelectionError(f"unknown {axis} {quote(part)}" + (f"; {hint}" if hint else ""))
    return tuple(name for name in known if any(_matches(name, part) for part in wanted))


def _matches(name: str, pattern: str) -> bool:
    return pattern == ALL or fnmatchcase(name, pattern)


def _default(project: Project, axis: str, known: Names, available: Available | None) -> Names:
    """What matrix.yaml says under `default`; else the first value.

    Of compilers that is the first one that is here; of variants, all that the axis names.
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
    """Why a compiler cannot be used; None if it can, or if compilers were not looked for."""
    if available is None:
        return None
    if compiler not in available:
        return f"{compiler} was not looked for"
    reason = getattr(available[compiler], "reason", None)
    return str(reason) if reason else None


def _match_any(names: Iterable[str], patterns: Names) -> bool:
    return any(_matches(name, pattern) for name in names for pattern in patterns)


def _excluded(cell: Cell, rules: Iterable[Rule]) -> str | None:
    """The reason of the first rule that leaves this cell out."""
    values = {
        "variant": (cell.variant.name,),
        "mode": (cell.mode,),
        "compiler": (cell.compiler, cell.family),
        "sanitizer": (cell.sanitizer,),
        "target": (cell.target,),
    }
    for rule in rules:
        named = rule.exclude.items()
        if all(_match_any(values[axis], wanted) for axis, wanted in named):
            return rule.reason
    return None
