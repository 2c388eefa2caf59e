"""What each cell runs and measures: tests, programs, loads, counters, other libraries, experiments."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

from layermatrix.core.kinds import (
    CFile,
    Entries,
    EnvironmentName,
    FigureName,
    File,
    FreeName,
    Glob,
    Globs,
    Items,
    Label,
    Line,
    LoadName,
    Misfit,
    Name,
    Node,
    OneOf,
    OwnName,
    Pattern,
    ProgramName,
    Question,
    Ref,
    Reserved,
    Seconds,
    Sentence,
    SharedLibrary,
    Switch,
    TestName,
    VariantName,
    VariantPattern,
    Word,
    integer,
    number,
)
from layermatrix.model.axes import Running
from layermatrix.model.layers import ALL
from layermatrix.model.patterns import match_any, matches

METRICS = ("instructions", "i1_misses", "d1_misses", "ll_misses", "branches", "mispredicted")
FLOOR = "floor"  # the floor library's name in timings
CacheNumber = Annotated[int, integer(1, 2**30)]
Words = Annotated[tuple[Word, ...], Items(1)]
PeerName = Annotated[Name, Reserved(FLOOR, "that is a key beside 'libraries'")]
TestNames = Annotated[tuple[TestName, ...], Items(unique=True)]
PeerLoads = Annotated[tuple[Annotated[Pattern, Ref("load of peers")], ...], Items(1, unique=True)]


@dataclass(frozen=True)
class Suite:
    """Test programs, which exit with 0 when they pass, grouped by what they are linked with.

    sources: with the shared library. static: with the static library. alone: with neither; they load the
    library themselves. inside: with the static library, also under sanitizers; they use hidden symbols.
    scripts: pytest files that run for each cell. soak: program -> its arguments in a soak test; `{seconds}`
    stands for the duration. native: programs that an emulator disturbs; cells whose programs run under one
    leave them out. long: tests that `tests=short` leaves out. thorough: the variants for which
    `tests=short` leaves out none, unless the cell has a sanitizer, another target or a value of an own
    axis, and which alone the job `test` tests in debug mode; empty: all. timeout: the seconds of a test;
    timeouts: those of single tests; cell_timeout: those of all tests of a cell together, 0 for no limit.
    """

    sources: Annotated[tuple[Glob, ...], Items(1, unique=True, alone=True)] = ()
    static: Globs = ()
    alone: Globs = ()
    inside: Globs = ()
    scripts: Globs = ()
    soak: Mapping[TestName, Words] = field(default_factory=dict, hash=False)
    native: TestNames = ()
    long: TestNames = ()
    thorough: tuple[VariantPattern, ...] = ()
    timeout: Seconds = 120
    timeouts: Mapping[TestName, Seconds] = field(default_factory=dict, hash=False)
    cell_timeout: Annotated[int, integer(0, 86_400)] = 0

    def is_thorough(self, variant: str) -> bool:
        """Whether a variant is also tested with the long tests, and in debug mode."""
        return not self.thorough or match_any([variant], self.thorough)

    @property
    def globs(self) -> tuple[str, ...]:
        """The patterns of all kinds."""
        return (*self.sources, *self.static, *self.alone, *self.inside, *self.scripts)


@dataclass(frozen=True)
class Programs:
    """Scripts that start existing programs. Their output must be the same with the library preloaded and
    without. soak: scripts that take long, and run only with `soak=`. timeout: seconds."""

    scripts: Glob = ""  # none
    soak: Annotated[tuple[Annotated[Name, Ref("script")], ...], Items(unique=True)] = ()
    timeout: Seconds = 120


@dataclass(frozen=True)
class Fuzz:
    """libFuzzer programs (sources), and the folder of their initial inputs (corpus)."""

    sources: Glob
    corpus: File


@dataclass(frozen=True)
class Baseline:
    """The baseline that every cell is compared with. reported: its reported figures, by name."""

    name: Line = "baseline"
    reported: Mapping[FigureName, Label] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Recorder:
    """What records the calls of programs. source: the C file of a library that is preloaded into a program
    and writes its calls to a trace. program: the benchmark that replays a trace. traces: the folder of the
    recorded traces, which are compressed; `benches` unpacks them into build/traces."""

    source: CFile
    program: ProgramName
    traces: File


class Link(enum.Enum):
    """How a benchmark gets the hot path. The catalogue's profile sets the default.

    INLINED: each cell compiles the benchmark with the cell's header and links it with the cell's library.
    PRELOADED: the benchmark calls functions that the system has as well. A preloaded library replaces them.
    """

    PRELOADED = "preloaded"
    INLINED = "inlined"


@dataclass(frozen=True)
class Load:
    """A benchmark. args: the program's arguments for timing; without arguments the load is not timed.
    counted: its arguments under the cache simulator. environment, before: the variables of a timed run, and a
    command that starts it. link: how it gets the hot path; None in a file means the
    profile's default. parallel: it runs several threads, so it is not bound to one CPU."""

    name: OwnName
    doc: Sentence
    program: ProgramName
    args: Words = ()
    counted: tuple[Word, ...] = ()
    link: Link | None = None
    environment: Mapping[EnvironmentName, Word] = field(default_factory=dict, hash=False)
    before: tuple[Word, ...] = ()
    parallel: Switch = False

    def run_as(self, way: Running) -> Load:
        """This load in another way of running. It is timed and not counted."""
        return replace(
            self,
            name=f"{self.name}_{way.name.replace('-', '_')}",
            doc=f"{self.doc}; {way}",
            args=(*self.args, *way.args),
            counted=(),
            environment={**self.environment, **way.environment},
            before=(*way.before, *self.before),
        )

    @property
    def is_inlined(self) -> bool:
        return self.link is Link.INLINED


@dataclass(frozen=True)
class Timing:
    """rounds: the number of timed runs of each load. headline: the load in the first column of speed.
    smallest_effect: the difference in percent that a speed has to exceed to be called faster or slower."""

    headline: LoadName = ""  # the first load that is timed
    rounds: Annotated[int, integer(1, 1000)] = 10
    smallest_effect: Annotated[float, number(0, 100)] = 1.0

    @property
    def smallest_share(self) -> float:
        """The smallest effect as a share."""
        return self.smallest_effect / 100


@dataclass(frozen=True)
class Limit:
    """The allowed growth of a figure: the larger of `percent` (of the figure) and `soft`, but at most
    `hard`. `soft` and `hard` have the figure's own unit."""

    percent: Annotated[float, number(0, 1000)]
    soft: Annotated[float, number(0, 1_000_000)]
    hard: Annotated[float, number(0, 1_000_000)]

    def __post_init__(self) -> None:
        if self.soft > self.hard:
            raise Misfit("is greater than 'hard'", at=("soft",))


class Cache(Items):
    """The kind of a cache's values: its bytes, its ways, and the bytes of a line."""

    def before(self, node: Node) -> Node:
        what = "{slot} must be [bytes, ways, line]; line and the number of sets must be powers of two"
        numbers = [part.value for part in super().before(node).value]
        if not is_cache(numbers):
            raise Misfit(what, "such as [32768, 8, 64]", (0,) if numbers else (), whole=True)
        return node


def is_cache(numbers: list[object]) -> bool:
    """Whether these are the bytes, ways and line bytes of a cache that Cachegrind can simulate."""
    known = [number for number in numbers if type(number) is int and number > 0]
    if len(known) != len(numbers) or len(numbers) != 3:
        return False
    size, ways, line = known
    sets, rest = divmod(size, ways * line)
    return rest == 0 and sets & (sets - 1) == 0 and line & (line - 1) == 0 and line >= 16


CacheSize = Annotated[tuple[CacheNumber, CacheNumber, CacheNumber], Cache()]


@dataclass(frozen=True)
class Counters:
    """loads: the loads to simulate. I1, D1, LL: each cache as (bytes, ways, bytes of a line). limits: the
    allowed growth of each figure."""

    loads: Annotated[tuple[LoadName, ...], Items(1, unique=True)] = ()
    I1: CacheSize = (32768, 8, 64)
    D1: CacheSize = (32768, 8, 64)
    LL: CacheSize = (8388608, 16, 64)
    limits: Mapping[Annotated[str, OneOf(*METRICS)], Limit] = field(default_factory=dict, hash=False)


class FoundIn(enum.Enum):
    """Where to look for a library.

    LOADER: among the libraries that the loader knows. PYTHON: in the packages of the running Python. CLANG:
    among clang's runtime libraries.
    """

    LOADER = "loader"
    PYTHON = "python"
    CLANG = "clang"


@dataclass(frozen=True)
class Peer:
    """Another library with the same interface. file: its name, looked for in `found_in`. package: the package
    that contains it. variants: names and patterns of the variants that it is timed beside; none: all of them.
    """

    name: OwnName
    file: SharedLibrary
    package: Line
    found_in: FoundIn = FoundIn.LOADER
    variants: Annotated[tuple[VariantPattern, ...], Items(1, unique=True)] = ()

    def __post_init__(self) -> None:
        if self.found_in is not FoundIn.PYTHON and "/" in self.file:
            raise Misfit("has a folder, which only 'found_in: python' takes", at=("file",))

    def is_beside(self, variants: Iterable[str]) -> bool:
        """Whether it is timed beside any of these."""
        return not self.variants or match_any(variants, self.variants)


@dataclass(frozen=True)
class Floor:
    """The C file of a library that does the minimum amount of work. It is timed with the peers to show how
    much could still be gained; it is not a peer itself. loads: the loads that it can run; none: all."""

    source: CFile
    doc: Sentence
    loads: PeerLoads = ()


@dataclass(frozen=True)
class Group:
    """Loads of one kind. parallel: they run several threads, so their CPU time does not show their speed."""

    name: OwnName
    doc: Sentence
    parallel: Switch = False


@dataclass(frozen=True)
class Scale:
    """A load's place in a family of loads that differ in one number alone. The report draws each family as
    lines. family: the name of the number, such as threads. at: its value in this load."""

    family: Label
    at: Annotated[int, integer(1, 10**12)]


@dataclass(frozen=True)
class PeerLoad(Load):
    """A load that is timed beside other libraries. seconds: the approximate duration of a run; 0 if
    unknown. scale: its place in a family of loads; None for a load that stands alone."""

    args: Words = field()
    group: Annotated[Name, Ref("group")] = ""
    seconds: Annotated[float, number(0, 3600)] = 0.0
    scale: Scale | None = None

    def __post_init__(self) -> None:
        if self.is_inlined:
            raise Misfit(f"must be {Link.PRELOADED.value}: one program runs with every library", at=("link",))


@dataclass(frozen=True)
class Peers:
    """The variants (names and patterns) that are timed against other libraries, and the loads.

    default: the names, groups and patterns of the loads that are timed if the user selects none; empty means
    all. quiet: arguments that make a program report `after_kib`, its memory after all memory was freed.
    quiet_seconds: the additional run time with them. rounds: the number of timed runs of each load; 0: the
    number for other loads.
    """

    variants: Annotated[tuple[VariantPattern, ...], Items(1, unique=True)]
    libraries: Annotated[Mapping[PeerName, Peer], Entries(1)] = field(hash=False)
    loads: Annotated[Mapping[FreeName, PeerLoad], Entries(1)] = field(hash=False)
    floor: Floor | None = None
    groups: Mapping[FreeName, Group] = field(default_factory=dict, hash=False)
    default: PeerLoads = ()
    rounds: Annotated[int, integer(0, 1000)] = 0
    quiet: Words = ()
    quiet_seconds: Annotated[float, number(0, 3600)] = 0.0

    def named(self, words: Iterable[str]) -> list[PeerLoad]:
        """The loads that these names, groups and patterns select, each once, in the order of the matrix
        file."""
        wanted = [*words]
        return [load for load in self.loads.values() if any(self.is_named(load, word) for word in wanted)]

    def is_named(self, load: PeerLoad, word: str) -> bool:
        return word == load.group or matches(load.name, word)

    @property
    def by_default(self) -> list[PeerLoad]:
        """The loads that are timed if the user selects none."""
        return self.named(self.default or (ALL,))

    @property
    def of_floor(self) -> list[PeerLoad]:
        """The loads that the floor can run."""
        return self.named(self.floor.loads or (ALL,)) if self.floor else []

    def is_parallel(self, load: PeerLoad) -> bool:
        group = self.groups.get(load.group)
        return load.parallel or (group is not None and group.parallel)


@dataclass(frozen=True)
class Page:
    """A page of docs/ with a table made from a test's output, one column group per variant.

    Each output line `<mark> <row> | <part> | <text>` is one entry of the table. libraries: further columns,
    which are recorded, because other machines may lack the library; by its name, its version in words. For
    them the last variant's test runs with the library preloaded and OBSERVE_ONLY set, and judges nothing.
    """

    name: OwnName
    doc: Sentence
    test: TestName
    mark: Line
    variants: Annotated[tuple[VariantName, ...], Items(1, unique=True)]
    libraries: Mapping[FreeName, Line] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Experiment:
    """A question that a measurement answers. variants: the first is the baseline of the others. loads: the
    first one decides, by the figure that `decides` names. kept: the variant that the project kept."""

    name: OwnName
    question: Question
    doc: Sentence
    variants: Annotated[tuple[VariantName, ...], Items(2, unique=True)]
    loads: Annotated[tuple[LoadName, ...], Items(1, unique=True)]
    decides: Annotated[str, OneOf("speed", "instructions", "misses")]
    kept: Name | None = None
