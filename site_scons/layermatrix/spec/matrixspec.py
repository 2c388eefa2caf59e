"""What matrix.yaml may say, and the reading of it; `spec` has the shapes of the other files."""

# ruff: noqa: RUF009  `key` makes a dataclass field, which ruff cannot know

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from layermatrix.core.errors import Report, quote
from layermatrix.model.matrix import AXES
from layermatrix.spec.schema import (
    Integer,
    ListOf,
    MapOf,
    Number,
    OneOf,
    Placed,
    Record,
    Shape,
    Text,
    Word,
    key,
)
from layermatrix.spec.shapes import COMPILERS, DOC, FILE, LINE, MODES, NAME, QUOTED, load

GLOB = Text("a relative path or pattern", r"(?!/)(?!.*(^|/)\.\.?(/|$))[\w./+*?\[\]-]+")
PATTERN = Text("a name or a pattern such as phase*", r"[\w*?\[\]!-]+")
FILE_NAME = Text("the name of a shared library, such as libm.so.6", r"[\w.+-]+\.so[\w.]*")
C_FILE = Text("the path of a C file, such as src/floor.c", r"(?!/)(?!.*(^|/)\.\.?(/|$))[\w./+-]+\.c")
SECONDS = Integer(1, 86_400)
METRICS = ("instructions", "i1_misses", "d1_misses", "ll_misses", "branches", "mispredicted")


@dataclass(frozen=True)
class AxesSpec(Shape):
    """The values of each axis, in the order in which cells are listed."""

    variant: tuple[Placed[str], ...] = key(ListOf(PATTERN, at_least=1, unique=True))
    mode: tuple[Placed[str], ...] = key(ListOf(OneOf(*MODES), at_least=1, unique=True))
    compiler: tuple[Placed[str], ...] = key(ListOf(OneOf(*COMPILERS), at_least=1, unique=True))
    sanitizer: tuple[Placed[str], ...] = key(
        ListOf(OneOf("none", "asan", "ubsan", "tsan"), at_least=1, unique=True), required=False
    )
    target: tuple[Placed[str], ...] = key(ListOf(NAME, at_least=1, unique=True), required=False)


@dataclass(frozen=True)
class CellsSpec(Shape):
    """A choice of cells: those with one of the values given, on each axis that is given."""

    variant: tuple[Placed[str], ...] = key(ListOf(PATTERN, at_least=1, alone=True), required=False)
    mode: tuple[Placed[str], ...] = key(ListOf(PATTERN, at_least=1, alone=True), required=False)
    compiler: tuple[Placed[str], ...] = key(ListOf(PATTERN, at_least=1, alone=True), required=False)
    sanitizer: tuple[Placed[str], ...] = key(ListOf(PATTERN, at_least=1, alone=True), required=False)
    target: tuple[Placed[str], ...] = key(ListOf(PATTERN, at_least=1, alone=True), required=False)

    def values(self, axis: str) -> tuple[Placed[str], ...]:
        found: tuple[Placed[str], ...] = getattr(self, axis)
        return found


@dataclass(frozen=True)
class RuleSpec(Shape):
    exclude: CellsSpec = key(Record(CellsSpec))
    reason: Placed[str] = key(DOC)

    def check(self, report: Report) -> Iterable[str]:
        if self.sound("exclude") and not any(self.exclude.values(axis) for axis in AXES):
            report.error(
                self.exclude.place, "this rule leaves every cell out", f"name one of {', '.join(AXES)}"
            )
            return ("exclude",)
        return ()


@dataclass(frozen=True)
class SuiteSpec(Shape):
    """The test programs, by what they are linked with: the shared library, the static one, or neither.

    `inside`: the static one, also where a sanitizer has functions of the same names. `scripts`: pytest's, run
    for each cell. `soak`: what a program is told where a soak is asked for; `{seconds}` is its length.
    """

    sources: tuple[Placed[str], ...] = key(ListOf(GLOB, at_least=1, alone=True, unique=True))
    static: tuple[Placed[str], ...] = key(ListOf(GLOB, alone=True, unique=True), required=False)
    alone: tuple[Placed[str], ...] = key(ListOf(GLOB, alone=True, unique=True), required=False)
    inside: tuple[Placed[str], ...] = key(ListOf(GLOB, alone=True, unique=True), required=False)
    scripts: tuple[Placed[str], ...] = key(ListOf(GLOB, alone=True, unique=True), required=False)
    soak: tuple[tuple[Placed[str], tuple[Placed[str], ...] | None], ...] = key(
        MapOf(NAME, ListOf(Word(), at_least=1), "program"), required=False
    )
    timeout: Placed[int] = key(SECONDS)


@dataclass(frozen=True)
class ProgramsSpec(Shape):
    scripts: Placed[str] = key(GLOB)
    timeout: Placed[int] = key(SECONDS)


@dataclass(frozen=True)
class FuzzSpec(Shape):
    """libFuzzer programs, and the folder of inputs that they start from."""

    sources: Placed[str] = key(GLOB)
    corpus: Placed[str] = key(FILE)


@dataclass(frozen=True)
class BaselineSpec(Shape):
    name: Placed[str] = key(LINE)
    quoted: tuple[tuple[Placed[str], Placed[str] | None], ...] = key(QUOTED, required=False)


@dataclass(frozen=True)
class LoadSpec(Shape):
    """A benchmark program; `args` when it is timed (without them it is not), `counted` when simulated."""

    doc: Placed[str] = key(DOC)
    program: Placed[str] = key(NAME)
    args: tuple[Placed[str], ...] = key(ListOf(Word(), at_least=1), required=False)
    counted: tuple[Placed[str], ...] = key(ListOf(Word()))


@dataclass(frozen=True)
class TimingSpec(Shape):
    rounds: Placed[int] = key(Integer(1, 1000))
    headline: Placed[str] = key(NAME)


@dataclass(frozen=True)
class LimitSpec(Shape):
    """How much a figure may grow: by `percent` or by `soft`, whichever is more, and never by `hard`."""

    percent: Placed[float] = key(Number(0, 1000))
    soft: Placed[float] = key(Number(0, 1_000_000))
    hard: Placed[float] = key(Number(0, 1_000_000))

    def check(self, report: Report) -> Iterable[str]:
        if self.sound("soft", "hard") and self.soft.value > self.hard.value:
            report.error(self.soft.place, "'soft' is above 'hard'")
            return ("soft",)
        return ()


@dataclass(frozen=True)
class CountersSpec(Shape):
    """The loads that are simulated, the caches (bytes, ways, bytes of a line), and the limits of growth."""

    loads: tuple[Placed[str], ...] = key(ListOf(NAME, at_least=1, unique=True))
    I1: tuple[Placed[int], ...] = key(ListOf(Integer(1, 2**30)))
    D1: tuple[Placed[int], ...] = key(ListOf(Integer(1, 2**30)))
    LL: tuple[Placed[int], ...] = key(ListOf(Integer(1, 2**30)))
    limits: tuple[tuple[Placed[str], LimitSpec | None], ...] = key(
        MapOf(OneOf(*METRICS), Record(LimitSpec), "limit"), required=False
    )

    def check(self, report: Report) -> Iterable[str]:
        caches = {"I1": self.I1, "D1": self.D1, "LL": self.LL}
        broken = [name for name, cache in caches.items() if self.sound(name) and not is_cache(cache)]
        for name in broken:
            place = caches[name][0].place if caches[name] else self.place
            what = (
                f"{quote(name)} must be [bytes, ways, line], where line and number of sets are powers of two"
            )
            report.error(place, what, "such as [32768, 8, 64]")
        return broken


def is_cache(numbers: tuple[Placed[int], ...]) -> bool:
    """Whether these are bytes, ways and line size of a cache that can be simulated."""
    if len(numbers) != 3:
        return False
    size, ways, line = (number.value for number in numbers)
    sets, rest = divmod(size, ways * line)
    return rest == 0 and sets & (sets - 1) == 0 and line & (line - 1) == 0 and line >= 16


@dataclass(frozen=True)
class PeerSpec(Shape):
    """Another library that does the same: the file that the loader knows, and the package that has it."""

    file: Placed[str] = key(FILE_NAME)
    package: Placed[str] = key(LINE)


@dataclass(frozen=True)
class PeerLoadSpec(Shape):
    """A benchmark program that is timed beside the peers."""

    doc: Placed[str] = key(DOC)
    program: Placed[str] = key(NAME)
    args: tuple[Placed[str], ...] = key(ListOf(Word(), at_least=1))


@dataclass(frozen=True)
class FloorSpec(Shape):
    """The C file of a library that does the least that one of the kind could do; it counts as no peer."""

    source: Placed[str] = key(C_FILE)
    doc: Placed[str] = key(DOC)


@dataclass(frozen=True)
class PeersSpec(Shape):
    """What the job `peers` times: these variants where none is asked for, beside these libraries."""

    variants: tuple[Placed[str], ...] = key(ListOf(PATTERN, at_least=1, unique=True))
    libraries: tuple[tuple[Placed[str], PeerSpec | None], ...] = key(
        MapOf(NAME, Record(PeerSpec), "library", at_least=1)
    )
    loads: tuple[tuple[Placed[str], PeerLoadSpec | None], ...] = key(
        MapOf(NAME, Record(PeerLoadSpec), "load", at_least=1)
    )
    floor: FloorSpec | None = key(Record(FloorSpec), required=False)


@dataclass(frozen=True)
class PageSpec(Shape):
    """docs/<name>.md: a table of what one test program says in each of these variants.

    A line `<mark> <row> | <part> | <word>` of its output is an entry.
    """

    doc: Placed[str] = key(DOC)
    test: Placed[str] = key(NAME)
    mark: Placed[str] = key(LINE)
    variants: tuple[Placed[str], ...] = key(ListOf(NAME, at_least=1, unique=True))


@dataclass(frozen=True)
class MatrixSpec(Shape):
    """matrix.yaml: the axes, and what is run and measured in each cell."""

    doc: Placed[str] = key(DOC)
    axes: AxesSpec = key(Record(AxesSpec))
    rules: tuple[RuleSpec, ...] = key(ListOf(Record(RuleSpec)), required=False)
    default: CellsSpec | None = key(Record(CellsSpec), required=False)
    tests: SuiteSpec = key(Record(SuiteSpec))
    programs: ProgramsSpec = key(Record(ProgramsSpec))
    fuzz: FuzzSpec | None = key(Record(FuzzSpec), required=False)
    baseline: BaselineSpec = key(Record(BaselineSpec))
    loads: tuple[tuple[Placed[str], LoadSpec | None], ...] = key(
        MapOf(NAME, Record(LoadSpec), "load", at_least=1)
    )
    timing: TimingSpec = key(Record(TimingSpec))
    counters: CountersSpec = key(Record(CountersSpec))
    peers: PeersSpec | None = key(Record(PeersSpec), required=False)
    pages: tuple[tuple[Placed[str], PageSpec | None], ...] = key(
        MapOf(NAME, Record(PageSpec), "page"), required=False
    )


_MATRIX = Record(MatrixSpec)


def load_matrix(file: Path, shown: str, report: Report) -> MatrixSpec | None:
    """Read matrix.yaml; `shown` is its path in messages. None if nothing of it could be read."""
    return load(_MATRIX, file, shown, report)
