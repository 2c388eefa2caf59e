"""The job `report`: write the report from existing results; builds and runs nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from layermatrix.build import paths
from layermatrix.build.request import Selection
from layermatrix.build.targets import every_cell
from layermatrix.core.command import scons
from layermatrix.jobs import collecting
from layermatrix.jobs.base import Job, Plan, Work

if TYPE_CHECKING:
    from layermatrix.analysis.results import Results
    from layermatrix.model.cells import Cell


def prepare(plan: Plan) -> Work:
    every = plan.select(JOB, tried=lambda cell: _is_built(plan, cell))
    return Work((), f"write {paths.REPORT}/ from the existing results", lambda: _run(plan, every))


def _run(plan: Plan, every: Selection) -> int:
    from layermatrix.analysis.missing_records import Job
    from layermatrix.report import terminal

    built = tuple(cell for cell in every.cells if _is_built(plan, cell))
    if not built:
        print(f"nothing has been built yet; {scons()} builds and measures the default cells", file=sys.stderr)
        return 1
    one_configuration = len({cell.id.removeprefix(cell.variant.name) for cell in built}) == 1
    table = terminal.phase_table if one_configuration else terminal.matrix_table
    results = collecting.write_report(plan, Selection(built, every.left_out), table, job=Job.NONE)
    return _accept(plan, results) if plan.request.accept else 0


def _is_built(plan: Plan, cell: Cell) -> bool:
    return (plan.root / cell.build_dir).is_dir()


def _accept(plan: Plan, results: Results) -> int:
    """Write the tables of the variants for the README, and the README."""
    import datetime

    from layermatrix.evidence.columns import FigureKind
    from layermatrix.jobs import generated
    from layermatrix.report import accepted, story, tables

    verdicts = [(cell, tables.verdict(cell)) for cell in story.shipped(results).cells]
    failed = [
        f"{cell.id}: {cell.failed or f'not tested: {verdict.reason}'}"
        for cell, verdict in verdicts
        if verdict.kind is not FigureKind.GOOD
    ]
    if failed:
        hint = f"the README shows cells that passed; {scons()} builds and measures them"
        print(*failed, hint, sep="\n", file=sys.stderr)
        return 1
    record = accepted.of_variants(results, scons(), datetime.date.today())
    accepted.VARIANTS.write(plan.root / accepted.VARIANTS_FILE, record)
    print(f"accepted: {accepted.VARIANTS_FILE}")
    return generated.accept(plan.root)


JOB = Job(
    name="report",
    doc="write the report from the existing results",
    accept="the tables of the selected variants, for the README",
    axes=every_cell,
    prepare=prepare,
)
