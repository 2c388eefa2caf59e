"""Read the path of an ELF program's dynamic loader from its PT_INTERP segment.

Source: System V ABI, generic part, chapters "ELF Header" and "Program Header".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PT_INTERP = 3
_HEAD = 1 << 16  # bytes; linkers put the headers and this segment at the start of a file


class NoLoaderError(ValueError):
    """The program has no dynamic loader; str() is the reason."""


def of_program(program: Path) -> str:
    """The loader's path. Raises NoLoaderError for a script or a statically linked program."""
    try:
        with program.open("rb") as file:
            head = file.read(_HEAD)
        if head[:4] != b"\x7fELF":
            raise NoLoaderError(f"{program.name} is not an ELF program")
        layout = _Layout(wide=head[4] == 2, order="<" if head[5] == 1 else ">")
        for kind, offset, size in layout.segments(head):
            if kind == _PT_INTERP:
                return head[offset : offset + size].rstrip(b"\0").decode()
    except (OSError, struct.error) as error:
        raise NoLoaderError(f"{program.name} cannot be read ({error})") from error
    raise NoLoaderError(f"{program.name} is statically linked")


@dataclass(frozen=True)
class _Layout:
    """The location of the segment table in an ELF file. wide: 64 bits, otherwise 32. order: the byte order,
    as `struct` writes it."""

    wide: bool
    order: str

    def segments(self, head: bytes) -> Iterator[tuple[int, int, int]]:
        """Type, offset in the file and size in the file (bytes) of each segment."""
        (table,) = self._read("Q" if self.wide else "I", head, 32 if self.wide else 28)
        entry, count = self._read("HH", head, 54 if self.wide else 42)
        for place in range(table, table + entry * count, entry):
            (kind,) = self._read("I", head, place)
            if self.wide:
                offset, _, _, size = self._read("QQQQ", head, place + 8)
            else:
                offset, _, _, size = self._read("IIII", head, place + 4)
            yield kind, offset, size

    def _read(self, shape: str, head: bytes, place: int) -> tuple[int, ...]:
        return struct.unpack_from(self.order + shape, head, place)
