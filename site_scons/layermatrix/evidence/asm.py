"""Evidence `asm`: the machine code of the entries of the fast path, and the size of the library.

The build compiles a probe that inlines every entry, once with line tables and once to assembly text.
`binary.counting` counts in both, and defines each figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build.step import Task
from layermatrix.core.records import Measured, NotMeasured
from layermatrix.evidence.binary.counts import Entry
from layermatrix.evidence.builder import Builder
from layermatrix.evidence.columns import Column, Figure, Heading, View, figure
from layermatrix.evidence.kind import NO_PROBE, Inputs, Kind

if TYPE_CHECKING:
    from layermatrix.model.cells import Cell
    from layermatrix.model.project import Project

_SIZED = (".text", ".tdata", ".tbss")
ALONG_HIT = "decoded from the object, along the hit path of the first layer"
DECODED = "decoded from the object: the whole inlined path with its cold part"
ASSEMBLY = "lines of the compiler's assembly (cc -S)"


@dataclass(frozen=True)
class Size:
    """Bytes of the shared library's code (text) and of its thread-local storage per thread (tls)."""

    text: int
    tls: int


@dataclass(frozen=True)
class Asm(Measured):
    arch: str
    entries: Mapping[str, Entry]
    library: Size | NotMeasured

    def entry(self, name: str) -> Entry | NotMeasured:
        return self.entries.get(name, NotMeasured(f"entry {name!r} was not counted"))

    @property
    def first(self) -> Entry | NotMeasured:
        """The first entry of the fast path."""
        return next(iter(self.entries.values()), NotMeasured("no entry was counted"))

    def instructions_by_layer(self) -> dict[str, int] | NotMeasured:
        """Layer -> its instructions in the first entry."""
        first = self.first
        if isinstance(first, NotMeasured):
            return first
        if isinstance(first.layers, NotMeasured):
            return first.layers
        return {name: layer.instructions for name, layer in first.layers.items()}


def _left_out(cell: Cell, project: Project) -> str | None:
    if not cell.variant.system.probe:
        return NO_PROBE
    if cell.has_sanitizer:
        return "the code contains a sanitizer's checks"
    return "the code contains the layers' counters" if cell.counts_layers else None


def _declare(build: Builder) -> Inputs:
    system = build.cell.variant.system
    assert system.probe is not None
    probe, stem = build.source(system.probe), Path(system.probe).stem
    compiled = build.compiled(f"probe/{stem}.o", probe)
    text = build.compiler_text(f"probe/{stem}.s", probe, "-S -w", "ASM")  # CC has already printed warnings
    cache_line = build.project.matrix.counters.I1[2]
    return Inputs(
        [compiled, text, build.origins, build.libraries[0]],
        values=[f"{system.entries}, cache line {cache_line}"],
    )


def _take(task: Task) -> Asm | NotMeasured:
    """Count the probe's code. sources: the probe's object, its assembly text, the header lines of each layer,
    the shared library."""
    from layermatrix.evidence.binary import counting, elf, lines, machine

    probe, assembly, origins, library = task.sources
    entries = task.variant.system.entries
    first = {name: task.variant.first_layer(entry.role) for name, entry in entries.items()}
    hits = {name: layer.name if layer else None for name, layer in first.items()}
    how = counting.Counting(lines.read(origins), hits, task.project.matrix.counters.I1[2])
    try:
        arch, counted = counting.count(probe, assembly, entries, how)
    except (elf.ElfError, machine.AsmError, OSError) as error:
        return NotMeasured(str(error))
    return Asm(arch, counted, size_of(library))


def size_of(library: Path) -> Size | NotMeasured:
    """The sizes of a shared library, or NotMeasured if it is not a readable ELF file."""
    from layermatrix.evidence.binary import elf

    try:
        sections = elf.read(library).sections
    except elf.ElfError as error:
        return NotMeasured(str(error))
    sizes = {name: sum(part.size for part in sections if part.name == name) for name in _SIZED}
    return Size(text=sizes[".text"], tls=sizes[".tdata"] + sizes[".tbss"])


def _columns(records: Sequence[Asm], view: View) -> list[Column[Asm]]:
    names = list(dict.fromkeys(name for record in records for name in record.entries))
    columns = []
    for name in names:
        is_first = name == names[0]
        hit = Heading(f"{name} hit", "instr.", ALONG_HIT)
        columns.append(Column(hit, _metric(name, "hit_instructions"), brief=is_first))
        whole = Heading(name, "instr.", DECODED)
        columns.append(Column(whole, _metric(name, "instructions"), brief=is_first))
    for name in names[:1]:
        lines = Heading(f"{name} asm", "lines -S", ASSEMBLY)
        columns.append(Column(lines, _metric(name, "lines"), beside="asm_lines"))
        size = Heading(f"{name} code", "bytes", "bytes of machine code")
        columns.append(Column(size, _metric(name, "bytes")))
    return columns


def _metric(entry: str, metric: str) -> Callable[[Asm], Figure]:
    def of(record: Asm) -> Figure:
        found = record.entry(entry)
        return figure(found if isinstance(found, NotMeasured) else found.metric(metric))

    return of


KIND = Kind(
    name="asm",
    title="Machine code",
    doc="the instructions of each entry of the fast path: on the hit path, in its whole code, and by layer",
    record=Asm,
    columns=_columns,
    declare=_declare,
    take=_take,
    left_out=_left_out,
    is_figure=True,
)
