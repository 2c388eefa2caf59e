"""The parts of an ELF file that evidence is drawn from, as plain values.

This and `dwarf` are the modules that know pyelftools.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

# what pyelftools and the functions below raise where a damaged header names places that do not exist
DAMAGE = (ELFError, ValueError, IndexError, OverflowError, MemoryError)


class ElfError(ValueError):
    """A file that is no ELF file, or not the one that was expected."""


@dataclass(frozen=True)
class Section:
    """data: contents of a section that is loaded; empty for the others and for zeroed memory. size: bytes
    of memory, which zeroed memory has, too."""

    index: int
    name: str
    loaded: bool
    executable: bool
    data: bytes
    size: int = 0


@dataclass(frozen=True)
class Symbol:
    """section: index of the section that defines it, None when another file does. local: only this file sees
    it."""

    name: str
    kind: str
    section: int | None
    value: int
    size: int
    local: bool = False


@dataclass(frozen=True)
class Relocation:
    """The place at `offset` of section `section` is to be filled in from `symbol` + `addend`; `kind` is the
    machine's number of the way to do it."""

    section: int
    offset: int
    symbol: Symbol
    addend: int
    kind: int = 0


@dataclass(frozen=True)
class ObjectFile:
    machine: str  # "EM_X86_64", ...
    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]
    relocations: tuple[Relocation, ...]


def read(path: Path) -> ObjectFile:
    """Everything above, of one object or library. Raises ElfError, naming the file."""
    try:
        with path.open("rb") as stream:
            file = ELFFile(stream)
            sections = tuple(_sections(file))
            return ObjectFile(
                str(file["e_machine"]), sections, tuple(_symbols(file)), tuple(_relocations(file))
            )
    except OSError as error:
        raise ElfError(f"{path.name}: {error.strerror}") from error
    except DAMAGE as error:
        raise ElfError(f"{path.name}: no readable ELF file: {error}") from error


def _sections(file: ELFFile) -> Iterator[Section]:
    for index, section in enumerate(file.iter_sections()):
        flags = section["sh_flags"]
        loaded = bool(flags & SH_FLAGS.SHF_ALLOC)
        has_bytes = loaded and section["sh_type"] != "SHT_NOBITS"
        data = section.data() if has_bytes else b""
        executable = bool(flags & SH_FLAGS.SHF_EXECINSTR)
        yield Section(index, section.name, loaded, executable, data, section["sh_size"])


def _table_symbols(table: SymbolTableSection, sections: int) -> Iterator[Symbol]:
    for symbol in table.iter_symbols():
        where = symbol["st_shndx"]  # a number, or a name such as SHN_UNDEF or SHN_ABS
        section = where if isinstance(where, int) else None
        if section is not None and section >= sections:
            raise ElfError(f"symbol {symbol.name!r} is in section {section}, which does not exist")
        info = symbol["st_info"]
        local = info["bind"] == "STB_LOCAL"
        yield Symbol(symbol.name, info["type"], section, symbol["st_value"], symbol["st_size"], local)


def _symbols(file: ELFFile) -> Iterator[Symbol]:
    for section in file.iter_sections():
        if isinstance(section, SymbolTableSection) and section["sh_type"] == "SHT_SYMTAB":
            yield from _table_symbols(section, file.num_sections())


def _relocations(file: ELFFile) -> Iterator[Relocation]:
    """Those of relocatable objects for what is loaded, with addends in the table (RELA), as both our machines
    have them."""
    if file["e_type"] != "ET_REL":
        return
    for section in file.iter_sections():
        if not isinstance(section, RelocationSection) or not section.is_RELA():
            continue
        filled = file.get_section(section["sh_info"])
        if not filled["sh_flags"] & SH_FLAGS.SHF_ALLOC:
            continue
        table = file.get_section(section["sh_link"])
        if not isinstance(table, SymbolTableSection):
            raise ElfError(f"{section.name} has no symbol table")
        symbols = tuple(_table_symbols(table, file.num_sections()))
        for entry in section.iter_relocations():
            symbol = symbols[entry["r_info_sym"]]
            kind = entry["r_info_type"]
            yield Relocation(section["sh_info"], entry["r_offset"], symbol, entry["r_addend"], kind)
