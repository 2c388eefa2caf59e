"""The job `counters`: what an operation costs, beside variants/counters.lock; fails where it grew.

With --accept the lock is written.
"""

from __future__ import annotations

from dataclasses import replace

from layermatrix.build import request
from layermatrix.jobs import collecting
from layermatrix.jobs.base import Build, Job, Outcome, Plan, Work


def prepare(plan: Plan) -> Work:
    from layermatrix.spec import lockspec

    if plan.asked.without:
        raise request.RequestError("'counters' compares variants that have a file: leave without= out")
    lockspec.read(plan.root)  # a mistake in it is reported before anything is built
    chosen = plan.select(JOB)
    cells = tuple(cell for cell in chosen.cells if cell.is_counted)
    if not cells:
        why = "only native release cells without a sanitizer are counted"
        raise request.RequestError(f"no cell is left: {why}")
    files = tuple(f"{cell.build_dir}/evidence/counters.json" for cell in cells)
    build = Build(replace(chosen, cells=cells), files)
    then = f"{'write' if plan.asked.accept else 'compare the figures with'} {lockspec.FILE}"
    return Work((build,), then, lambda: _run(plan, build))


def _run(plan: Plan, build: Build) -> int:
    outcome = Outcome()
    with outcome.step():
        outcome.failed(plan.build(build))
    if outcome.interrupted:  # nothing is compared, nor accepted, that is half done
        return outcome.status
    outcome.failed(_judge(plan, build.chosen))
    return outcome.status


def _judge(plan: Plan, chosen: request.Selection) -> int:
    """Print the comparison, and accept the figures where that is asked for; 1 where a figure is worse or
    missing."""
    from layermatrix.analysis import counter_lock, results
    from layermatrix.report import reference as printed
    from layermatrix.report import terminal
    from layermatrix.spec import lockspec

    against, matrix = collecting.reference(plan), plan.project.matrix
    cells = results.collect(chosen.cells, plan.root, matrix.baseline, reference=against)["cells"]
    broken: tuple[str, ...] = counter_lock.BROKEN
    console = terminal.make_console()
    printed.print_table(cells, console)
    hint = "" if plan.asked.accept else "; --accept writes what they cost now"
    printed.print_findings(cells, console, hint)
    if plan.asked.accept:
        shapes = {name: getattr(matrix.counters, name) for name in ("I1", "D1", "LL")}
        known = counter_lock.Known(plan.project.variants, matrix.counters.loads, counter_lock.caches(shapes))
        lock = counter_lock.accepted(against, cells, known)
        print(counter_lock.write(plan.root, lock) or f"{lockspec.FILE} is as it was\n", end="")
        broken = (counter_lock.MISSED,)
    return int(any(cell["reference"].get("verdict", counter_lock.MISSED) in broken for cell in cells))


JOB = Job(
    name="counters",
    doc="what an operation costs, beside variants/counters.lock; fails where it grew",
    accept="what an operation costs now is written to variants/counters.lock",
    prepare=prepare,
)
