"""Count the machine code of the entries of a fast path: all of it, along a hit, and layer by layer.

Reads an object file with line tables, beside it the compiler's assembly of the same source. Returns
`counts.Entry`. Of each entry, and again of its `hit` (which has no lines):

    instructions  decoded ones, alignment nops between them included (`nops` says how many), padding
                  behind the end of the symbol excluded
    branches      jumps, conditional or not; a tail call is one of them
    tail_calls    jumps out of the function to a place that the object names; a jump through a register
                  is not counted, since it may be a switch
    atomics       x86: lock prefixes, and xchg with memory; aarch64: exclusive and LSE instructions
    stack         the most bytes of stack in use: pushes, the frame, and stores below the stack pointer; the
                  return address apart, and what is called
    spills        stores to the frame other than pushes: spilled registers, and locals that are in memory
    cache_lines   that its bytes lie in, each part beginning at the start of a line
    lines         instructions and jump labels in the assembly text, see `count_lines`

A hit is the way from the entry to a return that passes the code of the hit's layer, makes the fewest calls,
has the least of other layers, and is the shortest such. `layers` has what adds up to these counts, layer by
layer: an inlined function's instructions belong to the innermost layer that it is inlined for, those of none
to the `frame`.
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

# Labels that a jump can name: GCC's .L7, clang's .LBB0_7. The others (.LFB7, .LVL7, .Lfunc_end0, ...) serve
# tables of debugging and unwinding; counting them would make -g look like more code.
_JUMP_LABEL = re.compile(r"\.L(\d+|BB\d+_\d+)$")
_LABEL = re.compile(r'("[^"]+"|[\w.$@]+):')
_SECTION = re.compile(r"\.(text|data|bss|section)\b")
_COMMENT_ON_LINE = re.compile(r"#|//|/\*")


class Function(Protocol):
    """One entry of a fast path: the inlined function, and the symbol that has it as its body."""

    @property
    def function(self) -> str: ...

    @property
    def probe(self) -> str: ...


@dataclass(frozen=True)
class Counting:
    """How code is counted: where its lines come from, the layer whose hit each entry's is, bytes of a cache
    line."""

    origins: Origins
    hits: Mapping[str, str | None]  # entry -> layer
    cache_line: int


def count(
    probe_object: Path, assembly: Path | None, entries: Mapping[str, Function], counting: Counting
) -> tuple[str, dict[str, Entry]]:
    """The machine, and the counts of these entries (name -> function and probe symbol). AsmError, ElfError or
    OSError where nothing can be counted; what a part cannot show is `NotMeasured`."""
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
    return NotMeasured(f"no way to a return passes code of layer {layer!r}") if path is None else path


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
    """Each name once, in the order in which it comes first."""
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
    """Of these steps of a function: of all, or of those along a hit."""
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
    """Lines of a compiler's assembly (`cc -S`, GCC or clang) that are instructions or jump labels of the
    function: from its label to its `.size`, and the same of its cold part. AsmError without the label.
    A switch's table in between is data, not code; a prefix on a line of its own (`rex64`) is a line."""
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
