"""Collect the results of a job's cells, write the reports and print a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import paths
from layermatrix.build.toolchain import Toolchain
from layermatrix.core.errors import SpecErrors

if TYPE_CHECKING:
    from rich.console import Console

    from layermatrix.analysis.counter_lock import Reference
    from layermatrix.analysis.missing_records import Job
    from layermatrix.analysis.results import Results
    from layermatrix.build.request import Selection
    from layermatrix.jobs.base import Plan

    Table = Callable[[Results, Console, Path], None]


def write_report(
    plan: Plan, chosen: Selection, table: Table, *, interrupted: bool = False, job: Job | None = None
) -> Results:
    """Write every report of these cells, and print a table on the terminal. job: as for `collect`."""
    from layermatrix.report import registry, terminal

    results = collect(plan, chosen, interrupted=interrupted, job=job)
    registry.write_all(results, plan.root / paths.REPORT)
    table(results, terminal.make_console(), paths.REPORT)
    return results


def collect(plan: Plan, chosen: Selection, *, interrupted: bool = False, job: Job | None = None) -> Results:
    """Everything that is known about these cells. interrupted: missing records may have been in progress.
    job: what was built of them just now; the default is all evidence, so that a missing record has failed."""
    from layermatrix.analysis import history, missing_records, reported, results
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
        job=job or missing_records.Job.ALL,
    )
    kept = history.collect(recording.location(plan), [cell.id for cell in found.cells], found.headline)
    return replace(found, story=reported.story_of(found), history=kept)


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
