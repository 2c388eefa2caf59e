"""The job `report`: write the report from existing results; builds and runs nothing."""

from __future__ import annotations

import sys

from layermatrix.build import paths
from layermatrix.build.request import Selection
from layermatrix.build.targets import every_cell
from layermatrix.core.command import scons
from layermatrix.jobs import collecting
from layermatrix.jobs.base import Job, Plan, Work


def prepare(plan: Plan) -> Work:
    every = plan.select(JOB)
    return Work((), f"write {paths.REPORT}/ from the existing results", lambda: _run(plan, every))


def _run(plan: Plan, every: Selection) -> int:
    from layermatrix.report import terminal

    built = tuple(cell for cell in every.cells if (plan.root / cell.build_dir).is_dir())
    if not built:
        print(f"nothing has been built yet; {scons()} builds and measures the default cells", file=sys.stderr)
        return 1
    one_configuration = len({cell.id.removeprefix(cell.variant.name) for cell in built}) == 1
    table = terminal.phase_table if one_configuration else terminal.matrix_table
    collecting.write_report(plan, Selection(built, every.left_out), table)
    return 0


JOB = Job(
    name="report",
    doc="write the report from the existing results",
    axes=every_cell,
    prepare=prepare,
)
