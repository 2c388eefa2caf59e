"""The job `evidence`: take the evidence of the selected cells without timing, and print its tables."""

from __future__ import annotations

from layermatrix.build.targets import EXECUTOR, STORE
from layermatrix.jobs import collecting, hosting, recording
from layermatrix.jobs.base import Build, Job, Outcome, Plan, Work


def prepare(plan: Plan) -> Work:
    build, hosts = Build(plan.select(JOB), ("checks",)), hosting.of(plan)
    then = hosting.described(hosts, "show the tables of evidence")
    return Work(hosting.builds(hosts, build), then, lambda: _run(plan, build, hosts))


def _run(plan: Plan, build: Build, hosts: hosting.Hosts | None) -> int:
    from layermatrix.report import terminal

    outcome, status, begun = Outcome(), 0, recording.begin(plan)
    if not hosting.run(plan, hosts, build.chosen, outcome):
        return outcome.end()
    with outcome.step():
        status = plan.build(build)
    built = recording.COUNTED if status == 0 and not outcome.interrupted else ()
    recording.save(begun, recording.of_cells(begun, build.chosen.cells, built=built))
    results = collecting.collect(plan, build.chosen, interrupted=outcome.interrupted)
    terminal.evidence_tables(results, terminal.make_console())
    # 1 if the tables show a failure; if the build itself could not continue, its own status
    found = any(cell.failed and cell.built for cell in results.cells)
    outcome.failed(1 if found else status)
    return outcome.end()


JOB = Job(
    name="evidence",
    doc="check the binaries (code, budgets, guards, counters, tests, programs); print the tables",
    variables=(EXECUTOR, STORE),
    prepare=prepare,
)
