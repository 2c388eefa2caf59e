"""The job `story`: write the story of the selected cells from existing results; builds and runs nothing.

Writes build/report/story.md, and with --accept docs/story.md.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import paths
from layermatrix.core import records
from layermatrix.core.command import scons
from layermatrix.jobs import collecting
from layermatrix.jobs.base import Job, Plan, Work

if TYPE_CHECKING:
    from layermatrix.build.request import Selection

STORY = Path("docs/story.md")


def prepare(plan: Plan) -> Work:
    chosen = plan.select(JOB)
    accepted = f", and {STORY}" if plan.request.accept else ""
    return Work((), f"write {paths.REPORT}/{STORY.name}{accepted}", lambda: _run(plan, chosen))


def _run(plan: Plan, chosen: Selection) -> int:
    from layermatrix.report import story

    results = collecting.collect(plan, chosen)
    failed = [f"{cell.id}: {cell.failed}" for cell in results.cells if cell.failed]
    if failed:
        print(*failed, sep="\n", file=sys.stderr)
        why = f"the story needs cells that passed; {scons()} builds and measures them"
        print(why, file=sys.stderr)
        return 1
    story.EXPORTER.write(results, plan.root / paths.REPORT)
    written = paths.REPORT / story.EXPORTER.pattern
    print(f"written: {written}")
    if plan.request.accept:
        records.write_text(plan.root / STORY, (plan.root / written).read_text(encoding="utf-8"))
        print(f"accepted: {STORY}")
    return 0


JOB = Job(
    name="story",
    doc="write build/report/story.md from existing results; --accept copies it to docs/story.md",
    accept="build/report/story.md, to docs/story.md",
    prepare=prepare,
)
