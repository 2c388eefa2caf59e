"""Follow the machine code of a function: its instructions, their successors, and the cheapest path.

Reads an `elf.ObjectFile`. A function is its symbol, and the part that GCC moves to `<symbol>.cold`. This
module does not use source lines: the caller gives the cost of each instruction on a path.
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
        """Whether the function addresses its frame through a frame pointer."""
        return any(step.instruction.sets_frame_pointer for step in self.steps)

    def is_spill(self, step: Step) -> bool:
        """Whether the step stores to the frame without a push: a spilled register, or a local in memory."""
        instruction = step.instruction
        by_frame = instruction.stores_by_frame and self.frame_pointer
        return instruction.stores_at is not None or by_frame

    @cached_property
    def depths(self) -> dict[Node, int | None]:
        """The bytes of stack in use after each reachable instruction, without the return address. None after
        a change whose size is known only at run time."""
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
        """The maximum of stack bytes that these instructions use, including stores below the stack pointer;
        None if it is known only at run time."""
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
    """What is known on a path. zero: the registers that are 0. flags: True if the tested register is 0; the
    register's name if the flags tell whether it is 0; None if the flags are unknown."""

    zero: frozenset[str] = frozenset()
    flags: bool | str | None = None

    def after(self, instruction: Instruction) -> Known:
        """The knowledge after an instruction. A call preserves the callee-saved registers."""
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
        """The knowledge after a jump is taken or not taken; None if this direction is impossible."""
        if jumps_at_zero is None or self.flags is None:
            return self
        is_zero = jumped == jumps_at_zero
        if self.flags is True:
            return self if is_zero else None
        return Known(self.zero | {str(self.flags)}, True) if is_zero else self


@dataclass(frozen=True)
class Place:
    """A state of the search. passed: whether the path has passed a required instruction. known: the knowledge
    before the instruction at `node`."""

    node: Node
    passed: bool
    known: Known


def read_function(file: elf.ObjectFile, name: str) -> Function:
    """The function `name` of an object. Raises AsmError if it does not exist or cannot be decoded."""
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
    """Whether a jump to this destination leaves the function. A table in data is not a function."""
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
        # x86 stores target - place; its addend accounts for the distance from place to the next instruction
        to_next = jump.end - offset if machine == X86 else 0
        return symbol.section, symbol.value + relocation.addend + to_next
    return None if jump.target is None else (part.section, jump.target)


def cheapest_return(
    function: Function, cost: Callable[[Step], Cost], passes: Callable[[Step], bool]
) -> list[Step] | None:
    """The cheapest path from the entry to a return with a step that `passes` accepts; None if there is none.

    This is Dijkstra's algorithm. Costs are tuples: they are added element by element and compared
    lexicographically. Jumps out of the function, and jumps with a target known only at run time, end a path.
    A jump on a register that is known to be 0 has only one successor. Raises AsmError after MOST_PLACES
    states.
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
            raise AsmError(f"{function.name!r} has too many paths to follow")
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
