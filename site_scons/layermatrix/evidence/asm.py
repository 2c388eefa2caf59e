"""Count the machine code of a function: instructions, bytes, branches, calls, atomics, assembly lines.

Reads an object file, and beside it the compiler's assembly of the same source. Returns the record
`asm`. A function is its symbol and the part of it that GCC moves away as `<symbol>.cold`.

    instructions  decoded ones, alignment nops between them included (`nops` says how many), padding
                  behind the end of the symbol excluded
    branches      jumps, conditional or not; a tail call is one of them
    tail_calls    jumps out of the function to a place that the object names; a jump through a register
                  is not counted, since it may be a switch
    atomics       x86: lock prefixes, and xchg with memory; aarch64: exclusive and LSE instructions
    lines         instructions and jump labels in the assembly text, see `count_lines`
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import capstone

from layermatrix import records
from layermatrix.evidence import elf

_ARCHITECTURES = {
    "EM_X86_64": ("x86_64", capstone.CS_ARCH_X86, capstone.CS_MODE_64),
    "EM_AARCH64": ("aarch64", capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN),
}
_LOCK_PREFIX = 0xF0
_ARM_ATOMIC = re.compile(r"(ldx|ldax|stx|stlx)[rp]|cas|swp|(ld|st)(add|clr|eor|set|[su]max|[su]min)")

# Labels that a jump can name: GCC's .L7, clang's .LBB0_7. The others (.LFB7, .LVL7, .Lfunc_end0, ...) serve
# tables of debugging and unwinding; counting them would make -g look like more code.
_JUMP_LABEL = re.compile(r"\.L(\d+|BB\d+_\d+)$")
_LABEL = re.compile(r'("[^"]+"|[\w.$@]+):')
_SECTION = re.compile(r"\.(text|data|bss|section)\b")
_COMMENT_ON_LINE = re.compile(r"#|//|/\*")


class Entry(Protocol):
    """One entry of a fast path: the inlined function, and the symbol that has it as its body."""

    @property
    def function(self) -> str: ...

    @property
    def probe(self) -> str: ...


class AsmError(ValueError):
    """Code that cannot be counted, and why."""


@dataclass(frozen=True)
class Part:
    """A run of machine code: bytes start..start+size of a section."""

    section: int
    start: int
    size: int

    def holds(self, section: int, address: int) -> bool:
        return section == self.section and self.start <= address < self.start + self.size


@dataclass(frozen=True)
class Instruction:
    """target: where a direct jump or call goes, as an address in the same section, before relocation."""

    address: int
    size: int
    mnemonic: str
    is_branch: bool
    is_call: bool
    is_atomic: bool
    target: int | None


def measure(probe_object: Path, assembly: Path | None, entries: Mapping[str, Entry]) -> records.Record:
    """The record `asm` of these entries (name -> function and probe symbol). `lines` is None, with a
    `lines_reason`, where the assembly text cannot tell."""
    try:
        file = elf.read(probe_object)
        arch = architecture(file.machine)
        listing = None if assembly is None else assembly.read_text(encoding="utf-8", errors="replace")
        return records.measured(
            "asm", arch=arch, entries={name: _entry(file, listing, entry) for name, entry in entries.items()}
        )
    except (elf.ElfError, AsmError, OSError) as error:
        return records.not_measured("asm", str(error))


def _entry(file: elf.ObjectFile, listing: str | None, entry: Entry) -> records.Record:
    counted = count_code(file, entry.probe)
    lines, reason = _lines(listing, entry.probe)
    named = {"function": entry.function, "probe": entry.probe}
    return {**named, **counted, "lines": lines, "lines_reason": reason}


def _lines(listing: str | None, function: str) -> tuple[int | None, str | None]:
    """The lines of the assembly text, or why they are not counted."""
    if listing is None:
        return None, "there is no assembly text"
    try:
        return count_lines(listing, function), None
    except AsmError as error:
        return None, str(error)


def architecture(machine: str) -> str:
    """Our name of the machine that an object is for; AsmError for one that is not decoded here."""
    if machine not in _ARCHITECTURES:
        raise AsmError(f"objects for {machine} are not decoded, only {', '.join(sorted(_ARCHITECTURES))}")
    return _ARCHITECTURES[machine][0]


def count_code(file: elf.ObjectFile, symbol: str) -> dict[str, int]:
    """What the object has of the function `symbol` and its cold part."""
    parts = _parts(file, symbol)
    code = [(part, instruction) for part in parts for instruction in _decode_part(file, part)]
    instructions = [instruction for _, instruction in code]
    return {
        "instructions": len(instructions),
        "nops": sum(instruction.mnemonic == "nop" for instruction in instructions),
        "bytes": sum(part.size for part in parts),
        "branches": sum(instruction.is_branch for instruction in instructions),
        "calls": sum(instruction.is_call for instruction in instructions),
        "tail_calls": sum(_leaves(file, parts, part, instruction) for part, instruction in code),
        "atomics": sum(instruction.is_atomic for instruction in instructions),
    }


def _parts(file: elf.ObjectFile, name: str) -> list[Part]:
    """The function and its cold part, in the order of the symbol table."""
    wanted = re.compile(re.escape(name) + r"(\.cold(\.\d+)?)?$")
    found = [
        symbol
        for symbol in file.symbols
        if symbol.kind == "STT_FUNC" and symbol.section is not None and wanted.match(symbol.name)
    ]
    if not any(symbol.name == name for symbol in found):
        raise AsmError(f"the object defines no function {name!r}")
    parts = []
    for symbol in found:
        if symbol.section is None or symbol.size == 0:
            raise AsmError(f"function {symbol.name!r} has no size")
        parts.append(Part(symbol.section, symbol.value, symbol.size))
    return parts


def _decode_part(file: elf.ObjectFile, part: Part) -> list[Instruction]:
    code = file.sections[part.section].data[part.start : part.start + part.size]
    if len(code) != part.size:
        raise AsmError(f"a function of {part.size} bytes reaches beyond the end of its section")
    return decode(code, file.machine, part.start)


def decode(code: bytes, machine: str, address: int = 0) -> list[Instruction]:
    """Every instruction of this code, which stands at `address` of its section."""
    architecture(machine)
    _, arch, mode = _ARCHITECTURES[machine]
    decoder = capstone.Cs(arch, mode)
    decoder.detail = True
    instructions = [_instruction(raw, machine) for raw in decoder.disasm(code, address)]
    end = sum(instruction.size for instruction in instructions)
    if end != len(code):
        raise AsmError(f"no {machine} instruction at offset {address + end:#x}: {code[end : end + 8].hex()}")
    return instructions


def _instruction(raw: Any, machine: str) -> Instruction:
    is_call = raw.group(capstone.CS_GRP_CALL)
    is_relative = raw.group(capstone.CS_GRP_BRANCH_RELATIVE)
    immediates = [operand.imm for operand in raw.operands if operand.type == capstone.CS_OP_IMM]
    return Instruction(
        address=raw.address,
        size=raw.size,
        mnemonic=raw.mnemonic,
        # `loop` is relative, but not in the group of jumps; aarch64's calls are in both groups
        is_branch=not is_call and (is_relative or raw.group(capstone.CS_GRP_JUMP)),
        is_call=is_call,
        is_atomic=_is_atomic(raw, machine),
        target=immediates[-1] if is_relative and immediates else None,
    )


def _is_atomic(raw: Any, machine: str) -> bool:
    if machine == "EM_AARCH64":
        return _ARM_ATOMIC.match(raw.mnemonic) is not None
    if raw.mnemonic == "xchg":  # with memory it locks without a prefix
        return any(operand.type == capstone.CS_OP_MEM for operand in raw.operands)
    return bool(raw.prefix[0] == _LOCK_PREFIX)


def _leaves(file: elf.ObjectFile, parts: list[Part], part: Part, jump: Instruction) -> bool:
    """Whether this instruction is a jump to another function."""
    if not jump.is_branch:
        return False
    destination = _destination(file, part, jump)
    if destination is None:
        return False
    section, address = destination
    if section is None:
        return True
    return file.sections[section].executable and not any(own.holds(section, address) for own in parts)


def _destination(file: elf.ObjectFile, part: Part, jump: Instruction) -> tuple[int | None, int] | None:
    """Section (None: of another file) and address that a jump names; None when it names none."""
    end = jump.address + jump.size
    for relocation in file.relocations:
        if relocation.section != part.section or not jump.address <= relocation.offset < end:
            continue
        symbol = relocation.symbol
        if symbol.section is None:
            return None, 0
        # x86 fills in target - place, and its addend makes up for the way from place to the next instruction
        to_next = end - relocation.offset if file.machine == "EM_X86_64" else 0
        return symbol.section, symbol.value + relocation.addend + to_next
    return None if jump.target is None else (part.section, jump.target)


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
