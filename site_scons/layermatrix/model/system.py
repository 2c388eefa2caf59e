"""The program that is put together from the layers, as the build and the evidence see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from layermatrix.core.kinds import (
    Entries,
    EnvironmentName,
    File,
    Files,
    Items,
    Misfit,
    Name,
    Names,
    OneOf,
    Record,
    Regex,
    RoleName,
    Sentence,
    SoVersion,
    Symbol,
    Version,
)

MODES = ("release", "debug", "stats")
FROM_WHERE = ("env", "fixed")  # the environment decides, or the variant has
LIBRARY = "library"  # beside the entries, in budgets
Mode = Annotated[str, OneOf(*MODES)]
FromWhere = Annotated[str, OneOf(*FROM_WHERE)]


@dataclass(frozen=True)
class Entry(Record):
    """A function of the hot path, and the probe's function that inlines it. `role`: a hit is one of the first
    layer with this role; of the first of all, without it."""

    function: Name
    probe: Name
    role: RoleName | None = None


@dataclass(frozen=True)
class Stats(Record):
    """The builds in which layers count: their mode, the mode whose code the figures are about, the
    environment variable that names the file to which a program writes its counts at exit, and the sources
    that only they have."""

    mode: Mode
    of: Mode
    env: EnvironmentName
    sources: Files = ()


@dataclass(frozen=True)
class Debug(Record):
    """What debug code looks like in C: the macro that guards it, and the functions by which it prints."""

    macro: Name
    prints: Annotated[tuple[Name, ...], Items(1, unique=True)]


@dataclass(frozen=True)
class Condition(Record):
    """Variants whose layers, or whose options, are read from the environment or fixed."""

    toggles: FromWhere | None = None
    options: FromWhere | None = None

    def __post_init__(self) -> None:
        if self.toggles is None and self.options is None:
            raise Misfit(
                "this condition holds always", "leave it out, or name toggles or options", whole=True
            )

    def holds(self, toggles: str, options: str) -> bool:
        return self.toggles in (None, toggles) and self.options in (None, options)


@dataclass(frozen=True)
class Allowed(Record):
    """A C file that may do what is forbidden to the others."""

    source: File
    reason: Sentence


@dataclass(frozen=True)
class Forbidden(Record):
    """Functions (names or patterns) that no object of a release may refer to."""

    symbols: Annotated[tuple[Symbol, ...], Items(1, unique=True)]
    reason: Sentence
    when: Condition | None = None
    allowed: tuple[Allowed, ...] = ()


@dataclass(frozen=True)
class System(Record):
    """Files are relative to the folder of C sources, those of `skeleton` and `unity_skeleton` to
    `templates/`.

    modules are compiled apart, or included by the unit that is printed from `unity_skeleton`; sources always
    apart. interpose: sources with names that a sanitizer owns. shared_only, static_only: of one kind of
    library. probe: a source of noinline functions that inline the entries. sentinel: what every debug
    message carries. switches: C variables by which code is switched on and off at run time.
    """

    name: Name
    skeleton: File
    header: File
    library: Name  # lib<library>.so, lib<library>.a
    entries: Annotated[Mapping[Name, Entry], Entries(1)] = field(hash=False)
    doc: Sentence = ""
    version: Version = "0"
    soversion: SoVersion = ""
    unity_skeleton: File | None = None
    unity: File | None = None
    modules: Files = ()
    sources: Files = ()
    interpose: Files = ()
    shared_only: Files = ()
    static_only: Files = ()
    probe: File | None = None
    sentinel: Regex | None = None
    stats: Stats | None = None
    switches: Names = ()
    debug: Debug | None = None
    forbidden: tuple[Forbidden, ...] = ()

    @property
    def soname(self) -> str:
        """What the loader looks for: the shared library's name with the first number of its soversion."""
        first = self.soversion.partition(".")[0]
        return f"lib{self.library}.so" + (f".{first}" if first else "")

    @property
    def files(self) -> dict[str, tuple[str, ...]]:
        """Every C file of the system, by the key that names it."""
        groups = ("modules", "sources", "interpose", "shared_only", "static_only")
        found = {group: getattr(self, group) for group in groups}
        return {**found, "probe": (self.probe,) if self.probe else ()}
