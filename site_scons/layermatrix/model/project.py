"""What a resolved project is made of: frozen records with every implied value filled in.

Templates print these, the build and the reports read them. Nothing here knows of YAML; `model` makes
them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from typing import Any

PACKED_MOST = 255  # blocks of a list whose room is a byte
CHECKS = ("none", "basic", "full")  # by their level
FLOOR = "floor"  # its name among those that are timed


@dataclass(frozen=True)
class BudgetLimit:
    """The most that a figure may be, and where that is written: path:line."""

    most: int
    place: str


# entry (or `library`) -> metric -> configuration -> limit
Budget = Mapping[str, Mapping[str, Mapping[str, BudgetLimit]]]


@dataclass(frozen=True)
class SizeClass:
    """A size class; `index` counts from 0, `size` is in bytes."""

    name: str
    index: int
    size: int


@dataclass(frozen=True)
class Toggle:
    """A layer's switch: the environment variable, and what holds without it."""

    env: str
    default: bool


@dataclass(frozen=True)
class Layer:
    """One stage on the way of an allocation or a free, as a variant has it."""

    name: str
    title: str
    doc: str
    role: str  # cache, overflow, refill
    classes: tuple[SizeClass, ...]
    storage: str  # array_stack, ring, magazine, linked_list, packed_list, none
    capacity: int  # blocks of one class; 0: not bounded in blocks
    bytes_bound: int  # bytes of one class; 0: not bounded in bytes
    toggle: Toggle | None
    needs: tuple[str, ...]
    conflicts: tuple[str, ...]
    serves_all: bool
    position: int  # in the variant, from 1; 0 in the catalogue

    @property
    def template(self) -> str:
        """The layer's template, relative to the folder of templates."""
        return f"layers/{self.name}.h.j2"

    @property
    def class_mask(self) -> int:
        """Bit i stands for class i."""
        return sum(1 << size_class.index for size_class in self.classes)

    @property
    def first_class(self) -> int:
        return self.classes[0].index

    @property
    def last_class(self) -> int:
        return self.classes[-1].index

    @property
    def limits(self) -> tuple[int, ...]:
        """Blocks that fit, for each class from the first to the last; by the tighter one of the bounds."""
        sizes = {size_class.index: size_class.size for size_class in self.classes}
        span = range(self.first_class, self.last_class + 1)
        return tuple(self._limit(sizes[index]) if index in sizes else 0 for index in span)

    def _limit(self, size: int) -> int:
        in_blocks = [self.capacity] if self.capacity else []
        in_bytes = [max(self.bytes_bound // size, 1)] if self.bytes_bound else []
        in_a_word = [PACKED_MOST] if self.storage == "packed_list" else []
        return min(in_blocks + in_bytes + in_a_word)

    @property
    def contiguous(self) -> bool:
        """Whether no class between the first and the last is left out."""
        return self.last_class - self.first_class + 1 == len(self.classes)


@dataclass(frozen=True)
class Option:
    """A setting of a variant. With `env` it is read from the environment, and `value` is the default."""

    name: str
    doc: str
    type: str  # bool, int
    value: bool | int
    low: int  # the least value, 0 of a bool
    high: int  # the largest value, 1 of a bool
    env: str | None


@dataclass(frozen=True)
class Entry:
    """A function of the fast path, and the probe's function that inlines it."""

    function: str
    probe: str
    role: str | None  # of the layers of which the first one's hit is meant; None: of all


@dataclass(frozen=True)
class Stats:
    """The builds in which layers count: their mode, the mode whose code the figures are about, the
    environment variable that names the file to which a program writes its counts at exit, and the sources
    that only they have."""

    mode: str
    of: str
    env: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Debug:
    """What debug code looks like in C: the macro that guards it, and the functions by which it prints."""

    macro: str
    prints: tuple[str, ...]


@dataclass(frozen=True)
class Forbidden:
    """Functions (names or patterns) that no object of a release may refer to.

    `when` names what must be so in the variant: toggles or options, env or fixed. `allowed` holds the C files
    that may, each with the reason.
    """

    symbols: tuple[str, ...]
    reason: str
    when: Mapping[str, str] = field(hash=False)
    allowed: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True)
class System:
    """The program that is put together from the layers; files are relative to `csrc/` or `templates/`."""

    name: str
    doc: str
    version: str
    skeleton: str
    header: str
    unity_skeleton: str
    unity: str
    libname: str  # lib<libname>.so, lib<libname>.a
    modules: tuple[str, ...]
    sources: tuple[str, ...]
    interpose: tuple[str, ...]
    shared_only: tuple[str, ...]  # files of the shared library alone
    static_only: tuple[str, ...]  # files of the static library alone
    probe: str
    entries: Mapping[str, Entry] = field(hash=False)
    sentinel: str  # a regular expression
    stats: Stats | None
    switches: tuple[str, ...]  # C variables by which code is switched on and off at run time
    debug: Debug | None
    forbidden: tuple[Forbidden, ...]


@dataclass(frozen=True)
class Catalogue:
    """layers.yaml: what variants are put together from; an option's value is its default."""

    doc: str
    system: System
    classes: tuple[SizeClass, ...]
    options: Mapping[str, Option]
    layers: Mapping[str, Layer]
    places: Mapping[str, str]  # layer -> where its entry stands: path:line
    lines: Mapping[str, str]  # file -> how many lines somebody said that it should have


@dataclass(frozen=True)
class Variant:
    """A named choice of layers and settings."""

    name: str
    doc: str
    source: str  # variants/<name>.yaml
    lineage: tuple[str, ...]  # the variants that it extends, the first one first, and itself
    classes: tuple[SizeClass, ...]
    layers: tuple[Layer, ...]
    toggles: str  # env, fixed
    debug_output: str  # always, guarded; absent: see `without_debug`
    layout: str  # unity, modules
    fast_path: str  # inline, ultra
    min_align: int
    checks: str  # one of CHECKS
    tls: str  # initial_exec, global_dynamic: how thread-local state is reached
    options: Mapping[str, Option] = field(hash=False)
    system: System
    quoted: Mapping[str, str] = field(hash=False)  # figures that someone else gave; templates do not see them
    budget: Budget = field(hash=False)  # nor do they see this

    @cached_property
    def caches(self) -> tuple[Layer, ...]:
        return self._with_role("cache")

    @cached_property
    def overflow(self) -> tuple[Layer, ...]:
        return self._with_role("overflow")

    @cached_property
    def refills(self) -> tuple[Layer, ...]:
        return self._with_role("refill")

    def _with_role(self, role: str) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.layers if layer.role == role)

    @property
    def hot_layers(self) -> tuple[Layer, ...]:
        """The layers that are part of the inlined path."""
        return self.layers if self.fast_path == "inline" else self.layers[:1]

    @property
    def cold_layers(self) -> tuple[Layer, ...]:
        return self.layers[len(self.hot_layers) :]

    @property
    def is_env(self) -> bool:
        """Whether layers are switched by the environment."""
        return self.toggles == "env"

    @property
    def toggled_layers(self) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.layers if layer.toggle and self.is_env)

    @property
    def env_options(self) -> tuple[Option, ...]:
        return tuple(option for option in self.options.values() if option.env)

    @property
    def checks_level(self) -> int:
        return CHECKS.index(self.checks)

    @property
    def marks_in_links(self) -> bool:
        """Whether links show by themselves that a block is free: all lists are packed words."""
        return all(layer.storage == "packed_list" for layer in self.layers if layer.role != "refill")

    @property
    def lookup_step(self) -> int:
        """Bytes a step of `size_index`: every size that is served is a multiple of it."""
        return self.min_align

    @property
    def forbidden(self) -> tuple[Forbidden, ...]:
        """The system's rules that hold for this variant."""
        is_so = {
            "toggles": "env" if self.toggled_layers else "fixed",
            "options": "env" if self.env_options else "fixed",
        }
        return tuple(rule for rule in self.system.forbidden if rule.when.items() <= is_so.items())

    def without_debug(self) -> Variant:
        """The variant as it is printed with no debug code at all, guarded or not."""
        return replace(self, debug_output="absent")

    @cached_property
    def max_size(self) -> int:
        """The largest request in bytes that a class serves."""
        return max(size_class.size for size_class in self.classes if size_class.size % self.min_align == 0)

    @cached_property
    def size_index(self) -> tuple[int, ...]:
        """Entry i is the class for (i-1) * lookup_step + 1 to i * lookup_step bytes; entry 0 is for 0."""
        aligned = [size_class for size_class in self.classes if size_class.size % self.min_align == 0]
        steps = range(0, self.max_size + 1, self.lookup_step)
        return tuple(next(c.index for c in aligned if c.size >= wanted) for wanted in steps)

    def widens(self, layer: Layer) -> bool:
        """Whether the layer's lists begin small, and may hold more where they turn out to be empty."""
        stores = [one for one in self.layers if one.role != "refill"]
        return self.fast_path == "ultra" and layer.storage == "packed_list" and layer == stores[0]

    def start_limits(self, layer: Layer) -> tuple[int, ...]:
        """Blocks that fit at first, for each class from the first to the last."""
        if not self.widens(layer):
            return layer.limits
        sizes = {size_class.index: size_class.size for size_class in layer.classes}
        return tuple(
            min(limit, max(START_BYTES // sizes[index], START_BLOCKS)) if index in sizes else 0
            for index, limit in enumerate(layer.limits, layer.first_class)
        )

    @cached_property
    def hot_size(self) -> int:
        """The largest request in bytes whose class is looked up by steps in the thread's own state."""
        return min(self.max_size, HOT_SIZE_MOST)

    @cached_property
    def hot_index(self) -> tuple[int, ...]:
        """The part of `size_index` for requests of up to `hot_size` bytes."""
        return self.size_index[: self.hot_size // self.lookup_step + 1]

    @property
    def wide_step(self) -> int:
        """Bytes a step of `wide_index`."""
        return WIDE_STEP

    @cached_property
    def wide_index(self) -> tuple[int, ...]:
        """Entry i is the class for hot_size + i * WIDE_STEP + 1 bytes: the first of each wide step."""
        first = self.hot_size // self.lookup_step + 1
        return self.size_index[first :: WIDE_STEP // self.lookup_step] or (0,)

    def as_value(self) -> str:
        """Everything that a template can see, as one line of JSON that only changes when that does."""
        return json.dumps(plain(self, leave_out=UNPRINTED), separators=(",", ":"))

    def first_layer(self, role: str | None) -> Layer | None:
        """The first layer with this role, or of all."""
        return next((layer for layer in self.layers if role in (None, layer.role)), None)

    def limits(self, mode: str, compiler: str) -> dict[str, dict[str, BudgetLimit]]:
        """What the budget says of a cell: entry -> metric -> limit. One for the very mode and compiler
        goes before one for the compiler (in release), and that before one for the mode."""
        words = (f"{mode}-{compiler}", *((compiler,) if mode == "release" else ()), mode)
        found: dict[str, dict[str, BudgetLimit]] = {}
        for entry, metrics in self.budget.items():
            for metric, limits in metrics.items():
                limit = next((limits[word] for word in words if word in limits), None)
                if limit is not None:
                    found.setdefault(entry, {})[metric] = limit
        return found


HOT_SIZE_MOST = 4096  # bytes; beyond it a table by steps would be as large as all else that a thread has
WIDE_STEP = 512  # bytes
START_BYTES, START_BLOCKS = 8192, 2  # of each class that a list that widens holds at first
UNPRINTED = ("quoted", "budget")  # fields of a variant that templates do not see


def plain(record: Any, leave_out: tuple[str, ...] = ()) -> Any:
    """A record, and the records in it, as dicts and lists; without the fields `leave_out`."""
    if is_dataclass(record):
        names = (part.name for part in fields(record) if part.name not in leave_out)
        return {name: plain(getattr(record, name)) for name in names}
    if isinstance(record, Mapping):
        return {name: plain(value) for name, value in record.items()}
    if isinstance(record, (tuple, list)):
        return [plain(value) for value in record]
    return record


@dataclass(frozen=True)
class Rule:
    """Cells to leave out: those with one of the values on each axis named."""

    exclude: Mapping[str, tuple[str, ...]] = field(hash=False)
    reason: str


@dataclass(frozen=True)
class Suite:
    """Test programs that exit with 0 when they pass, by what they are linked with; `timeout` in seconds.

    soak: what a program is told where a soak is asked for, by its name; `{seconds}` stands for its length.
    """

    sources: tuple[str, ...]  # the shared library
    static: tuple[str, ...]  # the static library
    alone: tuple[str, ...]  # neither: they load it, or are started with it
    inside: tuple[str, ...]  # the static library, with a sanitizer too: they use what the library hides
    scripts: tuple[str, ...]  # pytest's, run for each cell
    soak: Mapping[str, tuple[str, ...]]
    timeout: int


@dataclass(frozen=True)
class Programs:
    """Scripts whose output must not change when the library is preloaded."""

    scripts: str
    timeout: int


@dataclass(frozen=True)
class Fuzz:
    """libFuzzer programs, and the folder of inputs that they start from."""

    sources: str
    corpus: str


@dataclass(frozen=True)
class Baseline:
    """What every cell is compared with."""

    name: str
    quoted: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True)
class Load:
    """A benchmark: its program, the arguments when timed (without any it is not), and when simulated."""

    name: str
    doc: str
    program: str
    args: tuple[str, ...]
    counted: tuple[str, ...]


@dataclass(frozen=True)
class Timing:
    rounds: int
    headline: str


@dataclass(frozen=True)
class Limit:
    """A figure may grow by `percent` or by `soft`, whichever is more, and never by more than `hard`."""

    percent: float
    soft: float
    hard: float


@dataclass(frozen=True)
class Counters:
    """The loads to simulate, each cache as bytes, ways, bytes of a line, and the limit of each figure."""

    loads: tuple[str, ...]
    I1: tuple[int, int, int]
    D1: tuple[int, int, int]
    LL: tuple[int, int, int]
    limits: Mapping[str, Limit]


@dataclass(frozen=True)
class Peer:
    """Another library that does the same: its file, as the loader knows it, and the package that has it."""

    name: str
    file: str
    package: str


@dataclass(frozen=True)
class Floor:
    """The C file of a library that does the least that one of the kind could do. It is timed beside the peers
    to show what is left to win, and is none of them."""

    source: str
    doc: str


@dataclass(frozen=True)
class Peers:
    """What is timed beside other libraries: variants (names and patterns), and loads with `args` alone."""

    variants: tuple[str, ...]
    libraries: Mapping[str, Peer]
    loads: Mapping[str, Load]
    floor: Floor | None = None


@dataclass(frozen=True)
class Page:
    """A page of docs/, made from the lines of a test's output that begin with `mark`, variant by variant."""

    name: str
    doc: str
    test: str
    mark: str
    variants: tuple[str, ...]


@dataclass(frozen=True)
class Matrix:
    """matrix.yaml, with the names of variants filled in."""

    doc: str
    axes: Mapping[str, tuple[str, ...]]
    rules: tuple[Rule, ...]
    default: Mapping[str, tuple[str, ...]]
    tests: Suite
    programs: Programs
    fuzz: Fuzz | None
    baseline: Baseline
    loads: Mapping[str, Load]
    timing: Timing
    counters: Counters
    peers: Peers | None
    pages: Mapping[str, Page]

    @property
    def timed(self) -> dict[str, Load]:
        """The loads that are not counted only, by name."""
        return {name: load for name, load in self.loads.items() if load.args}


@dataclass(frozen=True)
class Experiment:
    """A question that a measurement answers: its sides, the first being what the others are compared with."""

    name: str
    question: str
    doc: str
    variants: tuple[str, ...]
    loads: tuple[str, ...]  # the first one decides
    decides: str  # speed, instructions, misses
    kept: str | None  # the side that was gone on with


@dataclass(frozen=True)
class Project:
    """Everything that `variants/` says."""

    catalogue: Catalogue
    variants: Mapping[str, Variant]  # by name, in the order of the names
    matrix: Matrix
    experiments: Mapping[str, Experiment] = field(default_factory=dict, hash=False)
