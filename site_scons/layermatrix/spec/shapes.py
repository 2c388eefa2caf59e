"""What the YAML files may say, and the reading of one file.

Each shape below is a mapping of the files in `variants/`: its fields are the keys, `key(...)` says what a
value must be, `check` what must hold between them. What needs a second file (does that layer exist?) is
`model`'s.
"""

# ruff: noqa: RUF009  `key` makes a dataclass field, which ruff cannot know

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from layermatrix.core.errors import Place, Report, hint_for, quote
from layermatrix.model.project import CHECKS, PACKED_MOST
from layermatrix.spec.schema import (
    Boolean,
    Identifier,
    Integer,
    Kind,
    ListOf,
    MapOf,
    OneOf,
    Placed,
    Record,
    Regex,
    Sentence,
    Shape,
    Slot,
    Text,
    Value,
    key,
)
from layermatrix.spec.yamlnodes import Mapping, Node, Scalar, read_document

ROLES = ("cache", "overflow", "refill")  # in the order in which a variant lists them
MODES = ("release", "debug", "stats")
FROM_WHERE = ("env", "fixed")  # the environment decides, or the variant has
STORAGES = ("array_stack", "ring", "magazine", "linked_list", "packed_list", "none")
LEAST_INT, LARGEST_INT = -(2**31), 2**31 - 1  # of a C int

NAME = Identifier()
CAPACITY = Integer(1, 65_535)  # blocks of one class
NAMES = ListOf(NAME, unique=True)
DOC = Sentence()
LINE = Text("one line without quotes and backslashes", r'[^"\\\n\r\t]+', longest=80)  # goes into C strings
FILE = Text("a relative path", r"(?!/)(?!.*(^|/)\.\.?(/|$))[\w./+-]+")
ENVIRONMENT = Text(
    "the name of an environment variable, such as HAKMEM_RING", r"[A-Z_][A-Z0-9_]*", longest=100
)
SOVERSION = Text("numbers in quotes, such as '1' or '1.2.0'", r"\d+(\.\d+){0,2}", longest=40)
VERSION = Text("a version in quotes, such as '1.2.0'", r"\d[\w.+~-]*", longest=40)
SYMBOL = Text("the name of a C function or a pattern such as *printf", r"(?=.*\w)[\w*?]+", longest=100)
QUOTED = MapOf(NAME, Text("text", longest=40), "quoted figure")

# What a budget can be about: the whole code of an entry and, as hit_<metric>, the path of a hit; the library.
# `evidence.asm` says what each one is.
CODE_METRICS = (
    "instructions", "branches", "calls", "tail_calls", "atomics", "stack", "spills", "bytes", "cache_lines",
)  # fmt: skip
HIT = "hit_"
ENTRY_METRICS = (*CODE_METRICS, *(HIT + name for name in CODE_METRICS if name != "tail_calls"))
LIBRARY = "library"  # beside the entries
LIBRARY_METRICS = ("text", "tls")
COUNTED_MODES = ("release", "debug")  # those of which the code is counted; the first where none is named
COMPILERS = ("gcc", "clang", "zig")
CONFIGURATIONS = (
    *COUNTED_MODES,
    *COMPILERS,
    *(f"{mode}-{name}" for mode in COUNTED_MODES for name in COMPILERS),
)
NO_LIMIT = "none"


CLASSES = MapOf(NAME, Integer(8, 65_536, step=8), "class", at_least=1, at_most=64)


def check_classes(classes: Iterable[tuple[Placed[str], Placed[int] | None]], report: Report) -> bool:
    """Whether sizes rise, and no class has the name that stands for all of them; reported if not."""
    already = len(report.errors)
    last: tuple[str, int] | None = None
    for name, size in classes:
        if name.value == "all":
            report.error(name.place, "a class cannot be called 'all': that is the word for every class")
        if size and last and size.value <= last[1]:
            what = f"class {name.value} ({size.value}) is not larger than {last[0]} ({last[1]})"
            report.error(size.place, what)
        last = (name.value, size.value) if size else last
    return len(report.errors) == already


# --- layers.yaml


@dataclass(frozen=True)
class EntrySpec(Shape):
    """A function of the fast path, and the probe's function that inlines it. A hit is one of the first
    layer with this role, or of the first of all."""

    function: Placed[str] = key(NAME)
    probe: Placed[str] = key(NAME)
    role: Placed[str] | None = key(OneOf(*ROLES), required=False)


@dataclass(frozen=True)
class StatsSpec(Shape):
    """The builds in which layers count what they do: their mode, the mode that is shipped and whose code the
    figures are about, the variable that names the file of counts, and the sources that only they have."""

    mode: Placed[str] = key(OneOf(*MODES))
    of: Placed[str] = key(OneOf(*MODES))
    env: Placed[str] = key(ENVIRONMENT)
    sources: tuple[Placed[str], ...] = key(ListOf(FILE, unique=True), required=False)


@dataclass(frozen=True)
class DebugSpec(Shape):
    """What debug code looks like in C: conditionals of `macro` guard it, and it prints by `prints`."""

    macro: Placed[str] = key(NAME)
    prints: tuple[Placed[str], ...] = key(ListOf(NAME, at_least=1, unique=True))


@dataclass(frozen=True)
class ConditionSpec(Shape):
    """Variants whose layers, or whose options, are read from the environment or fixed."""

    toggles: Placed[str] | None = key(OneOf(*FROM_WHERE), required=False)
    options: Placed[str] | None = key(OneOf(*FROM_WHERE), required=False)

    def check(self, report: Report) -> Iterable[str]:
        if self.sound() and not self.toggles and not self.options:
            report.error(
                self.place, "this condition holds always", "leave it out, or name toggles or options"
            )
            return ("toggles", "options")
        return ()


@dataclass(frozen=True)
class AllowedSpec(Shape):
    """A C file that may do what is forbidden to the others."""

    source: Placed[str] = key(FILE)
    reason: Placed[str] = key(DOC)


@dataclass(frozen=True)
class ForbiddenSpec(Shape):
    """Functions that no object of a release may refer to."""

    symbols: tuple[Placed[str], ...] = key(ListOf(SYMBOL, at_least=1, unique=True))
    reason: Placed[str] = key(DOC)
    when: ConditionSpec | None = key(Record(ConditionSpec), required=False)
    allowed: tuple[AllowedSpec, ...] = key(ListOf(Record(AllowedSpec)), required=False)


@dataclass(frozen=True)
class SystemSpec(Shape):
    """The program that is put together from the layers, as the build sees it."""

    name: Placed[str] = key(NAME)
    doc: Placed[str] = key(DOC)
    version: Placed[str] | None = key(VERSION, required=False)
    soversion: Placed[str] | None = key(SOVERSION, required=False)
    skeleton: Placed[str] = key(FILE)
    header: Placed[str] = key(FILE)
    unity_skeleton: Placed[str] = key(FILE)
    unity: Placed[str] = key(FILE)
    libname: Placed[str] = key(NAME, name="library")
    modules: tuple[Placed[str], ...] = key(ListOf(FILE, at_least=1, unique=True))
    sources: tuple[Placed[str], ...] = key(ListOf(FILE, unique=True), required=False)
    interpose: tuple[Placed[str], ...] = key(ListOf(FILE, unique=True), required=False)
    shared_only: tuple[Placed[str], ...] = key(ListOf(FILE, unique=True), required=False)
    static_only: tuple[Placed[str], ...] = key(ListOf(FILE, unique=True), required=False)
    probe: Placed[str] = key(FILE)
    entries: tuple[tuple[Placed[str], EntrySpec | None], ...] = key(
        MapOf(NAME, Record(EntrySpec), "entry", at_least=1)
    )
    sentinel: Placed[str] = key(Regex())
    stats: StatsSpec | None = key(Record(StatsSpec), required=False)
    switches: tuple[Placed[str], ...] = key(NAMES, required=False)  # C variables that are asked at run time
    debug: DebugSpec | None = key(Record(DebugSpec), required=False)
    forbidden: tuple[ForbiddenSpec, ...] = key(ListOf(Record(ForbiddenSpec)), required=False)

    def check(self, report: Report) -> Iterable[str]:
        """A file that is allowed something is one of the library's."""
        groups = ("modules", "sources", "interpose", "shared_only", "static_only")
        if not self.sound(*groups):
            return ()
        known = [name.value for group in groups for name in getattr(self, group)]
        for allowed in (item for rule in self.forbidden for item in rule.allowed):
            if allowed.sound("source") and allowed.source.value not in known:
                what = f"the library has no source {quote(allowed.source.value)}"
                report.error(allowed.source.place, what, hint_for(allowed.source.value, known))
        return ()


@dataclass(frozen=True)
class OptionSpec(Shape):
    """What a variant may set besides its layers."""

    doc: Placed[str] = key(DOC)
    type: Placed[str] = key(OneOf("bool", "int"))
    default: Placed[str | bool | int] = key(Value())
    low: Placed[int] | None = key(Integer(LEAST_INT, LARGEST_INT), required=False, name="min")
    high: Placed[int] | None = key(Integer(LEAST_INT, LARGEST_INT), required=False, name="max")
    env: Placed[str] | None = key(ENVIRONMENT, required=False)

    def check(self, report: Report) -> Iterable[str]:
        if not self.sound("type", "low", "high"):
            return ("default",)
        for name, bound in (("min", self.low), ("max", self.high)):
            if bound and self.type.value == "bool":
                report.error(bound.place, f"an option of type bool has no {quote(name)}")
                return ("low", "high")
        if self.low and self.high and self.low.value > self.high.value:
            report.error(self.high.place, f"'max' is less than 'min', {self.low.value}")
            return ("low", "high")
        return (
            ()
            if not self.sound("default") or self.accepts(self.default, "'default'", report)
            else ("default",)
        )

    def span(self) -> tuple[int, int]:
        """The least and the largest value."""
        if self.type.value == "bool":
            return 0, 1
        return self.low.value if self.low else LEAST_INT, self.high.value if self.high else LARGEST_INT

    def accepts(self, given: Placed[str | bool | int], name: str, report: Report) -> bool:
        """Whether `given` is a value of this option; reported if not."""
        low, high = self.span()
        if self.type.value == "bool":
            fits, expects = isinstance(given.value, bool), "on or off"
        else:
            fits = (
                isinstance(given.value, int)
                and not isinstance(given.value, bool)
                and low <= given.value <= high
            )
            expects = f"a whole number from {low} to {high}"
        if not fits:
            report.error(given.place, f"{name} must be {expects}, not {as_written(given.value)}")
        return fits


@dataclass(frozen=True)
class ToggleSpec(Shape):
    """The environment variable that switches a layer at start-up, where a variant wants that."""

    env: Placed[str] = key(ENVIRONMENT)
    default: Placed[bool] = key(Boolean())


@dataclass(frozen=True)
class LayerSpec(Shape):
    """One stage on the way of an allocation or a free."""

    title: Placed[str] = key(LINE)
    doc: Placed[str] = key(DOC)
    role: Placed[str] = key(OneOf(*ROLES))
    classes: tuple[Placed[str], ...] = key(ListOf(Text(), at_least=1, alone=True))  # C2, C0-C3 or all
    storage: Placed[str] = key(OneOf(*STORAGES))
    capacity: Placed[int] | None = key(CAPACITY, required=False)  # blocks of one class
    bytes: Placed[int] | None = key(Integer(1, 2**30), required=False)  # of one class
    toggle: ToggleSpec | None = key(Record(ToggleSpec), required=False)
    needs: tuple[Placed[str], ...] = key(NAMES, required=False)
    conflicts: tuple[Placed[str], ...] = key(NAMES, required=False)

    def check(self, report: Report) -> Iterable[str]:
        if not self.sound("role", "storage"):
            return ()
        storage = self.storage.value
        if (self.role.value == "refill") != (storage == "none"):
            what = f"storage {quote(storage)} does not go with role {self.role.value}"
            report.error(
                self.storage.place, what, "a refill keeps no blocks, and only a refill has storage none"
            )
            return ("storage",)
        if not self.sound("capacity", "bytes"):
            return ()
        return self._check_bounds(storage, report)

    def _check_bounds(self, storage: str, report: Report) -> Iterable[str]:
        """A layer that keeps blocks is bounded, in the way of its storage."""
        if storage == "none":
            useless = self.capacity or self.bytes
            if useless:
                report.error(useless.place, "a layer without storage has no bound")
        elif storage.endswith("_list"):
            if not self.capacity and not self.bytes:
                report.error(self.storage.place, f"a {storage} needs a bound: 'capacity', 'bytes' or both")
            elif self.capacity:
                self.suits(self.capacity, report)
        elif not self.capacity:
            report.error(self.storage.place, f"a layer with storage {storage} needs a 'capacity'")
        else:
            self.suits(self.capacity, report)
        return ()

    def suits(self, capacity: Placed[int], report: Report) -> bool:
        """Whether the storage can be of this capacity; reported if not."""
        storage, blocks = self.storage.value, capacity.value
        if storage == "ring" and blocks & (blocks - 1):
            report.error(capacity.place, f"a ring's capacity is a power of two, not {blocks}")
            return False
        if storage == "packed_list" and blocks > PACKED_MOST:
            report.error(capacity.place, f"a packed list's capacity is at most {PACKED_MOST}, not {blocks}")
            return False
        if storage == "magazine" and blocks % 2:
            report.error(capacity.place, f"a magazine pair's capacity is even, not {blocks}")
            return False
        return True


@dataclass(frozen=True)
class CatalogueSpec(Shape):
    """layers.yaml: the size classes, and everything a variant is put together from."""

    doc: Placed[str] = key(DOC)
    system: SystemSpec = key(Record(SystemSpec))
    classes: tuple[tuple[Placed[str], Placed[int] | None], ...] = key(CLASSES)
    options: tuple[tuple[Placed[str], OptionSpec | None], ...] = key(
        MapOf(NAME, Record(OptionSpec), "option"), required=False
    )
    layers: tuple[tuple[Placed[str], LayerSpec | None], ...] = key(
        MapOf(NAME, Record(LayerSpec), "layer", at_least=1)
    )
    lines: tuple[tuple[Placed[str], Placed[str] | None], ...] = key(
        MapOf(FILE, Text("text", longest=40), "file"), required=False
    )  # how many lines somebody said that a file should have

    def check(self, report: Report) -> Iterable[str]:
        check_classes(self.classes, report)
        self._check_entries(report)
        self._check_environment(report)
        return ()

    def _check_entries(self, report: Report) -> None:
        for name, _ in self.system.entries if self.system else ():
            if name.value == LIBRARY:
                report.error(name.place, f"an entry cannot be called {quote(LIBRARY)}: budgets use that")

    def _check_environment(self, report: Report) -> None:
        """No two switches listen to the same environment variable."""
        toggles = [(name, layer.toggle.env) for name, layer in self.layers if layer and layer.toggle]
        options = [(name, option.env) for name, option in self.options if option]
        stats = self.system.stats if self.sound("system") else None
        owners = {stats.env.value: "stats"} if stats and stats.sound("env") else {}
        for name, env in sorted(toggles + options, key=lambda pair: pair[0].place.line):
            if env and env.value in owners:
                report.error(env.place, f"{env.value} is taken by {quote(owners[env.value])} already")
            elif env:
                owners[env.value] = name.value


# --- a variant's file


@dataclass(frozen=True)
class AddSpec(Shape):
    """A layer that a variant adds; without `before` or `after` it comes last among those of its role."""

    layer: Placed[str] = key(NAME)
    before: Placed[str] | None = key(NAME, required=False)
    after: Placed[str] | None = key(NAME, required=False)

    def check(self, report: Report) -> Iterable[str]:
        if self.before and self.after:
            report.error(self.after.place, "give 'before' or 'after', not both")
            return ("before", "after")
        return ()


@dataclass(frozen=True)
class SetSpec(Shape):
    """What a variant sets; the rest it has from the variant that it extends, or by default."""

    toggles: Placed[str] | None = key(OneOf(*FROM_WHERE), required=False)
    debug_output: Placed[str] | None = key(OneOf("always", "guarded"), required=False)
    layout: Placed[str] | None = key(OneOf("unity", "modules"), required=False)
    fast_path: Placed[str] | None = key(OneOf("inline", "ultra"), required=False)
    min_align: Placed[int] | None = key(Integer(choices=(8, 16)), required=False)
    checks: Placed[str] | None = key(OneOf(*CHECKS), required=False)
    tls: Placed[str] | None = key(OneOf("initial_exec", "global_dynamic"), required=False)
    options: tuple[tuple[Placed[str], Placed[str | bool | int] | None], ...] = key(
        MapOf(NAME, Value(), "option"), required=False
    )
    capacity: tuple[tuple[Placed[str], Placed[int] | None], ...] = key(
        MapOf(NAME, CAPACITY, "layer"), required=False
    )


LimitsSpec = tuple[tuple[str, Placed[int]], ...]  # configuration -> the most
MetricsSpec = tuple[tuple[Placed[str], "LimitsSpec | None"], ...]
BudgetSpec = tuple[tuple[Placed[str], "MetricsSpec | None"], ...]


class Limits(Kind["LimitsSpec"]):
    """The most that a figure may be: one number, for every release cell; or one for each configuration that
    is named (a mode, a compiler, or `<mode>-<compiler>`); or `none`, which lifts an inherited limit."""

    empty = ()
    expects = f"a whole number, {quote(NO_LIMIT)}, or a mapping of modes and compilers"
    number = Integer(0, 2**31 - 1)

    def read(self, node: Node, slot: Slot, report: Report) -> LimitsSpec | None:
        if isinstance(node, Mapping):
            read = [self._configured(name, part, report) for name, part in node.entries]
            return tuple(one for one in read if one is not None)
        if isinstance(node, Scalar) and node.text == NO_LIMIT:
            return ()
        if not isinstance(node, Scalar) or isinstance(node.value, bool) or not isinstance(node.value, int):
            self.refuse(node, slot, report)
            return None
        limit = self.number.read(node, slot, report)
        return None if limit is None else ((COUNTED_MODES[0], limit),)

    def _configured(self, name: Scalar, part: Node, report: Report) -> tuple[str, Placed[int]] | None:
        if name.text not in CONFIGURATIONS:
            what = f"a limit is for a mode, a compiler or <mode>-<compiler>, not for {quote(name.text)}"
            report.error(name.place, what, hint_for(name.text, CONFIGURATIONS))
            return None
        limit = self.number.read(part, Slot(f"the limit for {name.text}", name.place), report)
        return None if limit is None else (name.text, limit)


@dataclass(frozen=True)
class GivenBudget:
    """The limits of a variant's file. lifts: none of the inherited ones holds."""

    entries: BudgetSpec = ()
    lifts: bool = False


class BudgetKind(Kind[GivenBudget]):
    """A mapping entry -> metric -> limits; or `none`."""

    empty = GivenBudget()
    entries = MapOf(NAME, MapOf(NAME, Limits(), "metric"), "entry")

    def read(self, node: Node, slot: Slot, report: Report) -> GivenBudget | None:
        if isinstance(node, Scalar) and node.text == NO_LIMIT:
            return GivenBudget(lifts=True)
        return GivenBudget(self.entries.read(node, slot, report))


@dataclass(frozen=True)
class VariantSpec(Shape):
    """A named choice of layers and settings, given whole or as a change of another variant."""

    doc: Placed[str] = key(DOC)
    extends: Placed[str] | None = key(NAME, required=False)
    classes: tuple[tuple[Placed[str], Placed[int] | None], ...] = key(CLASSES, required=False)
    layers: tuple[Placed[str], ...] = key(ListOf(NAME, at_least=1, unique=True), required=False)
    remove: tuple[Placed[str], ...] = key(NAMES, required=False)
    add: tuple[AddSpec, ...] = key(ListOf(Record(AddSpec, short="layer")), required=False)
    set: SetSpec | None = key(Record(SetSpec), required=False)
    budget: GivenBudget = key(BudgetKind(), required=False)
    quoted: tuple[tuple[Placed[str], Placed[str] | None], ...] = key(QUOTED, required=False)

    def check(self, report: Report) -> Iterable[str]:
        broken = () if check_classes(self.classes, report) else ("classes",)
        if not self.sound("extends", "layers", "remove", "add"):
            return broken
        changes = [item.place for item in self.remove] + [item.layer.place for item in self.add if item.layer]
        if self.layers and changes:
            what = "'remove' and 'add' change the layers of another variant, but here are 'layers'"
            report.error(changes[0], what)
        elif not self.extends and changes:
            what = "'remove' and 'add' need a variant to change"
            report.error(changes[0], what, "say which one with 'extends'")
        elif not self.extends and not self.layers:
            report.error(self.place, "a variant has 'layers', or 'extends' another one")
        else:
            return broken
        return ("layers", *broken)


# --- reading

AnyShape = TypeVar("AnyShape", bound=Shape)

_CATALOGUE = Record(CatalogueSpec)
_VARIANT = Record(VariantSpec)


def load_catalogue(file: Path, shown: str, report: Report) -> CatalogueSpec | None:
    """Read layers.yaml; `shown` is its path in messages. None if nothing of it could be read."""
    return load(_CATALOGUE, file, shown, report)


def load_variant(file: Path, shown: str, report: Report) -> VariantSpec | None:
    """Read one variant's file; the name of the file is checked by `model`."""
    return load(_VARIANT, file, shown, report)


def load(kind: Record[AnyShape], file: Path, shown: str, report: Report) -> AnyShape | None:
    node = read_document(file, shown, report)
    return None if node is None else kind.read(node, Slot("the file", Place(shown, 1, 1)), report)


def as_written(value: str | bool | int) -> str:
    """A value as a user would write it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return quote(value) if isinstance(value, str) else str(value)
