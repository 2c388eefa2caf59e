"""The job `pages`: compare pages of docs/ with the current output of their tests; 1 if one differs."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import paths, request
from layermatrix.jobs import docpages
from layermatrix.jobs.base import Build, Job, Outcome, Plan, Work

if TYPE_CHECKING:
    from layermatrix.model.cells import Cell
    from layermatrix.model.measuring import Page
    from layermatrix.model.project import Project


@dataclass(frozen=True)
class _Pages:
    """A page and its child builds: the page's test program in each variant."""

    page: Page
    build: Build


def why_missing(project: Project) -> str | None:
    return None if project.matrix.pages else "variants/matrix.yaml of this project has no 'pages'"


def prepare(plan: Plan) -> Work:
    if "variant" in plan.request.axes:
        raise request.RequestError("pages takes its variants from variants/matrix.yaml: leave variant= out")
    wanted = [_page(plan, page) for page in plan.project.matrix.pages.values()]
    files = ", ".join(str(docpages.file_of(one.page)) for one in wanted)
    then = f"run the tests and {'write' if plan.request.accept else 'compare'} {files}"
    return Work(tuple(one.build for one in wanted), then, lambda: _run(plan, wanted))


def _page(plan: Plan, page: Page) -> _Pages:
    axes = {"mode": "release", **plan.request.axes, "variant": ",".join(page.variants)}
    chosen = request.select(plan.project, replace(plan.request, axes=axes), plan.compilers)
    if len(chosen.cells) != len(page.variants):
        ids = ", ".join(cell.id for cell in chosen.cells)
        raise request.RequestError(f"a page is made in one configuration, and these are {ids}")
    return _Pages(page, Build(chosen, tuple(_program(cell, page) for cell in chosen.cells)))


def _program(cell: Cell, page: Page) -> str:
    return f"{cell.build_dir}/{paths.program(page.test)}"


def _run(plan: Plan, wanted: list[_Pages]) -> int:
    outcome = Outcome()
    for one in wanted:
        with outcome.step():
            outcome.failed(plan.build(one.build) or _compare(plan, one))
        if outcome.interrupted:
            break
    return outcome.status


def _compare(plan: Plan, one: _Pages) -> int:
    """Compare the page's text with the file in docs/; write the file with --accept."""
    page, timeout = one.page, plan.project.matrix.tests.timeout
    try:
        printed = {
            cell.variant.name: docpages.run_test(
                plan.root / _program(cell, page), plan.root / cell.library, page.mark, timeout
            )
            for cell in one.build.chosen.cells
        }
        text = docpages.render(page, docpages.rows_of(printed), plan.root)
    except docpages.PageError as error:
        print(error, file=sys.stderr)
        return 1
    return _judge(plan, docpages.file_of(page), text)


def _judge(plan: Plan, file: Path, text: str) -> int:
    from layermatrix.core import records

    there = (plan.root / file).read_text(encoding="utf-8") if (plan.root / file).is_file() else ""
    if text == there:
        print(f"{file} matches the tests' output")
        return 0
    if plan.request.accept:
        records.write_text(plan.root / file, text)
        print(f"accepted: {file}")
        return 0
    print(docpages.difference(there, text))
    print(f"{file} differs from the tests' output; --accept writes it", file=sys.stderr)
    return 1


JOB = Job(
    name="pages",
    doc="compare pages of docs/ with the tests' output; fails if one differs",
    accept="the tests' output, to docs/",
    why_missing=why_missing,
    prepare=prepare,
)
