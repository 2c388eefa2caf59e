"""Count the machine code of the entries of a fast path: the whole code, the hit path, and each layer.

Reads an object file with line tables, and the compiler's assembly of the same source. Returns
`counts.Entry`. An entry has these figures; its `hit` has all of them except `lines`:

    instructions  decoded instructions, including alignment nops between them (`nops` is their number) but not
                  the padding after the end of the symbol
    branches      jumps, conditional or not, including tail calls
    tail_calls    jumps out of the function to a destination that the object names; jumps through a register
                  are not counted, because they may belong to a switch
    atomics       x86: lock prefixes, and xchg with memory; aarch64: exclusive and LSE instructions
    stack         the maximum of stack bytes in use: pushes, the frame, and stores below the stack pointer;
                  without the return address and without called functions
    spills        stores to the frame other than pushes: spilled registers, and locals in memory
    cache_lines   the cache lines of its bytes; each part is assumed to start at the start of a line
    lines         instructions and jump labels in the assembly text, see `count_lines`

The hit path goes from the entry to a return through the code of the hit's layer. Of all such paths it has the
fewest calls, then the fewest instructions of other layers, then the fewest instructions. `layers` splits the
additive counts by layer. The instructions of an inlined function belong to the innermost layer around it;
instructions without a layer belong to the `frame`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from layermatrix.core.records import NotMeasured
from layermatrix.evidence.binary import dwarf, elf, hit_path
from layermatrix.evidence.binary.counts import FRAME, Counts, Entry, Hit, Share, Sums
from layermatrix.evidence.binary.lines import Origins
from layermatrix.evidence.binary.machine import AsmError, architecture

Attributed = Mapping[hit_path.Node, str]  # instruction -> its layer, or `frame`

# Labels that a jump can name: .L7 of GCC, .LBB0_7 of clang. Other labels (.LFB7, .LVL7, .Lfunc_end0, ...)
# belong to tables for debugging and unwinding; counting them would make -g look like more code.
_JUMP_LABEL = re.compile(r"\.L(\d+|BB\d+_\d+)$")
_LABEL = re.compile(r'("[^"]+"|[\w.$@]+):')
_SECTION = re.compile(r"\.(text|data|bss|section)\b")
_COMMENT_ON_LINE = re.compile(r"#|//|/\*")


class Function(Protocol):
    """One entry of a fast path. function: the inlined function. probe: the symbol whose body inlines it."""

    @property
    def function(self) -> str: ...

    @property
    def probe(self) -> str: ...


@dataclass(frozen=True)
class Counting:
    """Parameters of counting. origins: the header lines of each layer. hits: entry -> the layer that serves
    its hit. cache_line: bytes of a cache line."""

    origins: Origins
    hits: Mapping[str, str | None]  # entry -> layer
    cache_line: int


def count(
    probe_object: Path, assembly: Path | None, entries: Mapping[str, Function], counting: Counting
) -> tuple[str, dict[str, Entry]]:
    """The architecture, and the counts of these entries (name -> function and probe symbol). Raises AsmError,
    ElfError or OSError if nothing can be counted. A single figure that cannot be counted is `NotMeasured`."""
    file = elf.read(probe_object)
    arch = architecture(file.machine)
    listing = None if assembly is None else assembly.read_text(encoding="utf-8", errors="replace")
    sources = _sources(probe_object)
    return arch, {
        name: _entry(file, listing, sources, entry, counting.hits.get(name), counting)
        for name, entry in entries.items()
    }


def _entry(
    file: elf.ObjectFile,
    listing: str | None,
    sources: dwarf.SourceMap | NotMeasured,
    entry: Function,
    layer: str | None,
    counting: Counting,
) -> Entry:
    code = hit_path.read_function(file, entry.probe)
    hit: Hit | NotMeasured
    shares: dict[str, Share] | NotMeasured
    if isinstance(sources, NotMeasured):
        hit = shares = sources
    else:
        attributed = _attribute(code, sources, counting.origins)
        path = _path(code, attributed, layer)
        hit = _hit(code, attributed, path, counting.cache_line)
        shares = _shares(code, attributed, path)
    return Entry(
        **vars(counts_of(code, code.steps, counting.cache_line)),
        function=entry.function,
        probe=entry.probe,
        lines=_lines(listing, entry.probe),
        hit=hit,
        layers=shares,
    )


def _sources(probe_object: Path) -> dwarf.SourceMap | NotMeasured:
    try:
        return dwarf.read(probe_object)
    except dwarf.DwarfError as error:
        return NotMeasured(str(error))


def _attribute(code: hit_path.Function, sources: dwarf.SourceMap, origins: Origins) -> Attributed:
    found = {}
    for step in code.steps:
        owners = (origins.layer(line.file, line.line) for line in sources.lines(*step.node))
        found[step.node] = next((owner for owner in owners if owner is not None), FRAME)
    return found


def _path(
    code: hit_path.Function, attributed: Attributed, layer: str | None
) -> list[hit_path.Step] | NotMeasured:
    """The steps of a hit of this layer."""
    path = hit_path.cheapest_return(
        code,
        cost=lambda step: (step.instruction.is_call, attributed[step.node] not in (FRAME, layer), 1),
        passes=lambda step: layer is None or attributed[step.node] == layer,
    )
    return NotMeasured(f"no path to a return passes code of layer {layer!r}") if path is None else path


def _hit(
    code: hit_path.Function, attributed: Attributed, path: list[hit_path.Step] | NotMeasured, cache_line: int
) -> Hit | NotMeasured:
    if isinstance(path, NotMeasured):
        return path
    layers = tuple(_in_order(attributed[step.node] for step in path))
    return Hit(**vars(counts_of(code, path, cache_line)), layers=layers)


def _shares(
    code: hit_path.Function, attributed: Attributed, path: list[hit_path.Step] | NotMeasured
) -> dict[str, Share]:
    def share(name: str, steps: Iterable[hit_path.Step]) -> Sums:
        return _summed(code, [step for step in steps if attributed[step.node] == name])

    return {
        name: Share(
            **vars(share(name, code.steps)), hit=path if isinstance(path, NotMeasured) else share(name, path)
        )
        for name in _in_order(attributed.values())
    }


def _in_order(names: Iterable[str]) -> list[str]:
    """The distinct names, in the order of their first occurrence."""
    return list(dict.fromkeys(names))


def _lines(listing: str | None, function: str) -> int | NotMeasured:
    """The lines of the assembly text, or why they are not counted."""
    if listing is None:
        return NotMeasured("there is no assembly text")
    try:
        return count_lines(listing, function)
    except AsmError as error:
        return NotMeasured(str(error))


def counts_of(code: hit_path.Function, steps: Sequence[hit_path.Step], cache_line: int) -> Counts:
    """The counts of these steps of a function: of all steps, or of the hit path."""
    stack = code.stack(steps)
    return Counts(
        **vars(_summed(code, steps)),
        stack=NotMeasured(hit_path.DYNAMIC_FRAME) if stack is None else stack,
        cache_lines=len({line for step in steps for line in _cache_lines(step, cache_line)}),
    )


def _summed(code: hit_path.Function, steps: Sequence[hit_path.Step]) -> Sums:
    def number(what: Callable[[hit_path.Step], bool]) -> int:
        return sum(what(step) for step in steps)

    return Sums(
        instructions=len(steps),
        nops=number(lambda step: step.instruction.mnemonic == "nop"),
        branches=number(lambda step: step.instruction.is_branch),
        calls=number(lambda step: step.instruction.is_call),
        tail_calls=number(lambda step: step.leaves),
        atomics=number(lambda step: step.instruction.is_atomic),
        spills=number(code.is_spill),
        bytes=sum(step.instruction.size for step in steps),
    )


def _cache_lines(step: hit_path.Step, size: int) -> Iterator[tuple[hit_path.Part, int]]:
    first = step.instruction.address - step.part.start
    for line in range(first // size, (first + step.instruction.size - 1) // size + 1):
        yield step.part, line


def count_lines(listing: str, function: str) -> int:
    """The number of lines in a compiler's assembly (`cc -S`, GCC or clang) that are instructions or jump
    labels of the function: from its label to its `.size`, plus those of its cold part.

    A switch table is data and does not count; a prefix on a line of its own (`rex64`) does. Raises AsmError
    if the label does not exist.
    """
    inside: set[str] = set()
    seen, in_code = False, True
    count = 0
    wanted = re.compile(re.escape(function) + r"(\.cold(\.\d+)?)?$")
    for line in _statements(listing):
        label = _LABEL.match(line)
        name = label.group(1).strip('"') if label else ""
        if label and wanted.match(name):
            inside.add(name)
            seen = seen or name == function
        elif line.startswith(".size"):
            inside.discard(line.removeprefix(".size").split(",")[0].strip().strip('"'))
        elif _SECTION.match(line):
            in_code = ".text" in line
        elif inside and in_code and _is_code(line, name):
            count += 1
    if not seen:
        raise AsmError(f"the assembly has no label {function!r}")
    return count


def _statements(listing: str) -> Iterator[str]:
    """The lines without indentation, comments and blanks."""
    for raw in listing.splitlines():
        line = raw.strip()
        if line and not _COMMENT_ON_LINE.match(line):
            yield line


def _is_code(line: str, label: str) -> bool:
    if label:
        return not label.startswith(".L") or _JUMP_LABEL.match(label) is not None
    return not line.startswith(".")
