"""Leave out the linker options that a compiler does not support, and name them.

zig has its own linker, which supports fewer options than GNU ld. Each option is tried by linking a library
from one empty file; `toolchain` caches the results.
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
    """Split link flags into those that the compiler accepts and the linker options that it refuses. Flags may
    name files relative to `root`."""
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
    """Split -Wl,-z,nodelete,-Bsymbolic into -Wl,-z,nodelete and -Wl,-Bsymbolic. A value stays with its
    option."""
    words: list[str] = []
    for word in flag.removeprefix(MARK).split(","):
        if word.startswith("-") and words:
            yield MARK + ",".join(words)
            words = []
        words.append(word)
    yield MARK + ",".join(words)


@functools.cache  # one message per run, even if several cells are affected
def warn(compiler: str, option: str) -> None:
    """Print that an option was left out."""
    print(f"{compiler} has no linker option {option.removeprefix(MARK)}: it is left out", file=sys.stderr)
