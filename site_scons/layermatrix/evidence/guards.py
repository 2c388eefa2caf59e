"""Find the debug messages that a library still carries.

Reads a linked library. Every debug statement of the measured program has a sentinel in its text, so
that what is left of them can be told from other strings. Returns the record `guards`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from layermatrix import records
from layermatrix.evidence import elf

EXAMPLES = 5
_EXAMPLE_BYTES = 120


def debug_strings(library: Path, sentinel: str) -> records.Record:
    """Count the distinct sentinels (a regular expression) in the data that the library loads.

    A compiler may turn a very short string into instructions; a sentinel should be longer than a
    register, or it can be missed.
    """
    try:
        pattern = re.compile(sentinel.encode("utf-8"))
        found = _messages(elf.read(library), pattern)
    except re.error as error:
        return records.not_measured("guards", f"sentinel {sentinel!r} is no regular expression: {error}")
    except elf.ElfError as error:
        return records.not_measured("guards", str(error))
    examples = [found[key] for key in sorted(found)[:EXAMPLES]]
    return records.measured(
        "guards", debug_strings={"count": len(found), "examples": examples}, sentinel=sentinel
    )


def _messages(file: elf.ObjectFile, pattern: re.Pattern[bytes]) -> dict[bytes, str]:
    """Sentinel -> a message that has it."""
    found: dict[bytes, str] = {}
    for message in _strings(file):
        for match in pattern.finditer(message):
            if match.group():  # a pattern that matches nothing matches everywhere
                found.setdefault(match.group(), message[:_EXAMPLE_BYTES].decode("utf-8", "replace"))
    return found


def _strings(file: elf.ObjectFile) -> Iterator[bytes]:
    for section in file.sections:
        if section.loaded and not section.executable and not _is_symbol_name_table(section.name):
            yield from section.data.split(b"\0")


def _is_symbol_name_table(name: str) -> bool:
    # names of functions are loaded too, and are no messages
    return name == ".dynstr"
