"""Compile a cell's objects a second time, from copies of its C files without debug code.

One step makes all copies and a stamp. SCons knows only the stamp: a node for each copy would double the nodes
of the build. The compiler reads the copies, while SCons looks for headers in the files themselves. So an
object is out of date when its own file or one of its headers changes, or when the stamp does.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from layermatrix.build import dependencies, printing
from layermatrix.build.step import Step, StepError, Task
from layermatrix.core.errors import SpecErrors
from layermatrix.evidence.builder import Builder, Node, in_cell
from layermatrix.evidence.source import strip

FOLDER = "bare"  # of a cell: the copies, and the objects that are compiled from them
STAMP, COPIES = "copies.stamp", "src"  # in this folder; a copy has its path in the project


def declare(build: Builder, objects: Sequence[Node], texts: Sequence[Node]) -> list[Node]:
    """The second objects. texts: the C files of the cell, with every header that they may include."""
    copies = _copies(build, texts)
    return [
        build.compiled(f"{FOLDER}/{in_cell(build, one)}", one.sources[0], copies=FOLDER, needs=copies)
        for one in objects
    ]


def _copies(build: Builder, texts: Sequence[Node]) -> list[Node]:
    """The stamp of the copies, and the generated files, which are printed without debug code."""
    system, generated = build.cell.variant.system, Path(build.folder, "gen")
    printed: dict[str, Step] = {system.header: printing.print_bare_header}
    if system.unity:
        printed[system.unity] = printing.print_unity
    copied = [text for text in texts if not Path(text.path).is_relative_to(generated)]
    names = [Path(text.path).name for text in texts if text not in copied]
    made = build.made(
        "LEAVE",
        [f"{FOLDER}/{STAMP}"],
        copied,
        leave_out_debug,
        values=[str(system.debug)],
        folder=f"{FOLDER}/{COPIES}",
    )
    return [*made, *(build.printed(f"{FOLDER}/gen/{name}", printed[name]) for name in names)]


def leave_out_debug(task: Task) -> None:
    """Copy C files without the code that the system's debug macro guards. sources: the files. targets: the
    stamp, which changes with everything that the copies depend on except these files.

    A `#line` keeps file names and line numbers, so the compiler sees no other difference.
    """
    debug, folder = task.variant.system.debug, task.targets[0].with_name(COPIES)
    assert debug is not None
    shutil.rmtree(folder, ignore_errors=True)  # the compiler must not find a header that is gone
    for source in task.sources:
        shown = source.relative_to(task.root).as_posix()
        try:
            text = strip.without(source.read_text(encoding="utf-8"), debug.macro, shown)
        except SpecErrors as errors:
            raise StepError(str(errors)) from errors
        (folder / shown).parent.mkdir(parents=True, exist_ok=True)
        (folder / shown).write_text(f'#line 1 "{shown}"\n{text}', encoding="utf-8")
    digest = dependencies.library(task.root).digest(__name__)
    task.targets[0].write_text(f"{debug.macro} {digest}\n", encoding="utf-8")
