"""What is run in each cell and measured: tests, programs, loads, counters, other libraries, experiments."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Annotated

from layermatrix.core.kinds import (
    CFile,
    Entries,
    EnumOf,
    File,
    Glob,
    Globs,
    Integer,
    Items,
    Label,
    Line,
    LoadName,
    Misfit,
    Name,
    Number,
    OneOf,
    OwnName,
    Pattern,
    Question,
    Record,
    Seconds,
    Sentence,
    SharedLibrary,
    Switch,
    VariantName,
    VariantPattern,
    Word,
)
from layermatrix.model.layers import ALL

METRICS = ("instructions", "i1_misses", "d1_misses", "ll_misses", "branches", "mispredicted")
FLOOR = "floor"  # its name among those that are timed
CacheNumber = Annotated[int, Integer(1, 2**30)]
Words = Annotated[tuple[Word, ...], Items(1)]


@dataclass(frozen=True)
class Suite(Record):
    """Test programs that exit with 0 when they pass, by what they are linked with; `timeout` in seconds.

    sources: with the shared library. static: with the static library. alone: with neither; they load it, or
    are started with it. inside: with the static library, with a sanitizer too; they use what the library
    hides. scripts: pytest's, run for each cell. soak: the arguments of a program in a soak, by its name;
    `{seconds}` stands for its length.
    """

    sources: Annotated[tuple[Glob, ...], Items(1, unique=True, alone=True)] = ()
    static: Globs = ()
    alone: Globs = ()
    inside: Globs = ()
    scripts: Globs = ()
    soak: Mapping[Name, Words] = field(default_factory=dict, hash=False)
    timeout: Seconds = 120

    @property
    def globs(self) -> dict[str, tuple[str, ...]]:
        """The patterns by the key that names them."""
        return {name: getattr(self, name) for name in ("sources", "static", "alone", "inside", "scripts")}


@dataclass(frozen=True)
class Programs(Record):
    """Scripts whose output must not change when the library is preloaded."""

    scripts: Glob = ""  # none
    timeout: Seconds = 120


@dataclass(frozen=True)
class Fuzz(Record):
    """libFuzzer programs, and the folder of inputs that they start from."""

    sources: Glob
    corpus: File


@dataclass(frozen=True)
class Baseline(Record):
    """What every cell is compared with."""

    name: Line = "baseline"
    reported: Mapping[Name, Label] = field(default_factory=dict, hash=False)


class Link(enum.Enum):
    """How a benchmark gets the hot path.

    PRELOADED: it calls functions of the library that is preloaded into it, or the system's. INLINED: it is
    compiled in each cell with the cell's header, and linked with the cell's library.
    """

    PRELOADED = "preloaded"
    INLINED = "inlined"


@dataclass(frozen=True)
class Load(Record):
    """A benchmark: its program, how that gets the hot path, and its arguments when it is timed (without any
    it is not) and when it is simulated."""

    name: OwnName
    doc: Sentence
    program: Name
    args: Words = ()
    counted: tuple[Word, ...] = ()
    link: Annotated[Link, EnumOf(Link)] = Link.PRELOADED

    @property
    def is_inlined(self) -> bool:
        return self.link is Link.INLINED


@dataclass(frozen=True)
class Timing(Record):
    """How often each load is timed; `headline` is the load of the first column of speed."""

    headline: LoadName = ""  # the first load that is timed
    rounds: Annotated[int, Integer(1, 1000)] = 7


@dataclass(frozen=True)
class Limit(Record):
    """A figure may grow by `percent` or by `soft`, whichever is more, and never by more than `hard`."""

    percent: Annotated[float, Number(0, 1000)]
    soft: Annotated[float, Number(0, 1_000_000)]
    hard: Annotated[float, Number(0, 1_000_000)]

    def __post_init__(self) -> None:
        if self.soft > self.hard:
            raise Misfit("is above 'hard'", at=("soft",))


class Cache(Items):
    """Bytes, ways and bytes of a line of a cache that can be simulated."""

    def before(self, value: object) -> object:
        what = "{slot} must be [bytes, ways, line], where line and number of sets are powers of two"
        numbers = [getattr(part, "value", None) for part in super().before(value)]
        if not is_cache(numbers):
            raise Misfit(what, "such as [32768, 8, 64]", (0,) if numbers else (), whole=True)
        return value


def is_cache(numbers: list[object]) -> bool:
    """Whether these are bytes, ways and line size of a cache that can be simulated."""
    known = [number for number in numbers if type(number) is int and number > 0]
    if len(known) != len(numbers) or len(numbers) != 3:
        return False
    size, ways, line = known
    sets, rest = divmod(size, ways * line)
    return rest == 0 and sets & (sets - 1) == 0 and line & (line - 1) == 0 and line >= 16


CacheSize = Annotated[tuple[CacheNumber, CacheNumber, CacheNumber], Cache()]


@dataclass(frozen=True)
class Counters(Record):
    """The loads to simulate, each cache as bytes, ways, bytes of a line, and the limit of each figure."""

    loads: Annotated[tuple[LoadName, ...], Items(1, unique=True)] = ()
    I1: CacheSize = (32768, 8, 64)
    D1: CacheSize = (32768, 8, 64)
    LL: CacheSize = (8388608, 16, 64)
    limits: Mapping[Annotated[str, OneOf(*METRICS)], Limit] = field(default_factory=dict, hash=False)


class FoundIn(enum.Enum):
    """Where a library's file is looked for.

    LOADER: among the libraries that the loader knows. PYTHON: in the packages of the Python that runs this.
    CLANG: among clang's runtime libraries.
    """

    LOADER = "loader"
    PYTHON = "python"
    CLANG = "clang"


@dataclass(frozen=True)
class Peer(Record):
    """Another library that does the same: its file, where that is looked for, and the package that has it.

    variants: names and patterns of those that it is timed beside; none: beside all.
    """

    name: OwnName
    file: SharedLibrary
    package: Line
    found_in: Annotated[FoundIn, EnumOf(FoundIn)] = FoundIn.LOADER
    variants: Annotated[tuple[VariantPattern, ...], Items(1, unique=True)] = ()

    def __post_init__(self) -> None:
        if self.found_in is not FoundIn.PYTHON and "/" in self.file:
            raise Misfit("has a folder, which only 'found_in: python' takes", at=("file",))

    def is_beside(self, variants: Iterable[str]) -> bool:
        """Whether it is timed beside any of these."""
        return not self.variants or any(
            pattern == ALL or fnmatchcase(name, pattern) for name in variants for pattern in self.variants
        )


@dataclass(frozen=True)
class Floor(Record):
    """The C file of a library that does the least that one of the kind could do. It is timed beside the peers
    to show what is left to win, and is none of them. loads: those that it can run; none: all."""

    source: CFile
    doc: Sentence
    loads: Annotated[tuple[Pattern, ...], Items(1, unique=True)] = ()


@dataclass(frozen=True)
class Group(Record):
    """Loads of one kind. parallel: they run several threads, whose CPU time says little of speed."""

    name: OwnName
    doc: Sentence
    parallel: Switch = False


@dataclass(frozen=True)
class PeerLoad(Load):
    """A load that is timed beside other libraries. seconds: about how long one run takes; 0: not known."""

    group: Name = ""
    seconds: Annotated[float, Number(0, 3600)] = 0.0


@dataclass(frozen=True)
class Peers(Record):
    """What is timed beside other libraries: variants (names and patterns), and loads with `args` alone.

    default: the loads that are timed where none is named, by names, groups and patterns; none: all. quiet:
    arguments with which a program reports `after_kib`, its memory after all was freed; `quiet_seconds`: how
    much longer it runs with them. rounds: how often each load is timed; 0: as often as other loads are.
    """

    variants: Annotated[tuple[VariantPattern, ...], Items(1, unique=True)]
    libraries: Annotated[Mapping[Name, Peer], Entries(1, named=True)] = field(hash=False)
    loads: Annotated[Mapping[Name, PeerLoad], Entries(1, named=True)] = field(hash=False)
    floor: Floor | None = None
    groups: Annotated[Mapping[Name, Group], Entries(named=True)] = field(default_factory=dict, hash=False)
    default: Annotated[tuple[Pattern, ...], Items(1, unique=True)] = ()
    rounds: Annotated[int, Integer(0, 1000)] = 0
    quiet: Words = ()
    quiet_seconds: Annotated[float, Number(0, 3600)] = 0.0

    def named(self, words: Iterable[str]) -> list[PeerLoad]:
        """The loads that these names, groups and patterns stand for, each once, in their own order."""
        wanted = [*words]
        return [load for load in self.loads.values() if any(self.is_named(load, word) for word in wanted)]

    def is_named(self, load: PeerLoad, word: str) -> bool:
        return word in (ALL, load.group) or fnmatchcase(load.name, word)

    @property
    def by_default(self) -> list[PeerLoad]:
        """The loads that are timed where none is named."""
        return self.named(self.default or (ALL,))

    @property
    def of_floor(self) -> list[PeerLoad]:
        """The loads that the floor can run."""
        return self.named(self.floor.loads or (ALL,)) if self.floor else []

    def is_parallel(self, load: PeerLoad) -> bool:
        group = self.groups.get(load.group)
        return group is not None and group.parallel


@dataclass(frozen=True)
class Page(Record):
    """A page of docs/, made from the lines of a test's output that begin with `mark`, variant by variant.

    A line `<mark> <row> | <part> | <word>` of the output is an entry of the page's table.
    """

    name: OwnName
    doc: Sentence
    test: Name
    mark: Line
    variants: Annotated[tuple[VariantName, ...], Items(1, unique=True)]


@dataclass(frozen=True)
class Experiment(Record):
    """A question that a measurement answers. variants: its sides; the others are compared with the first.
    loads: the first one decides, by the figure that `decides` names. kept: the side that was gone on with."""

    name: OwnName
    question: Question
    doc: Sentence
    variants: Annotated[tuple[VariantName, ...], Items(2, unique=True)]
    loads: Annotated[tuple[LoadName, ...], Items(1, unique=True)]
    decides: Annotated[str, OneOf("speed", "instructions", "misses")]
    kept: Name | None = None
