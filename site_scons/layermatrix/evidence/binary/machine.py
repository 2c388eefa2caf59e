"""Decode machine code into plain instructions; x86-64 and aarch64.

Only this module uses capstone. It reads bytes and returns what counting and path finding need of each
instruction: whether it jumps, calls, returns or is atomic, and its effect on registers and the stack.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import capstone
from capstone import arm64, x86

X86, ARM = "EM_X86_64", "EM_AARCH64"

_ARCHITECTURES = {
    X86: ("x86_64", capstone.CS_ARCH_X86, capstone.CS_MODE_64),
    ARM: ("aarch64", capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN),
}
_LOCK_PREFIX = 0xF0
_ARM_ATOMIC = re.compile(r"(ldx|ldax|stx|stlx)[rp]|cas|swp|(ld|st)(add|clr|eor|set|[su]max|[su]min)")
_STACK_POINTER = {X86: x86.X86_REG_RSP, ARM: arm64.ARM64_REG_SP}
_FRAME_POINTER = {X86: x86.X86_REG_RBP, ARM: arm64.ARM64_REG_FP}
_UNCONDITIONAL = {"jmp", "b", "br"}
_DEAD_END = {"ud2", "hlt", "brk", "udf"}  # compilers put these at unreachable places
KEPT_BY_CALLS = frozenset(("rbx", "rbp", "r12", "r13", "r14", "r15", *(f"x{n}" for n in range(19, 29))))
_WORD = 8  # bytes of a pushed register
_FLAGS = ("rflags", "eflags", "nzcv")
_AT_ZERO, _NOT_AT_ZERO = ("je", "b.eq", "cbz"), ("jne", "b.ne", "cbnz")


class AsmError(ValueError):
    """The code cannot be counted; str() is the reason."""


@dataclass(frozen=True)
class Instruction:
    """One decoded instruction.

    target: the destination of a direct jump or call, as an address in the same section, before relocation.
    stack: the bytes by which it lowers the stack pointer (negative if it raises it); None if known only at
    run time. stores_at: for a store to the stack without a push, its offset in bytes from the stack pointer.
    stores_by_frame: whether it stores through the register that may be the frame pointer.

    Registers have the name of their widest form. writes: the changed registers, including `flags`. zeroes:
    the register that it sets to 0. copies: (destination, source). tests: the register that it compares with
    0. tests_whole: whether it compares the whole register. jumps_at_zero: True if it jumps when the tested
    register is 0, False if it jumps when it is not 0, None otherwise.
    """

    address: int
    size: int
    mnemonic: str
    is_branch: bool
    is_call: bool
    is_return: bool
    is_atomic: bool
    goes_on: bool  # the following instruction may be executed next
    target: int | None
    stack: int | None
    stores_at: int | None
    stores_by_frame: bool
    sets_frame_pointer: bool
    writes: frozenset[str]
    zeroes: str | None
    copies: tuple[str, str] | None
    tests: str | None
    tests_whole: bool
    jumps_at_zero: bool | None

    @property
    def end(self) -> int:
        return self.address + self.size


def architecture(machine: str) -> str:
    """The name of an object's architecture. Raises AsmError for a machine that is not supported."""
    if machine not in _ARCHITECTURES:
        raise AsmError(f"objects for {machine} are not decoded, only {', '.join(sorted(_ARCHITECTURES))}")
    return _ARCHITECTURES[machine][0]


def decode(code: bytes, machine: str, address: int = 0) -> list[Instruction]:
    """All instructions of this code. address: the code's address in its section. Raises AsmError."""
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
    is_return = raw.group(capstone.CS_GRP_RET)
    is_relative = raw.group(capstone.CS_GRP_BRANCH_RELATIVE)
    # `loop` is relative, but not in the group of jumps; aarch64's calls are in both groups
    is_branch = not is_call and (is_relative or raw.group(capstone.CS_GRP_JUMP))
    immediates = [operand.imm for operand in raw.operands if operand.type == capstone.CS_OP_IMM]
    word = raw.mnemonic.split()[-1]  # without `notrack`, `bnd`, `repz`
    stores_at, stores_by_frame = _store(raw, machine)
    return Instruction(
        address=raw.address,
        size=raw.size,
        mnemonic=raw.mnemonic,
        is_branch=is_branch,
        is_call=is_call,
        is_return=is_return,
        is_atomic=_is_atomic(raw, machine),
        goes_on=not (is_return or word in _DEAD_END or (is_branch and word in _UNCONDITIONAL)),
        target=immediates[-1] if is_relative and immediates else None,
        stack=_x86_stack(raw) if machine == X86 else _arm_stack(raw),
        stores_at=stores_at,
        stores_by_frame=stores_by_frame,
        sets_frame_pointer=_sets_frame_pointer(raw, machine),
        **_values(raw),
    )


def _is_atomic(raw: Any, machine: str) -> bool:
    if machine == ARM:
        return _ARM_ATOMIC.match(raw.mnemonic) is not None
    if raw.mnemonic == "xchg":  # with memory it locks without a prefix
        return any(operand.type == capstone.CS_OP_MEM for operand in raw.operands)
    return bool(raw.prefix[0] == _LOCK_PREFIX)


# --- registers


def _widest(name: str) -> str:
    """A register by its widest name: eax and al are parts of rax, w3 of x3."""
    if name in _FLAGS:
        return "flags"
    if match := re.fullmatch(r"w(\d+)", name):
        return f"x{match.group(1)}"
    if match := re.fullmatch(r"(r\d+)[dwb]", name):
        return match.group(1)
    if match := re.fullmatch(r"([abcd])[lh]|[er]?([abcd])x", name):
        return f"r{match.group(1) or match.group(2)}x"
    if match := re.fullmatch(r"[er]?([sd]i|[sb]p)l?", name):
        return f"r{match.group(1)}"
    return name


def _values(raw: Any) -> dict[str, Any]:
    """The fields from `writes` on."""
    registers = [
        raw.reg_name(operand.reg) if operand.type == capstone.CS_OP_REG else None for operand in raw.operands
    ]
    immediates = [operand.imm if operand.type == capstone.CS_OP_IMM else None for operand in raw.operands]
    tested = _tested(raw.mnemonic, registers, immediates)
    word = raw.mnemonic
    return {
        "writes": frozenset(_widest(raw.reg_name(number)) for number in raw.regs_access()[1]),
        "zeroes": _zeroed(word, registers, immediates),
        "copies": _copied(word, registers),
        "tests": tested and _widest(tested),
        "tests_whole": tested is not None and tested == _widest(tested),
        "jumps_at_zero": True if word in _AT_ZERO else False if word in _NOT_AT_ZERO else None,
    }


def _tested(word: str, registers: list[str | None], immediates: list[int | None]) -> str | None:
    if word in ("cbz", "cbnz"):
        return registers[0]
    if word in ("test", "tst") and registers[0] == registers[1]:
        return registers[0]
    return registers[0] if word == "cmp" and immediates[1:2] == [0] else None


def _zeroed(word: str, registers: list[str | None], immediates: list[int | None]) -> str | None:
    """The register that is set to 0. On both machines, writing the lower half of a register clears the upper
    half, but writing a smaller part keeps the rest."""
    first = registers[0] if registers else None
    if first is None or not re.match(r"[erxw]", first) or re.search(r"\d[wb]$", first):
        return None
    same = word in ("xor", "eor") and len(set(registers)) == 1
    moved = word in ("mov", "movz") and (immediates[1:2] == [0] or registers[1:2] in (["xzr"], ["wzr"]))
    return _widest(first) if same or moved else None


def _copied(word: str, registers: list[str | None]) -> tuple[str, str] | None:
    if word != "mov" or len(registers) != 2:
        return None
    to, source = registers
    if to is None or source is None or (to, source) != (_widest(to), _widest(source)):
        return None
    return to, source


# --- the stack


def _x86_stack(raw: Any) -> int | None:
    if raw.mnemonic.startswith("push"):
        return _WORD
    if raw.mnemonic.startswith("pop"):
        return -_WORD
    if not _writes_first(raw, x86.X86_REG_RSP):
        return 0
    source = raw.operands[1]
    if raw.mnemonic in ("sub", "add") and source.type == capstone.CS_OP_IMM:
        return int(source.imm if raw.mnemonic == "sub" else -source.imm)
    if raw.mnemonic == "lea" and source.mem.base == x86.X86_REG_RSP and not source.mem.index:
        return int(-source.mem.disp)
    return _back_or_unknown(raw, x86.X86_REG_RBP)


def _arm_stack(raw: Any) -> int | None:
    memory = [operand for operand in raw.operands if operand.type == capstone.CS_OP_MEM]
    if raw.writeback and memory and memory[0].mem.base == arm64.ARM64_REG_SP:
        after = raw.operands[-1]  # of `ldp x29, x30, [sp], #16`
        return int(-(after.imm if after.type == capstone.CS_OP_IMM else memory[0].mem.disp))
    if not _writes_first(raw, arm64.ARM64_REG_SP):
        return 0
    if raw.mnemonic in ("sub", "add") and raw.operands[1].reg == arm64.ARM64_REG_SP:
        last = raw.operands[2]
        if last.type == capstone.CS_OP_IMM:
            value = int(last.imm) << int(last.shift.value)
            return value if raw.mnemonic == "sub" else -value
    return _back_or_unknown(raw, arm64.ARM64_REG_FP)


def _back_or_unknown(raw: Any, frame_pointer: int) -> int | None:
    """0 if the stack pointer is restored from the frame pointer, which does not make the frame grow. None for
    anything else, such as an alignment or a computed size: it is known only at run time."""
    bases = [operand.mem.base for operand in raw.operands if operand.type == capstone.CS_OP_MEM]
    registers = [operand.reg for operand in raw.operands if operand.type == capstone.CS_OP_REG]
    return 0 if frame_pointer in (*bases, *registers) else None


def _writes_first(raw: Any, register: int) -> bool:
    """Whether the first operand is this register, and is written."""
    first = raw.operands[0] if raw.operands else None
    return bool(
        first is not None
        and first.type == capstone.CS_OP_REG
        and first.reg == register
        and first.access & capstone.CS_AC_WRITE
    )


def _store(raw: Any, machine: str) -> tuple[int | None, bool]:
    """The offset of a store to the stack, and whether it uses the frame pointer. A push does not count."""
    if machine == X86:
        stored = raw.operands[:1] if not raw.mnemonic.startswith(("push", "pop")) else []
        stored = [operand for operand in stored if operand.access & capstone.CS_AC_WRITE]
    else:
        stored = raw.operands if raw.mnemonic.startswith("st") and not raw.writeback else []
    for operand in stored:
        if operand.type == capstone.CS_OP_MEM:
            at = int(operand.mem.disp) if operand.mem.base == _STACK_POINTER[machine] else None
            return at, operand.mem.base == _FRAME_POINTER[machine]
    return None, False


def _sets_frame_pointer(raw: Any, machine: str) -> bool:
    if not _writes_first(raw, _FRAME_POINTER[machine]) or raw.mnemonic not in ("mov", "add"):
        return False
    source = raw.operands[1]
    return bool(source.type == capstone.CS_OP_REG and source.reg == _STACK_POINTER[machine])
