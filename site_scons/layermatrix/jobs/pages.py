"""The job `pages`: compare pages of docs/ with the current output of their tests; 1 if one differs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import paths, request
from layermatrix.jobs import docpages, generated, page_libraries
from layermatrix.jobs.base import Build, Job, Outcome, Plan, Work
from layermatrix.jobs.peers import PEER

if TYPE_CHECKING:
    from layermatrix.model.cells import Cell
    from layermatrix.model.measuring import Page
    from layermatrix.model.project import Project


@dataclass(frozen=True)
class _Pages:
    """A page and its child builds: the page's test program in each variant. given: the files of libraries
    whose columns are made again."""

    page: Page
    build: Build
    given: Mapping[str, Path]


def why_missing(project: Project) -> str | None:
    return None if project.matrix.pages else "variants/matrix.yaml of this project has no 'pages'"


def prepare(plan: Plan) -> Work:
    if "variant" in plan.request.axes:
        raise request.RequestError("pages takes its variants from variants/matrix.yaml: leave variant= out")
    pages = plan.project.matrix.pages
    given = page_libraries.given(pages, plan.request.given.get(PEER.name, ""), plan.root)
    wanted = [_page(plan, page, given) for page in pages.values()]
    files = ", ".join(str(docpages.file_of(one.page)) for one in wanted)
    then = f"run the tests and {'write' if plan.request.accept else 'compare'} {files}"
    return Work(tuple(one.build for one in wanted), then, lambda: _run(plan, wanted))


def _page(plan: Plan, page: Page, given: Mapping[str, Path]) -> _Pages:
    axes = {"mode": "release", **plan.request.axes, "variant": ",".join(page.variants)}
    chosen = request.select(plan.project, replace(plan.request, axes=axes), plan.compilers)
    if len(chosen.cells) != len(page.variants):
        ids = ", ".join(cell.id for cell in chosen.cells)
        raise request.RequestError(f"a page is made in one configuration, and these are {ids}")
    build = Build(chosen, tuple(_program(cell, page) for cell in chosen.cells))
    return _Pages(page, build, {name: path for name, path in given.items() if name in page.libraries})


def _program(cell: Cell, page: Page) -> str:
    return f"{cell.build_dir}/{paths.program(page.test)}"


def _run(plan: Plan, wanted: list[_Pages]) -> int:
    outcome = Outcome()
    for one in wanted:
        with outcome.step():
            outcome.failed(plan.build(one.build) or _compare(plan, one))
        if outcome.interrupted:
            return outcome.status
    outcome.failed(generated.accept(plan.root) if plan.request.accept else generated.compare(plan.root))
    return outcome.status


def _compare(plan: Plan, one: _Pages) -> int:
    """Compare the page's text with the file in docs/; write the file with --accept."""
    try:
        rows = docpages.rows_of(_printed(plan, one))
        columns = _columns(plan, one)
        rows = page_libraries.add(one.page, rows, columns)
        text = docpages.render(one.page, rows, plan.root, columns.columns)
    except docpages.PageError as error:
        print(error, file=sys.stderr)
        return 1
    status = _judge(plan, docpages.file_of(one.page), text)
    if plan.request.accept and one.given and status == 0:
        page_libraries.FORMAT.write(plan.root / page_libraries.file_of(one.page), columns)
    return status


def _printed(plan: Plan, one: _Pages) -> dict[str, docpages.Entries]:
    """The entries by variant."""
    page, timeout = one.page, plan.project.matrix.tests.timeout
    return {
        cell.variant.name: docpages.run_test(
            plan.root / _program(cell, page), plan.root / cell.library, page.mark, timeout
        )
        for cell in one.build.chosen.cells
    }


def _columns(plan: Plan, one: _Pages) -> page_libraries.Columns:
    """The columns of the page's libraries: those of the given files anew, the others as recorded."""
    program = plan.root / _program(one.build.chosen.cells[-1], one.page)
    timeout = plan.project.matrix.tests.timeout
    new = {
        name: page_libraries.observe(path, program, one.page.mark, timeout)
        for name, path in one.given.items()
    }
    return page_libraries.with_new(page_libraries.recorded(one.page, plan.root), new)


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
    variables=(PEER,),
    accept="the tests' output, to docs/, and the generated parts of README.md",
    why_missing=why_missing,
    prepare=prepare,
)
