"""Follow the machine code of a function: its instructions, where each may go on, and the path of a hit.

Reads an `elf.ObjectFile`. A function is its symbol and the part of it that GCC moves away as `<symbol>.cold`.
Nothing here knows of source lines: who asks for a path says what each instruction costs on it.
"""

from __future__ import annotations

import heapq
import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from layermatrix.evidence.binary import elf
from layermatrix.evidence.binary.machine import KEPT_BY_CALLS, X86, AsmError, Instruction, decode

Node = tuple[int, int]  # section, and address in it
Relocations = dict[Node, elf.Relocation]  # by the place that is filled in
Cost = tuple[int, ...]

MOST_PLACES = 200_000
DYNAMIC_FRAME = "the size of its frame is decided at run time"


@dataclass(frozen=True)
class Part:
    """A run of machine code: bytes start..start+size of a section."""

    section: int
    start: int
    size: int

    def holds(self, section: int, address: int) -> bool:
        return section == self.section and self.start <= address < self.start + self.size


@dataclass(frozen=True)
class Step:
    """An instruction in its part of a function. `leaves`: it is a jump to another function."""

    part: Part
    instruction: Instruction
    leaves: bool
    successors: tuple[Node, ...]

    @property
    def node(self) -> Node:
        return self.part.section, self.instruction.address


@dataclass(frozen=True)
class Function:
    """The code of one function, in the order of its parts."""

    name: str
    parts: tuple[Part, ...]
    steps: tuple[Step, ...]
    by_node: dict[Node, Step] = field(repr=False)

    @property
    def entry(self) -> Node:
        return self.steps[0].node

    @cached_property
    def frame_pointer(self) -> bool:
        """Whether it addresses its frame by a register of its own."""
        return any(step.instruction.sets_frame_pointer for step in self.steps)

    def is_spill(self, step: Step) -> bool:
        """Whether it stores to the frame other than by pushing a register: a register that is spilled, or a
        local variable that has to be in memory."""
        instruction = step.instruction
        by_frame = instruction.stores_by_frame and self.frame_pointer
        return instruction.stores_at is not None or by_frame

    @cached_property
    def depths(self) -> dict[Node, int | None]:
        """How many bytes of stack are in use once an instruction is done, the return address apart; for all
        that can be reached. None: beyond a change whose size only the run knows."""
        found: dict[Node, int | None] = {}
        waiting: list[tuple[Node, int | None]] = [(self.entry, 0)]
        while waiting:
            node, before = waiting.pop()
            if node in found:
                continue
            step = self.by_node[node]
            change = step.instruction.stack
            found[node] = None if before is None or change is None else max(before + change, 0)
            waiting.extend((follower, found[node]) for follower in step.successors)
        return found

    def stack(self, steps: Iterable[Step]) -> int | None:
        """The most bytes of stack that these instructions have in use, stores below the stack pointer with
        them; None where only the run can tell."""
        used = [0]
        for step in steps:
            depth = self.depths.get(step.node, 0)
            if depth is None:
                return None
            at = step.instruction.stores_at
            used.append(depth + max(0, -(at or 0)))
        return max(used)


@dataclass(frozen=True)
class Known:
    """What is known of registers on a way: those that are 0, and what the flags say: that the register tested
    was 0 (True), or nothing (None), or whether that register is 0 (its name)."""

    zero: frozenset[str] = frozenset()
    flags: bool | str | None = None

    def after(self, instruction: Instruction) -> Known:
        """The same behind an instruction; a function that is called keeps the registers that it has to."""
        if instruction.is_call:
            return Known(self.zero & KEPT_BY_CALLS)
        zero = set(self.zero - instruction.writes)
        if instruction.zeroes:
            zero.add(instruction.zeroes)
        if instruction.copies and instruction.copies[1] in self.zero:
            zero.add(instruction.copies[0])
        return Known(frozenset(zero), self._flags(instruction))

    def _flags(self, instruction: Instruction) -> bool | str | None:
        if instruction.tests is not None:
            whole = instruction.tests if instruction.tests_whole else None
            return True if instruction.tests in self.zero else whole
        forgotten = "flags" in instruction.writes or self.flags in instruction.writes
        return None if forgotten else self.flags

    def along(self, jumps_at_zero: bool | None, jumped: bool) -> Known | None:
        """The same behind a jump, or where it was not taken; None where that cannot be."""
        if jumps_at_zero is None or self.flags is None:
            return self
        is_zero = jumped == jumps_at_zero
        if self.flags is True:
            return self if is_zero else None
        return Known(self.zero | {str(self.flags)}, True) if is_zero else self


@dataclass(frozen=True)
class Place:
    """On a way: the instruction, whether it has passed what it has to pass, and what is known before it."""

    node: Node
    passed: bool
    known: Known


def read_function(file: elf.ObjectFile, name: str) -> Function:
    """The function `name` of an object; AsmError where there is none, or where it cannot be decoded."""
    parts = _parts(file, name)
    decoded = [(part, instruction) for part in parts for instruction in _decode_part(file, part)]
    nodes = {(part.section, instruction.address) for part, instruction in decoded}
    named = {(relocation.section, relocation.offset): relocation for relocation in file.relocations}
    steps = tuple(_step(file, parts, nodes, named, *pair) for pair in decoded)
    return Function(name, tuple(parts), steps, {step.node: step for step in steps})


def _parts(file: elf.ObjectFile, name: str) -> list[Part]:
    """The function, then its cold parts."""
    wanted = re.compile(re.escape(name) + r"(\.cold(\.\d+)?)?$")
    found = [
        symbol
        for symbol in file.symbols
        if symbol.kind == "STT_FUNC" and symbol.section is not None and wanted.match(symbol.name)
    ]
    if not any(symbol.name == name for symbol in found):
        raise AsmError(f"the object defines no function {name!r}")
    parts = []
    for symbol in sorted(found, key=lambda symbol: symbol.name != name):
        if symbol.section is None or symbol.size == 0:
            raise AsmError(f"function {symbol.name!r} has no size")
        parts.append(Part(symbol.section, symbol.value, symbol.size))
    return parts


def _decode_part(file: elf.ObjectFile, part: Part) -> list[Instruction]:
    code = file.sections[part.section].data[part.start : part.start + part.size]
    if len(code) != part.size:
        raise AsmError(f"a function of {part.size} bytes reaches beyond the end of its section")
    return decode(code, file.machine, part.start)


def _step(
    file: elf.ObjectFile,
    parts: list[Part],
    nodes: set[Node],
    named: Relocations,
    part: Part,
    instruction: Instruction,
) -> Step:
    destination = _destination(file.machine, named, part, instruction) if instruction.is_branch else None
    followers = [(part.section, instruction.end)] if instruction.goes_on else []
    if destination is not None and destination[0] is not None:
        followers.append((destination[0], destination[1]))
    leaves = destination is not None and _is_outside(file, parts, destination)
    return Step(part, instruction, leaves, tuple(node for node in followers if node in nodes))


def _is_outside(file: elf.ObjectFile, parts: list[Part], destination: tuple[int | None, int]) -> bool:
    """Whether a jump that goes there goes to another function. A table in data is no function."""
    section, address = destination
    if section is None:
        return True
    return file.sections[section].executable and not any(own.holds(section, address) for own in parts)


def _destination(
    machine: str, named: Relocations, part: Part, jump: Instruction
) -> tuple[int | None, int] | None:
    """Section (None: of another file) and address that a jump names; None when it names none."""
    for offset in range(jump.address, jump.end):
        relocation = named.get((part.section, offset))
        if relocation is None:
            continue
        symbol = relocation.symbol
        if symbol.section is None:
            return None, 0
        # x86 fills in target - place, and its addend makes up for the way from place to the next instruction
        to_next = jump.end - offset if machine == X86 else 0
        return symbol.section, symbol.value + relocation.addend + to_next
    return None if jump.target is None else (part.section, jump.target)


def cheapest_return(
    function: Function, cost: Callable[[Step], Cost], passes: Callable[[Step], bool]
) -> list[Step] | None:
    """The cheapest way from the entry to a return that has a step which `passes`; None if there is no way.

    Costs are summed up part by part and compared in their order. Jumps out of the function lead nowhere, as
    do those whose target only the run knows; a jump that depends on a register which is known to be 0 leads
    one way only. AsmError where there are too many ways to look at.
    """
    order = itertools.count()  # so that no two entries of the heap are equal
    before: dict[Place, Place | None] = {}
    waiting: list[tuple[Cost, int, Place, Place | None]] = []

    def wait(node: Node, known: Known, origin: Place | None, so_far: Cost) -> None:
        step = function.by_node[node]
        passed = (origin is not None and origin.passed) or passes(step)
        total = _sum(so_far, cost(step))
        heapq.heappush(waiting, (total, next(order), Place(node, passed, known), origin))

    wait(function.entry, Known(), None, ())
    while waiting:
        total, _, place, origin = heapq.heappop(waiting)
        if place in before:
            continue
        before[place] = origin
        if len(before) > MOST_PLACES:
            raise AsmError(f"{function.name!r} has too many ways to follow")
        step = function.by_node[place.node]
        if step.instruction.is_return and place.passed:
            return _way(function, before, place)
        known = place.known.after(step.instruction)
        for follower in step.successors:
            jumped = follower != (step.part.section, step.instruction.end)
            there = known.along(step.instruction.jumps_at_zero, jumped)
            if there is not None:
                wait(follower, there, place, total)
    return None


def _sum(one: Cost, other: Cost) -> Cost:
    return tuple(a + b for a, b in itertools.zip_longest(one, other, fillvalue=0))


def _way(function: Function, before: Mapping[Place, Place | None], end: Place) -> list[Step]:
    steps: list[Step] = []
    place: Place | None = end
    while place is not None:
        steps.append(function.by_node[place.node])
        place = before[place]
    return steps[::-1]
