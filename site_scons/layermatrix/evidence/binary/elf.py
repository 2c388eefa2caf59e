"""Read the parts of an ELF file that evidence needs, as plain values.

The tables of objects are read here: for each cell, evidence reads those of a hundred objects several times,
and pyelftools takes many times as long for that. Only this module and `dwarf` use pyelftools.

Source: System V ABI, generic part, chapters "ELF Header", "Sections", "Symbol Table" and "Relocation".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SHT_SYMTAB, SHT_RELA, SHT_NOBITS, SHT_DYNSYM = 2, 4, 8, 11
SHF_ALLOC, SHF_EXECINSTR, SHF_MERGE, SHF_STRINGS = 2, 4, 16, 32
SHN_UNDEF, SHN_LORESERVE, SHN_XINDEX = 0, 0xFF00, 0xFFFF  # indices that are no sections
ET_REL, STB_LOCAL = 1, 0
MACHINES = {62: "EM_X86_64", 183: "EM_AARCH64"}
KINDS = ("STT_NOTYPE", "STT_OBJECT", "STT_FUNC", "STT_SECTION", "STT_FILE", "STT_COMMON", "STT_TLS")
_HEADER = struct.Struct("<HHIQQQIHHHHHH")  # after the 16 bytes of the identification
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")


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
    """Read an object or a library of a 64-bit machine. Raises ElfError, which names the file."""
    try:
        file = _File(path.read_bytes())
        sections = tuple(file.sections())
        return ObjectFile(file.machine, sections, tuple(file.symbols()), tuple(file.relocations()))
    except OSError as error:
        raise ElfError(f"{path.name}: {error.strerror}") from error
    except (struct.error, ValueError) as error:
        raise ElfError(f"{path.name}: no readable ELF file: {error}") from error


def needed_versions(path: Path) -> set[str]:
    """The versions of symbols that a program or a library needs from others, such as GLIBC_2.34. Empty for a
    file that is no ELF file. Raises ElfError for a damaged one."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile
    from elftools.elf.gnuversions import GNUVerNeedSection

    with path.open("rb") as stream:
        if stream.read(4) != b"\x7fELF":
            return set()
        try:
            sections = list(ELFFile(stream).iter_sections())
            tables = [one for one in sections if isinstance(one, GNUVerNeedSection)]
            return {one.name for table in tables for _, parts in table.iter_versions() for one in parts}
        except (ELFError, ValueError, IndexError, OverflowError, MemoryError) as error:
            raise ElfError(f"{path.name}: no readable ELF file: {error}") from error


@dataclass(frozen=True)
class _Entry:
    """A section's entry in the table of sections. The names are those of the ABI, without `sh_`."""

    name: int
    type: int
    flags: int
    addr: int
    offset: int
    size: int
    link: int
    info: int
    addralign: int
    entsize: int

    def has(self, *flags: int) -> bool:
        return all(self.flags & flag for flag in flags)


class _File:
    """The bytes of an ELF file, and its table of sections. Raises ValueError or struct.error if the file is
    damaged."""

    def __init__(self, data: bytes) -> None:
        if data[:4] != b"\x7fELF":
            raise ElfError("it does not begin as one")
        if data[4:6] != b"\2\1":
            raise ElfError("only files of little-endian machines with 64 bits are read")
        self.data = data
        self.type, machine, _, _, _, table, _, _, _, _, size, count, names = _HEADER.unpack_from(data, 16)
        self.machine = MACHINES.get(machine, f"machine {machine}")
        self.table = self._entries(table, size, count)
        if names == SHN_XINDEX and self.table:
            names = self.table[0].link
        self.names = self.contents(self.section(names)) if self.table else b""

    def _entries(self, table: int, size: int, count: int) -> list[_Entry]:
        """The table of sections. If its length does not fit into the header, it is in the first entry."""
        if not table:
            return []
        if size != _SECTION.size:
            raise ElfError(f"an entry of its table of sections has {size} bytes")
        count = count or _Entry(*_SECTION.unpack_from(self.data, table)).size
        part = self.part(table, count * size)
        return [_Entry(*values) for values in _SECTION.iter_unpack(part)]

    def part(self, offset: int, size: int) -> bytes:
        if offset + size > len(self.data):
            raise ElfError(f"it ends before byte {offset + size}")
        return self.data[offset : offset + size]

    def section(self, index: int) -> _Entry:
        if index >= len(self.table):
            raise ElfError(f"section {index} does not exist")
        return self.table[index]

    def contents(self, entry: _Entry) -> bytes:
        return b"" if entry.type == SHT_NOBITS else self.part(entry.offset, entry.size)

    def sections(self) -> Iterator[Section]:
        for index, entry in enumerate(self.table):
            loaded = entry.has(SHF_ALLOC)
            merged = entry.has(SHF_MERGE, SHF_STRINGS) and entry.entsize == 1
            data = self.contents(entry) if loaded else b""
            name = _text(self.names, entry.name)
            yield Section(index, name, loaded, entry.has(SHF_EXECINSTR), data, entry.size, merged)

    def symbols(self) -> Iterator[Symbol]:
        for entry in self.table:
            if entry.type == SHT_SYMTAB:
                yield from self._symbols(entry)

    def _symbols(self, table: _Entry) -> Iterator[Symbol]:
        texts = self.contents(self.section(table.link))
        for name, info, _, where, value, size in _SYMBOL.iter_unpack(self.contents(table)):
            text, kind = _text(texts, name), info & 15
            section = None if where == SHN_UNDEF or where >= SHN_LORESERVE else where
            if section is not None and section >= len(self.table):
                raise ElfError(f"symbol {text!r} is in section {section}, which does not exist")
            shown = KINDS[kind] if kind < len(KINDS) else f"type {kind}"
            yield Symbol(text, shown, section, value, size, info >> 4 == STB_LOCAL)

    def relocations(self) -> Iterator[Relocation]:
        """The relocations of loaded sections of a relocatable object. Only RELA tables are read: both
        supported machines use them."""
        tables = self.table if self.type == ET_REL else []
        symbols: dict[int, tuple[Symbol, ...]] = {}  # by the table that has them
        for entry in tables:
            if entry.type != SHT_RELA or not self.section(entry.info).has(SHF_ALLOC):
                continue
            if self.section(entry.link).type not in (SHT_SYMTAB, SHT_DYNSYM):
                raise ElfError(f"{_text(self.names, entry.name)} has no symbol table")
            if entry.link not in symbols:
                symbols[entry.link] = tuple(self._symbols(self.section(entry.link)))
            known = symbols[entry.link]
            for offset, info, addend in _RELOCATION.iter_unpack(self.contents(entry)):
                if info >> 32 >= len(known):
                    raise ElfError(f"a relocation refers to symbol {info >> 32}, which does not exist")
                yield Relocation(entry.info, offset, known[info >> 32], addend, info & 0xFFFFFFFF)


def _text(strings: bytes, start: int) -> str:
    """The string that begins at this place of a table."""
    end = strings.find(b"\0", start)
    return strings[start : end if end >= 0 else None].decode("utf-8", "replace")
