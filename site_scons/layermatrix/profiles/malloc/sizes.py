"""Size classes: the allowed sizes, and the class that serves a request.

A class satisfies an alignment if its size is a multiple of it. Only such classes serve requests.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

from layermatrix.core.kinds import Misfit, integer, node_of
from layermatrix.model.layers import Key

SIZE = integer(8, 65_536, step=8)
HOT_SIZE = 4096  # bytes; a table by steps that goes on beyond would be most of a thread's state
INVERSE_BITS = 40  # enough for offsets below 2^20, because sizes are below 2^17
BEGIN_BYTES, BEGIN_BLOCKS = 8192, 2  # of each class, in a list that may widen


def misfits(classes: Sequence[Key]) -> Iterator[tuple[str, Misfit]]:
    """The mistakes in a table of classes: sizes must be numbers, in ascending order."""
    last: Key | None = None
    for one in classes:
        try:
            SIZE.read(node_of(one.values.get("size")))
        except Misfit as wrong:
            yield one.name, wrong
            continue
        if last and one.number("size") <= last.number("size"):
            what = f"class {one.name} ({one['size']}) is not larger than {last.name} ({last['size']})"
            yield one.name, Misfit(what, whole=True)
        last = one


def aligned(classes: Sequence[Key], alignment: int) -> list[Key]:
    """The classes that serve requests: their size is a multiple of the alignment, in bytes."""
    return [one for one in classes if one.number("size") % alignment == 0]


def requests(classes: Sequence[Key], step: int) -> dict[str, str]:
    """The requests that each class serves, in words. step: the alignment in bytes."""
    found, low = {}, 0
    for one in classes:
        size = one.number("size")
        if size % step:
            found[one.name] = f"none: blocks are aligned to {step} bytes"
        else:
            found[one.name] = f"{low} to {size} bytes"
            low = size + 1
    return found


def lookup(classes: Sequence[Key], step: int) -> dict[str, Any]:
    """The lookup tables from request size to class. step: the alignment in bytes.

    max_size: the largest request that a class serves, in bytes. hot_index: entry i is the class for
    (i-1) * step + 1 to i * step bytes, up to hot_size bytes; entry 0 is the class for 0 bytes. wide_index:
    entry i is the class for hot_size + i * wide_step + 1 bytes and the rest of this wide step; all larger
    sizes are multiples of wide_step. begin: the number of blocks of each class that a list which may widen
    holds at first. inverses: 2^INVERSE_BITS / size, plus 1, which replaces a division by the size.
    """
    serving = {one.number("size"): one.index for one in aligned(classes, step)}
    sizes = sorted(serving)
    largest = sizes[-1]
    index = [serving[sizes[bisect_left(sizes, wanted)]] for wanted in range(0, largest + 1, step)]
    hot = min(largest, HOT_SIZE)
    wide_step = math.gcd(hot, *(size for size in sizes if size > hot))
    return {
        "max_size": largest,
        "lookup_step": step,
        "hot_size": hot,
        "hot_index": index[: hot // step + 1],
        "wide_step": wide_step,
        "wide_index": index[hot // step + 1 :: wide_step // step] or [0],
        "inverses": [(1 << INVERSE_BITS) // one.number("size") + 1 for one in classes],
        "begin": [max(BEGIN_BYTES // one.number("size"), BEGIN_BLOCKS) for one in classes],
    }
