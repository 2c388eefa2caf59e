"""Compare two objects of one source: the same code, data and relocations, or where they differ.

Reads two `elf.ObjectFile`s. Compared is what a program loads: each section's bytes and relocations, and the
symbols that other files see. Tables of debugging, the names of local symbols and the order of strings that
the linker merges may differ. Instructions are decoded only to tell where a difference begins.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from layermatrix.evidence.binary import machine
from layermatrix.evidence.binary.elf import ObjectFile, Relocation, Section, Symbol

END = b"\0"  # of a string
ADDRESSES = (1, 257)  # relocations that store an address: R_X86_64_64, R_AARCH64_ABS64
Named = tuple[str, int]  # a section's name, and the number of earlier sections with that name


@dataclass(frozen=True)
class Difference:
    """what: the difference, in words. section, offset: its place in the second object, if there is one.
    function: the function at this place."""

    what: str
    section: int | None = None
    offset: int = 0
    function: str | None = None


def compare(first: ObjectFile, second: ObjectFile) -> list[Difference]:
    """The differences of the second object from the first; for each section, only the first one."""
    ours, theirs = _Object(first), _Object(second)
    found = [
        Difference(f"{name} is in one of them only") for name, _ in ours.sections.keys() ^ theirs.sections
    ]
    for key in ours.sections.keys() & theirs.sections.keys():
        found += _compare_sections(ours, theirs, key)
    found.sort(key=lambda difference: (difference.section is None, difference.section or 0, difference.what))
    return [*found, *_compare_symbols(ours, theirs)]


def compared(file: ObjectFile) -> tuple[int, int]:
    """The amount of an object that is compared: its loaded sections, and the bytes in them."""
    loaded = [section for section in file.sections if section.loaded]
    return len(loaded), sum(len(section.data) for section in loaded)


def function_at(file: ObjectFile, section: int, offset: int) -> str | None:
    """The name of the function at this place; None if there is none."""
    functions = (one for one in file.symbols if one.kind == "STT_FUNC" and one.section == section)
    return next((one.name for one in functions if one.value <= offset < one.value + one.size), None)


def counterpart(file: ObjectFile, other: ObjectFile, relocation: Relocation) -> int | None:
    """The section of the other object that has the same relocation at the same place."""
    ours, theirs = _Object(file), _Object(other)
    section = theirs.sections.get(ours.names[relocation.section])
    wanted = relocation.offset, relocation.kind, relocation.symbol.name
    found = section and any(
        (other.offset, other.kind, other.symbol.name) == wanted and other.section == section.index
        for other in other.relocations
    )
    return section.index if section and found else None


class _Object:
    """An object with its loaded sections by name, and relocations that name sections instead of numbers."""

    def __init__(self, file: ObjectFile) -> None:
        self.file = file
        seen: Counter[str] = Counter()
        self.sections: dict[Named, Section] = {}
        self.names: dict[int, Named] = {}
        for section in file.sections:
            key = section.name, seen[section.name]
            seen[section.name] += 1
            self.names[section.index] = key
            if section.loaded:
                self.sections[key] = section

    def relocations(self, section: int) -> list[tuple[object, ...]]:
        """Offset, kind, and target with addend of each, in the order of the offsets."""
        own = (entry for entry in self.file.relocations if entry.section == section)
        return [(entry.offset, entry.kind, *self._target(entry)) for entry in sorted(own, key=_offset)]

    def _target(self, entry: Relocation) -> tuple[object, ...]:
        """A local symbol is identified by its place, because compilers number the names of statics; a string
        that the linker merges, by its text."""
        symbol = entry.symbol
        if not symbol.local or symbol.section is None:
            return symbol.name, entry.addend
        key = self.names[symbol.section]
        section = self.sections.get(key)
        if section is None or not section.strings:
            return key, symbol.value, entry.addend
        if symbol.kind == "STT_SECTION" and entry.kind in ADDRESSES:
            return key, section.data[entry.addend :].partition(END)[0]
        return key, section.data[symbol.value :].partition(END)[0], entry.addend

    def functions(self, key: Named) -> dict[str, tuple[int, bytes]]:
        """The functions of a section in the order of their offsets: name -> offset and code."""
        section = self.sections[key]
        own = [one for one in self.file.symbols if one.kind == "STT_FUNC" and one.section == section.index]
        own.sort(key=lambda one: one.value)
        return {one.name: (one.value, section.data[one.value : one.value + one.size]) for one in own}

    def outside(self) -> list[Symbol]:
        """The symbols that other files see, defined or undefined. A symbol of a table of debugging is none:
        compilers add it to objects for link-time optimisation."""
        return [
            symbol
            for symbol in self.file.symbols
            if not symbol.local
            and (symbol.section not in self.names or self.names[symbol.section] in self.sections)
        ]

    def visible(self) -> set[tuple[object, ...]]:
        return {
            (
                symbol.name,
                symbol.kind,
                symbol.section and self.names[symbol.section],
                symbol.value,
                symbol.size,
            )
            for symbol in self.outside()
        }


def _offset(entry: Relocation) -> int:
    return entry.offset


def _compare_sections(ours: _Object, theirs: _Object, key: Named) -> Iterator[Difference]:
    first, second = ours.sections[key], theirs.sections[key]
    place = _place(theirs, second)
    sizes = f"{first.size:,} bytes against {second.size:,}"
    if not _have_equal_data(first, second):
        both = min(len(first.data), len(second.data))
        same = next((i for i in range(both) if first.data[i] != second.data[i]), both)
        if second.executable:
            same = next(_unlike_instructions(ours, theirs, key), same)
        yield place(f"{key[0]} differs ({sizes})" if first.size != second.size else f"{key[0]} differs", same)
    elif first.size != second.size:
        yield place(f"{key[0]} differs ({sizes})", 0)
    else:
        pairs = zip(ours.relocations(first.index), theirs.relocations(second.index), strict=False)
        unlike = next((pair for pair in pairs if pair[0] != pair[1]), None)
        if unlike is not None:
            offset = unlike[1][0]
            assert isinstance(offset, int)
            yield place(f"a relocation of {key[0]} differs", offset)
        elif len(ours.relocations(first.index)) != len(theirs.relocations(second.index)):
            yield place(f"{key[0]} has more relocations in one of them", 0)


def _have_equal_data(first: Section, second: Section) -> bool:
    if first.strings and second.strings:
        return sorted(first.data.split(END)) == sorted(second.data.split(END))
    return first.data == second.data


def _unlike_instructions(ours: _Object, theirs: _Object, key: Named) -> Iterator[int]:
    """The offsets in the second object at which functions of a section begin to have other instructions.

    Only mnemonics are compared: a jump over code that only one object has differs in its bytes, too, but the
    difference is not at the jump.
    """
    first, second = ours.functions(key), theirs.functions(key)
    for name, (start, mine) in second.items():
        _, other = first.get(name, (0, b""))
        try:
            wanted = machine.decode(other, ours.file.machine)
            found = machine.decode(mine, theirs.file.machine, start)
        except machine.AsmError:
            continue
        pairs = itertools.zip_longest(wanted, found)
        unlike = [got for had, got in pairs if not had or not got or had.mnemonic != got.mnemonic]
        if unlike:
            yield unlike[0].address if unlike[0] else start + len(mine) - 1


def _place(theirs: _Object, section: Section) -> Callable[[str, int], Difference]:
    def difference(what: str, offset: int) -> Difference:
        return Difference(what, section.index, offset, function_at(theirs.file, section.index, offset))

    return difference


def _compare_symbols(ours: _Object, theirs: _Object) -> Iterator[Difference]:
    """The differences of the visible symbols. Symbols that only one object has take precedence."""
    names = {str(symbol[0]) for symbol in ours.visible() ^ theirs.visible()}
    one_sided = {one.name for one in ours.outside()} ^ {one.name for one in theirs.outside()}
    for name in sorted(one_sided or names):
        where = "is in one of them only" if one_sided else "has another place or size"
        yield Difference(f"symbol {name} {where}")
