"""The steps that print a variant's files: its header, the header without debug code, its translation unit.

Each step reads the resolved variant and templates/; `emit` does the printing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build.step import StepError, Task
from layermatrix.core import records
from layermatrix.core.errors import SpecErrors

if TYPE_CHECKING:
    from layermatrix.model.variants import Variant


def print_header(task: Task) -> None:
    """Print the variant's header, and record which of its lines belong to each layer."""
    from layermatrix.emit import printer

    try:
        header = printer.print_header(task.variant, task.root / "templates")
    except SpecErrors as errors:
        raise StepError(str(errors)) from errors
    task.targets[0].write_text(header.text, encoding="utf-8")
    records.write(task.targets[1], {"header": task.targets[0].name, "layers": header.runs()})


def print_bare_header(task: Task) -> None:
    """Print the variant's header without any debug code."""
    from layermatrix.emit import printer

    _print(task, lambda variant, folder: printer.render_header(variant.without_debug(), folder))


def print_unity(task: Task) -> None:
    """Print the translation unit that includes the variant's modules in order."""
    from layermatrix.emit import printer

    _print(task, printer.render_unity)


def _print(task: Task, render: Callable[[Variant, Path], str]) -> None:
    try:
        text = render(task.variant, task.root / "templates")
    except SpecErrors as errors:
        raise StepError(str(errors)) from errors
    task.targets[0].write_text(text, encoding="utf-8")
