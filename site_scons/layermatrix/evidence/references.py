"""Find references to functions that a release must not contain, and the source lines of the references.

Reads object files. A reference is a relocation against a function of another file; its line comes from the
line tables of an object with the same code that was compiled with -g.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Protocol

from layermatrix.evidence.binary import dwarf, elf, object_diff
from layermatrix.evidence.source.line_origins import LineOrigins, SourceLine


class Allowed(Protocol):
    """A C file that is exempt from a rule."""

    @property
    def source(self) -> str: ...


class Rule(Protocol):
    """Forbidden functions (names or patterns), the reason, and the C files that are exempt."""

    @property
    def symbols(self) -> Sequence[str]: ...

    @property
    def reason(self) -> str: ...

    @property
    def allowed(self) -> Iterable[Allowed]: ...


@dataclass(frozen=True)
class Compiled:
    """An object of the library. source: its C file. path: the object. traced: the same object with line
    tables."""

    source: str
    path: Path
    traced: Path

    @cached_property
    def file(self) -> elf.ObjectFile:
        return elf.read(self.path)

    @cached_property
    def traced_file(self) -> elf.ObjectFile:
        return elf.read(self.traced)

    @cached_property
    def _map(self) -> dwarf.SourceMap | None:
        """None: the object has no line tables that can be read."""
        try:
            return dwarf.read(self.traced)
        except dwarf.DwarfError:
            return None

    def line(self, section: int, offset: int) -> tuple[str, int] | None:
        """The file and line of a place in the object with line tables; None if they are not known."""
        found = self._map.lines(section, offset) if self._map else ()
        return (found[0].file, found[0].line) if found else None


@dataclass(frozen=True)
class Reference:
    """A forbidden reference. origin: the source line; line 0 if only the file is known."""

    symbol: str
    rule: Rule
    function: str | None
    origin: SourceLine

    def error(self) -> str:
        within = f" in {self.function}" if self.function else ""
        what = f"{self.symbol}{within} is forbidden in a release: {self.rule.reason.rstrip('.')}"
        return self.origin.error(what) if self.origin.line else f"{self.origin.path}: error: {what}"


def forbidden(objects: Iterable[Compiled], rules: Sequence[Rule], origins: LineOrigins) -> list[Reference]:
    """The references that violate a rule; several on one line count once."""
    found: dict[tuple[str, SourceLine], Reference] = {}
    for compiled in objects:
        for reference in _of_object(compiled, rules, origins):
            found.setdefault((reference.symbol, reference.origin), reference)
    return list(found.values())


def _of_object(compiled: Compiled, rules: Sequence[Rule], origins: LineOrigins) -> Iterator[Reference]:
    for relocation in compiled.file.relocations:
        rule = _rule(relocation.symbol, rules)
        if rule is None:
            continue
        function = object_diff.function_at(compiled.file, relocation.section, relocation.offset)
        origin = _origin(compiled, relocation, origins)
        if not any(f"/{origin.path}".endswith(f"/{one.source}") for one in rule.allowed):
            yield Reference(relocation.symbol.name, rule, function, origin)


def _rule(symbol: elf.Symbol, rules: Sequence[Rule]) -> Rule | None:
    if symbol.section is not None or not symbol.name:
        return None
    return next((r for r in rules if any(fnmatchcase(symbol.name, pattern) for pattern in r.symbols)), None)


def _origin(compiled: Compiled, relocation: elf.Relocation, origins: LineOrigins) -> SourceLine:
    section = object_diff.counterpart(compiled.file, compiled.traced_file, relocation)
    line = None if section is None else compiled.line(section, relocation.offset)
    return origins.origin(*line) if line else SourceLine(compiled.source, 0, compiled.source)
