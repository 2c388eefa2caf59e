"""Collect what is known of the cells of a job, and write and show the report of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build.toolchain import Toolchain
from layermatrix.core.errors import SpecErrors

if TYPE_CHECKING:
    from rich.console import Console

    from layermatrix.analysis.counter_lock import Reference
    from layermatrix.build.request import Selection
    from layermatrix.core.records import Record
    from layermatrix.jobs.base import Plan
    from layermatrix.spec.loader import Load

    Table = Callable[[Record, Console, Path], None]

REPORT = Path("build/report")


def write_report(plan: Plan, chosen: Selection, table: Table) -> Record:
    """Every report of these cells, and a table on the terminal."""
    from layermatrix.report import registry, terminal

    record = collect(plan, chosen)
    registry.write_all(record, plan.root / REPORT)
    table(record, terminal.make_console(), REPORT)
    return record


def collect(plan: Plan, chosen: Selection) -> Record:
    """Everything that is known of these cells."""
    from layermatrix.analysis import results

    matrix = plan.project.matrix
    return results.collect(
        chosen.cells,
        plan.root,
        matrix.baseline,
        left_out=chosen.left_out,
        compilers={
            name: found.version for name, found in plan.compilers.items() if isinstance(found, Toolchain)
        },
        loads={load.name: _described(load) for load in matrix.timed.values()},
        headline=matrix.timing.headline,
        reference=reference(plan),
        places=plan.project.catalogue.places,
    )


def has_failures(cells: Sequence[Record]) -> bool:
    return any(cell["failed"] for cell in cells)


def reference(plan: Plan) -> Reference:
    """What counters are compared with. A lock with a mistake in it is said to be one, and stops no report."""
    from layermatrix.analysis.counter_lock import Reference
    from layermatrix.spec import lockspec

    identities = {
        name: found.identity for name, found in plan.compilers.items() if isinstance(found, Toolchain)
    }
    try:
        return Reference(lockspec.read(plan.root), identities, plan.project.matrix.counters.limits)
    except SpecErrors as errors:
        return Reference({}, identities, {}, trouble=str(errors).splitlines()[0])


def _described(load: Load) -> str:
    """What a load does, and the command that is timed."""
    return f"{load.doc} ({' '.join([load.program, *load.args])})"
