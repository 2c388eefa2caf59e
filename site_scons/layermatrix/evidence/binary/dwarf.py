"""Find the source lines of an object's instructions, through all inlined functions.

Reads the DWARF 4 tables of a relocatable object that was compiled with -gdwarf-4. Only this module and `elf`
use pyelftools.
"""

from __future__ import annotations

import bisect
import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.enums import ENUM_RELOC_TYPE_x64
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

# exceptions of pyelftools and of this module for damaged tables, which neither checks
_DAMAGE = (
    ELFError, ValueError, IndexError, OverflowError, MemoryError, struct.error, KeyError, AttributeError,
    TypeError, AssertionError, RecursionError,
)  # fmt: skip
VERSION = 4
_SYMBOL = struct.Struct("<IBBHQQ")  # name, info, other, section, value, size
_RELOCATION = struct.Struct("<QIIq")  # place, kind, symbol, addend
_THREAD_LOCAL = {ENUM_RELOC_TYPE_x64[f"R_X86_64_DTPOFF{bits}"] for bits in (32, 64)}
_APART = 1 << 32  # bytes between the assigned addresses of two sections


class DwarfError(ValueError):
    """The object has no line tables, or they cannot be read."""


@dataclass(frozen=True)
class SourceLine:
    """A line of a file, as the compiler names it; lines count from 1."""

    file: str
    line: int


@dataclass(frozen=True)
class Inlined:
    """An inlined function, or the outermost function itself.

    ranges: the assigned addresses of its code. declared: its declaration. called: its call; None for the
    outermost function. depth: the number of functions around it.
    """

    ranges: tuple[tuple[int, int], ...]
    declared: SourceLine | None
    called: SourceLine | None
    depth: int


@dataclass(frozen=True)
class SourceMap:
    """The lines of an object. rows: (assigned address, its line or None), sorted by address."""

    rows: tuple[tuple[int, SourceLine | None], ...]
    functions: tuple[Inlined, ...]

    def lines(self, section: int, address: int) -> tuple[SourceLine, ...]:
        """The source lines of an instruction: the innermost line first, then the call of its function, and so
        on. Empty if the tables have no line for it."""
        made_up = section * _APART + address
        around = [one for one in self.functions if any(low <= made_up < high for low, high in one.ranges)]
        around.sort(key=lambda one: -one.depth)
        innermost = self._row(made_up) or (around[0].declared if around else None)
        calls = [one.called for one in around]
        return tuple(line for line in (innermost, *calls) if line is not None)

    def _row(self, made_up: int) -> SourceLine | None:
        index = bisect.bisect_right(self.rows, made_up, key=lambda row: row[0]) - 1
        return self.rows[index][1] if index >= 0 else None


def read(path: Path) -> SourceMap:
    """The source lines of an object. Raises DwarfError, naming the file."""
    try:
        file = ELFFile(io.BytesIO(_laid_out(path.read_bytes())))
        if not file.has_dwarf_info(strict=True):
            raise DwarfError(f"{path.name} was compiled without -g")
        info = file.get_dwarf_info(relocate_dwarf_sections=True)
        rows: list[tuple[int, SourceLine | None]] = []
        functions: list[Inlined] = []
        for unit in info.iter_CUs():
            if unit["version"] > VERSION:
                raise DwarfError(f"{path.name} has DWARF {unit['version']}, only {VERSION} is read here")
            program = info.line_program_for_CU(unit)
            if program is not None:
                names = _file_names(program)
                rows.extend(_rows(program, names))
                functions.extend(_Unit(info, unit, names).functions())
        return SourceMap(tuple(sorted(rows, key=lambda row: row[0])), tuple(functions))
    except OSError as error:
        raise DwarfError(f"{path.name}: {error.strerror}") from error
    except _DAMAGE as error:
        if isinstance(error, DwarfError):
            raise
        raise DwarfError(f"{path.name}: no readable tables of source lines: {error!r}") from error


def _laid_out(data: bytes) -> bytes:
    """The object with a different address assigned to each section of code, as a linker would do.

    In an object each section begins at 0, so the line tables do not distinguish the sections.
    """
    file = ELFFile(io.BytesIO(data))
    changed = bytearray(data)
    code = {
        index for index, part in enumerate(file.iter_sections()) if part["sh_flags"] & SH_FLAGS.SHF_EXECINSTR
    }
    for table in file.iter_sections():
        if isinstance(table, SymbolTableSection):
            start = table["sh_offset"]
            for offset in range(start, start + table["sh_size"], _SYMBOL.size):
                *front, section, value, size = _SYMBOL.unpack_from(data, offset)
                if section in code:
                    _SYMBOL.pack_into(changed, offset, *front, section, value + section * _APART, size)
        elif isinstance(table, RelocationSection) and file["e_machine"] == "EM_X86_64":
            _ignore_thread_locals(table, data, changed)
    return bytes(changed)


def _ignore_thread_locals(table: RelocationSection, data: bytes, changed: bytearray) -> None:
    """Disable the relocations that place thread-local variables: pyelftools cannot apply them, and no line of
    code depends on them."""
    for offset in range(table["sh_offset"], table["sh_offset"] + table["sh_size"], _RELOCATION.size):
        place, kind, symbol, addend = _RELOCATION.unpack_from(data, offset)
        if kind in _THREAD_LOCAL:
            none = ENUM_RELOC_TYPE_x64["R_X86_64_NONE"]
            _RELOCATION.pack_into(changed, offset, place, none, symbol, addend)


def _file_names(program: Any) -> dict[int, str]:
    """The number of each file of a line table -> its path, as far as the compiler wrote it."""
    folders = [folder.decode(errors="replace") for folder in program.header["include_directory"]]
    names = {}
    for number, entry in enumerate(program.header["file_entry"], start=1):
        name = entry.name.decode(errors="replace")
        folder = entry.dir_index - 1  # 0 is where the compiler ran
        names[number] = f"{folders[folder]}/{name}" if 0 <= folder < len(folders) else name
    return names


def _rows(program: Any, names: dict[int, str]) -> Iterator[tuple[int, SourceLine | None]]:
    """The start of each line, and the end of each run of code. Line 0 means code without a line."""
    for entry in program.get_entries():
        state = entry.state
        if state is None:
            continue
        known = not state.end_sequence and state.line > 0 and state.file in names
        yield state.address, SourceLine(names[state.file], state.line) if known else None


class _Unit:
    """The functions of one compilation unit."""

    def __init__(self, info: Any, unit: Any, names: dict[int, str]) -> None:
        self.info = info
        self.unit = unit
        self.names = names
        self.ranges = info.range_lists()
        self.base = _low(unit.get_top_DIE()) or 0

    def functions(self) -> Iterator[Inlined]:
        yield from self._below(self.unit.get_top_DIE(), 0)

    def _below(self, parent: Any, depth: int) -> Iterator[Inlined]:
        for child in parent.iter_children():
            if child.tag in ("DW_TAG_subprogram", "DW_TAG_inlined_subroutine"):
                covered = tuple(self._covered(child))
                if covered:
                    called = self._line(child, "DW_AT_call_file", "DW_AT_call_line")
                    yield Inlined(covered, self._declared(child), called, depth)
                    yield from self._below(child, depth + 1)
            elif child.tag == "DW_TAG_lexical_block":
                yield from self._below(child, depth)

    def _covered(self, die: Any) -> Iterator[tuple[int, int]]:
        """The address ranges of a function."""
        low, high = _low(die), die.attributes.get("DW_AT_high_pc")
        if low is not None and high is not None:
            yield low, (high.value if high.form == "DW_FORM_addr" else low + high.value)
        elif "DW_AT_ranges" in die.attributes:
            base = self.base
            for entry in self.ranges.get_range_list_at_offset(die.attributes["DW_AT_ranges"].value):
                if hasattr(entry, "base_address"):
                    base = entry.base_address
                elif entry.begin_offset < entry.end_offset:
                    yield base + entry.begin_offset, base + entry.end_offset

    def _declared(self, die: Any) -> SourceLine | None:
        """The declaration of the function; an inlined function refers to it."""
        while "DW_AT_decl_line" not in die.attributes:
            if "DW_AT_abstract_origin" not in die.attributes:
                return None
            die = die.get_DIE_from_attribute("DW_AT_abstract_origin")
        return self._line(die, "DW_AT_decl_file", "DW_AT_decl_line")

    def _line(self, die: Any, file: str, line: str) -> SourceLine | None:
        if file not in die.attributes or line not in die.attributes:
            return None
        name = self.names.get(die.attributes[file].value)
        return None if name is None else SourceLine(name, die.attributes[line].value)


def _low(die: Any) -> int | None:
    """Where the code of an entry begins."""
    low = die.attributes.get("DW_AT_low_pc")
    return None if low is None else int(low.value)
