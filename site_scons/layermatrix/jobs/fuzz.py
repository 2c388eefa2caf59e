"""The job `fuzz`: search for inputs that make the selected variants fail; one line per program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from layermatrix.build import request, toolchain
from layermatrix.build.targets import Variable
from layermatrix.jobs.base import Build, Job, Outcome, Plan, Work

if TYPE_CHECKING:
    from layermatrix.model.project import Project

SECONDS = Variable(
    name="seconds", doc="duration of the search in each cell", values="seconds", default="60",
    number=range(1, 86401),
)  # fmt: skip


def why_missing(project: Project) -> str | None:
    return None if project.matrix.fuzz else "nothing to fuzz: variants/matrix.yaml has no 'fuzz'"


def axes(_project: Project) -> Mapping[str, str]:
    """The axes of fuzzing: clang has libFuzzer, and ASan detects an error at once."""
    return {"mode": "debug", "compiler": "clang", "sanitizer": "asan"}


def prepare(plan: Plan) -> Work:
    wanted = plan.project.matrix.fuzz
    assert wanted is not None
    chosen = plan.select(JOB)
    for cell in chosen.cells:
        why = toolchain.fuzzer_missing(toolchain.of_cell(cell.compiler, plan.compilers))
        if why:
            raise request.RequestError(f"nothing to fuzz: {why}")
    names = [source.stem for source in sorted(plan.root.glob(wanted.sources))]
    files = tuple(f"{cell.build_dir}/fuzz/bin/{name}" for cell in chosen.cells for name in names)
    build, seconds = Build(chosen, files), int(plan.request.text(SECONDS))
    then = f"search for {seconds} s in each cell"
    return Work((build,), then, lambda: _run(plan, build, wanted.corpus, seconds))


def _run(plan: Plan, build: Build, corpus: str, seconds: int) -> int:
    from layermatrix.build.shell import Shell
    from layermatrix.evidence import fuzz

    outcome, shell = Outcome(), Shell(verbose=False)
    with outcome.step():
        outcome.failed(plan.build(build))
        for cell in build.chosen.cells if outcome.status == 0 else ():
            with shell.under_way(f"searching in {cell.id}"):
                record = fuzz.run(plan.root / cell.build_dir, plan.root / corpus, seconds)
            print("\n".join(fuzz.lines(cell.id, record)), flush=True)
            outcome.failed(int(fuzz.has_findings(record)))
    return outcome.status


JOB = Job(
    name="fuzz",
    doc="search for inputs that make the selected variants fail; clang only",
    variables=(SECONDS,),
    axes=axes,
    why_missing=why_missing,
    prepare=prepare,
)
