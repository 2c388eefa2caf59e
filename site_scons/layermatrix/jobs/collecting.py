"""Collect the results of a job's cells, write the reports and print a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import paths
from layermatrix.build.toolchain import Toolchain
from layermatrix.core.command import scons
from layermatrix.core.errors import SpecErrors
from layermatrix.core.records import Missing, NotMeasured

if TYPE_CHECKING:
    from rich.console import Console

    from layermatrix.analysis.counter_lock import Reference
    from layermatrix.analysis.results import CellResult, Results
    from layermatrix.build.request import Selection
    from layermatrix.jobs.base import Plan

    Table = Callable[[Results, Console, Path], None]


def write_report(
    plan: Plan, chosen: Selection, table: Table, *, interrupted: bool = False, checked: bool = True
) -> Results:
    """Write every report of these cells, and print a table on the terminal. checked: as for `collect`."""
    from layermatrix.report import registry, terminal

    results = collect(plan, chosen, interrupted=interrupted, checked=checked)
    registry.write_all(results, plan.root / paths.REPORT)
    table(results, terminal.make_console(), paths.REPORT)
    return results


def collect(plan: Plan, chosen: Selection, *, interrupted: bool = False, checked: bool = True) -> Results:
    """Everything that is known about these cells. interrupted: missing records may have been in progress.
    checked: the job takes all evidence, so a record that is missing has failed."""
    from layermatrix.analysis import history, reported, results
    from layermatrix.jobs import recording

    versions = {name: found.version for name, found in plan.compilers.items() if isinstance(found, Toolchain)}
    found = results.collect(
        plan.project,
        chosen.cells,
        plan.root,
        left_out=chosen.left_out,
        compilers=versions,
        reference=reference(plan),
        interrupted=interrupted,
    )
    if not checked:
        found = replace(found, cells=tuple(map(_unchecked, found.cells)))
    kept = history.collect(recording.location(plan), [cell.id for cell in found.cells], found.headline)
    return replace(found, story=reported.story_of(found), history=kept)


def _unchecked(cell: CellResult) -> CellResult:
    """A cell of a job that does not take all evidence: what is missing has not failed."""
    reason = NotMeasured(f"this job does not take it; {scons('checks')} does")
    evidence = {
        name: reason if isinstance(record, Missing) else record for name, record in cell.evidence.items()
    }
    return replace(cell, evidence=evidence)


def reference(plan: Plan) -> Reference:
    """The accepted counters to compare with. If the lock has a mistake, the report names it and continues."""
    from layermatrix.analysis.counter_lock import Reference
    from layermatrix.spec import lockspec

    identities = {
        name: found.identity for name, found in plan.compilers.items() if isinstance(found, Toolchain)
    }
    try:
        return Reference(lockspec.read(plan.root), identities, plan.project.matrix.counters.limits)
    except SpecErrors as errors:
        return Reference({}, identities, {}, trouble=str(errors).splitlines()[0])
