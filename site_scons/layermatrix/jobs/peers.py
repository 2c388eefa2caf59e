"""The job `peers`: the selected variants beside other libraries of their kind, each load in turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from layermatrix.build import request
from layermatrix.build.targets import ROUNDS
from layermatrix.jobs import measuring
from layermatrix.jobs.base import Build, Job, Outcome, Plan, Work

if TYPE_CHECKING:
    from layermatrix.model.project import Project


def why_missing(project: Project) -> str | None:
    return None if project.matrix.peers else "this project's variants/matrix.yaml names no 'peers'"


def axes(project: Project) -> Mapping[str, str]:
    wanted = project.matrix.peers
    return {"variant": ",".join(wanted.variants), "mode": "release"} if wanted else {}


def prepare(plan: Plan) -> Work:
    from layermatrix.measure import peers

    wanted = plan.project.matrix.peers
    assert wanted is not None
    chosen = plan.select(JOB)
    _check(chosen)
    floor = [str(peers.floor_library(wanted.floor))] if wanted.floor else []
    build = Build(chosen, ("libs", "benches", *floor))
    loads, rounds, others = len(wanted.loads), measuring.rounds_of(plan), len(wanted.libraries)
    then = f"time {loads} loads in {rounds} rounds, beside {others} other libraries"
    return Work((build,), then, lambda: _run(plan, build))


def _check(chosen: request.Selection) -> None:
    """Each is a build whose code is what is shipped, and no variant is there twice."""
    uncounted = [cell.id for cell in chosen.cells if not cell.is_counted]
    names = [cell.variant.name for cell in chosen.cells]
    if uncounted or len(set(names)) < len(names):
        ids = ", ".join(uncounted or [cell.id for cell in chosen.cells])
        raise request.RequestError(f"peers times native release builds, one a variant, and these are {ids}")


def _run(plan: Plan, build: Build) -> int:
    from layermatrix.measure import contest, peers, progress
    from layermatrix.report import terminal

    outcome = Outcome()
    with outcome.step():
        status = plan.build(build)
        outcome.failed(status)
        if status == 0:
            with progress.watch() as step:
                peers.take(
                    plan.root,
                    plan.project,
                    build.chosen.cells,
                    measuring.rounds_of(plan),
                    store=lambda found: contest.FORMAT.write(plan.root / contest.FILE, found),
                    on_progress=step,
                )
    if outcome.status == 0 or outcome.interrupted:
        terminal.peers(peers.load(plan.root), terminal.make_console(), contest.FILE)
    return outcome.end()


JOB = Job(
    name="peers",
    doc="time variants beside other libraries of their kind, in turn; a table",
    variables=(ROUNDS,),
    axes=axes,
    why_missing=why_missing,
    prepare=prepare,
)
