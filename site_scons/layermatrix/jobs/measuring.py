"""The common part of `phases`, `bench` and `matrix`: build, time and report cells; how any job times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layermatrix.build import paths, targets
from layermatrix.evidence.columns import several
from layermatrix.jobs import collecting, hosting, recording
from layermatrix.jobs.base import Build, Outcome, Plan, Work

if TYPE_CHECKING:
    from layermatrix.build.request import Selection
    from layermatrix.measure.method import Method


def work(plan: Plan, chosen: Selection, built: tuple[str, ...], table: str, *, again: bool = False) -> Work:
    """The work on these cells. table: the function of `report.terminal` that prints the result. again: also
    time cells whose figures are up to date."""
    build, hosts = Build(chosen, built), hosting.of(plan)
    loads, checked = plan.project.matrix.timed, "checks" in built
    where = f" on one host of {hosts.executor.name}" if hosts and not checked else ""
    then = f"time {len(loads)} loads in {in_rounds(plan, rounds_of(plan))}{where}, and write {paths.REPORT}/"
    if checked:
        then = hosting.described(hosts, then)
    builds = hosting.builds(hosts if checked else None, build)
    return Work(builds, then, lambda: _run(plan, build, table, again, hosts))


def rounds_of(plan: Plan) -> int:
    """The number of timed runs of each load."""
    return plan.request.number(targets.ROUNDS) or plan.project.matrix.timing.rounds


def method_of(plan: Plan) -> Method:
    """How this command line times: in a random order of its own, until its figures are exact enough or its
    time is over."""
    from layermatrix.measure.method import Method, new_seed

    request = plan.request
    return Method(
        seed=request.number(targets.SEED) or new_seed(),
        precision=request.quantity(targets.PRECISION),
        budget=request.quantity(targets.BUDGET),
        strict=request.text(targets.STRICT) == "1",
        smallest_effect=plan.project.matrix.timing.smallest_share,
    )


def in_rounds(plan: Plan, rounds: int) -> str:
    """The number of rounds, and what ends them earlier, in words."""
    ends = [
        f"until exact to {plan.request.given[variable.name]}" if variable is targets.PRECISION
        else f"for at most {plan.request.given[variable.name]}"
        for variable in (targets.PRECISION, targets.BUDGET)
        if variable.name in plan.request.given
    ]  # fmt: skip
    most = "at most " if ends else ""
    return ", ".join([f"{most}{several(rounds, 'round')}", *ends])


def _run(plan: Plan, build: Build, table: str, again: bool, hosts: hosting.Hosts | None) -> int:
    """Build, time, report. After a failure or an interrupt, the report shows the finished results. hosts:
    take the evidence; a job without evidence has its timing done by one of them."""
    from layermatrix.analysis.missing_records import Job
    from layermatrix.measure import timing
    from layermatrix.report import terminal

    outcome, chosen, begun = Outcome(), build.chosen, recording.begin(plan)
    checked, rounds = "checks" in build.targets, rounds_of(plan)
    if checked and not hosting.run(plan, hosts, chosen, outcome):
        return outcome.end()
    with outcome.step():
        outcome.failed(plan.build(build))
        timer = None if checked else hosting.timer(plan, hosts, rounds)
        timing.take(
            plan.root,
            plan.project,
            chosen.cells,
            rounds=rounds,
            again=again,
            method=method_of(plan),
            timer=timer,
        )
    built = recording.COUNTED if checked and outcome.status == 0 else ()
    measured = recording.of_cells(begun, chosen.cells, built=built)
    recording.save(begun, measured, rounds=rounds, interrupted=outcome.interrupted)
    show = getattr(terminal, table)
    took = Job.ALL if checked else Job.SOME
    results = collecting.write_report(plan, chosen, show, interrupted=outcome.interrupted, job=took)
    outcome.failed(int(any(cell.failed for cell in results.cells)))
    return outcome.end()
