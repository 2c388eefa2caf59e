"""The library that is built from the layers, as the build and the evidence see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from layermatrix.core.kinds import (
    Entries,
    EnvironmentName,
    File,
    Items,
    Misfit,
    Name,
    Names,
    OneOf,
    Ref,
    Regex,
    Reserved,
    RoleName,
    Sentence,
    SourceFile,
    SourceFiles,
    SoVersion,
    Symbol,
    Version,
)

MODES = ("release", "debug", "stats")
FROM_WHERE = ("env", "fixed")  # read from the environment at run time, or fixed by the variant
LIBRARY = "library"  # in budgets, the key of limits for the whole library
Mode = Annotated[str, OneOf(*MODES)]
FromWhere = Annotated[str, OneOf(*FROM_WHERE)]
EntryName = Annotated[Name, Reserved(LIBRARY, "budgets use that for the whole library")]


@dataclass(frozen=True)
class Entry:
    """A function of the hot path. probe: the probe's function that inlines it. role: the first layer with
    this role serves a hit; without a role, the first layer does."""

    function: Name
    probe: Annotated[Name, Ref("function")]
    role: RoleName | None = None


@dataclass(frozen=True)
class Stats:
    """The builds in which layers count. mode: their mode. of: the mode whose behaviour the counts describe.
    env: the environment variable with the file to which a program writes its counts at exit. sources: C files
    of these builds only."""

    mode: Mode
    of: Mode
    env: EnvironmentName
    sources: SourceFiles = ()


@dataclass(frozen=True)
class Debug:
    """Debug code in C. macro: the macro that guards it. prints: the functions that it prints with."""

    macro: Name
    prints: Annotated[tuple[Name, ...], Items(1, unique=True)]


@dataclass(frozen=True)
class Condition:
    """A condition on a variant: whether its toggles or options are read from the environment or fixed."""

    toggles: FromWhere | None = None
    options: FromWhere | None = None

    def __post_init__(self) -> None:
        if self.toggles is None and self.options is None:
            raise Misfit(
                "this condition is always true",
                "leave it out, or name toggles or options",
                whole=True,
                at_key=True,
            )

    def holds(self, toggles: str, options: str) -> bool:
        return self.toggles in (None, toggles) and self.options in (None, options)


@dataclass(frozen=True)
class Allowed:
    """A C file that is exempt from a rule."""

    source: Annotated[File, Ref("source")]
    reason: Sentence


@dataclass(frozen=True)
class Forbidden:
    """Functions (names or patterns) that no object of a release build may refer to."""

    symbols: Annotated[tuple[Symbol, ...], Items(1, unique=True)]
    reason: Sentence
    when: Condition | None = None
    allowed: tuple[Allowed, ...] = ()


@dataclass(frozen=True)
class System:
    """Paths are relative to the folder of C sources, except `skeleton` and `unity_skeleton`, which are
    relative to `templates/`.

    modules: compiled separately, or included by the unit that is printed from `unity_skeleton`. sources:
    always compiled separately. without_sanitizer: sources that a build with a sanitizer leaves out.
    shared_only, static_only: sources of one kind of library. probe: a source of noinline functions that
    inline the entries. sentinel: a text that every debug message contains. switches: C variables that switch
    code on and off at run time.
    """

    name: Name
    skeleton: File
    header: File
    library: Name  # lib<library>.so, lib<library>.a
    entries: Annotated[Mapping[EntryName, Entry], Entries(1)] = field(hash=False)
    doc: Sentence = ""
    version: Version = "0"
    soversion: SoVersion = ""
    unity_skeleton: File | None = None
    unity: File | None = None
    modules: SourceFiles = ()
    sources: SourceFiles = ()
    without_sanitizer: SourceFiles = ()
    shared_only: SourceFiles = ()
    static_only: SourceFiles = ()
    probe: SourceFile | None = None
    sentinel: Regex | None = None
    stats: Stats | None = None
    switches: Names = ()
    debug: Debug | None = None
    forbidden: tuple[Forbidden, ...] = ()

    @property
    def shared(self) -> str:
        """The file name of the shared library."""
        return f"lib{self.library}.so"

    @property
    def static(self) -> str:
        """The file name of the static library."""
        return f"lib{self.library}.a"

    @property
    def soname(self) -> str:
        """The name that the loader searches for: lib<library>.so with the first number of the soversion."""
        first = self.soversion.partition(".")[0]
        return self.shared + (f".{first}" if first else "")

    @property
    def own_sources(self) -> tuple[str, ...]:
        """The C files of both kinds of library."""
        return (*self.modules, *self.sources, *self.without_sanitizer)

    @property
    def every_source(self) -> tuple[str, ...]:
        """The C files of the library, with those of one kind alone."""
        return (*self.own_sources, *self.shared_only, *self.static_only)
