"""Options for the linker that a compiler refuses: they are left out, and named.

zig brings a linker of its own, which takes fewer options than GNU's. It is asked, with a library of one empty
file, and its answers are kept as those of `toolchain` are.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from layermatrix.build import toolchain
from layermatrix.build.toolchain import Toolchain

MARK = "-Wl,"


def split(
    compiler: Toolchain, flags: Sequence[object], root: Path, cache: Path
) -> tuple[list[object], list[str]]:
    """These flags of a link without the linker options that the compiler refuses, and those. Flags may name
    files relative to `root`."""
    accepted: list[object] = []
    refused: list[str] = []
    for flag in flags:
        text = str(flag)
        if not text.startswith(MARK):
            accepted.append(flag)
            continue
        for option in _options(text):
            if toolchain.links(compiler, option, root, cache):
                accepted.append(option)
            else:
                refused.append(option)
    return accepted, refused


def _options(flag: str) -> Iterator[str]:
    """-Wl,-z,nodelete,-Bsymbolic as -Wl,-z,nodelete and -Wl,-Bsymbolic: an option keeps its values."""
    words: list[str] = []
    for word in flag.removeprefix(MARK).split(","):
        if word.startswith("-") and words:
            yield MARK + ",".join(words)
            words = []
        words.append(word)
    yield MARK + ",".join(words)


@functools.cache  # once in a run, however many cells it is about
def tell(compiler: str, option: str) -> None:
    """Name an option that was left out."""
    print(f"{compiler} has no linker option {option.removeprefix(MARK)}: it is left out", file=sys.stderr)
