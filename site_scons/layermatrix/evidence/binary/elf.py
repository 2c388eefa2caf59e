"""Read the parts of an ELF file that evidence needs, as plain values.

Only this module and `dwarf` use pyelftools.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

from layermatrix.core.dataclass import dataclass

# exceptions of pyelftools and of the functions below for a damaged header
DAMAGE = (ELFError, ValueError, IndexError, OverflowError, MemoryError)


class ElfError(ValueError):
    """The file is not a readable ELF file."""


@dataclass(frozen=True)
class Section:
    """data: the contents of a loaded section; empty for other sections and for zeroed memory. size: its bytes
    in memory, also for zeroed memory. strings: whether it holds strings that the linker merges with those of
    other files, so that their order means nothing."""

    index: int
    name: str
    loaded: bool
    executable: bool
    data: bytes
    size: int = 0
    strings: bool = False


@dataclass(frozen=True)
class Symbol:
    """section: the index of the section that defines it; None if another file does. local: whether only this
    file can refer to it."""

    name: str
    kind: str
    section: int | None
    value: int
    size: int
    local: bool = False


@dataclass(frozen=True)
class Relocation:
    """The linker computes the value at `offset` of section `section` from `symbol` + `addend`. kind: the
    machine's number for the type of the relocation."""

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
    """Read an object or a library. Raises ElfError, which names the file."""
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


def needed_versions(path: Path) -> set[str]:
    """The versions of symbols that a program or a library needs from others, such as GLIBC_2.34. Empty for a
    file that is no ELF file. Raises ElfError for a damaged one."""
    with path.open("rb") as stream:
        if stream.read(4) != b"\x7fELF":
            return set()
        try:
            sections = list(ELFFile(stream).iter_sections())
            tables = [one for one in sections if isinstance(one, GNUVerNeedSection)]
            return {one.name for table in tables for _, parts in table.iter_versions() for one in parts}
        except DAMAGE as error:
            raise ElfError(f"{path.name}: no readable ELF file: {error}") from error


def _sections(file: ELFFile) -> Iterator[Section]:
    for index, section in enumerate(file.iter_sections()):
        flags = section["sh_flags"]
        loaded = bool(flags & SH_FLAGS.SHF_ALLOC)
        has_bytes = loaded and section["sh_type"] != "SHT_NOBITS"
        data = section.data() if has_bytes else b""
        executable = bool(flags & SH_FLAGS.SHF_EXECINSTR)
        merged = flags & SH_FLAGS.SHF_MERGE and flags & SH_FLAGS.SHF_STRINGS and section["sh_entsize"] == 1
        yield Section(index, section.name, loaded, executable, data, section["sh_size"], bool(merged))


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
    """The relocations of loaded sections of a relocatable object. Only RELA tables are read: both supported
    machines use them."""
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
