"""The build step that unpacks a recorded trace, so that benchmark programs can read it.

Reads NAME.trace.xz in the folder of traces; writes build/traces/NAME.trace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from layermatrix.core import records

if TYPE_CHECKING:
    from layermatrix.build.step import Task

SUFFIX = ".trace.xz"


def unpack(task: Task) -> None:
    import lzma  # takes time, and few runs need it

    from layermatrix.build.step import StepError

    (source,), (target,) = task.sources, task.targets
    try:
        content = lzma.decompress(source.read_bytes())
    except (lzma.LZMAError, EOFError) as error:
        name = source.name.removesuffix(SUFFIX)
        raise StepError(
            f"{source.name} cannot be unpacked: {error}; record it again: scons record trace={name}"
        ) from None
    records.write_bytes(target, content)
