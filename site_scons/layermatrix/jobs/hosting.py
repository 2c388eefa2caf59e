"""Run the bundles of a job's cells on other hosts, before the job takes their evidence.

The job then builds as it always does: a step takes its record from the result of its cell's bundle if there
is one, and runs here otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import failure
from layermatrix.build.targets import EXECUTOR, SEED
from layermatrix.evidence.columns import several
from layermatrix.jobs.base import FAILED, INTERRUPTED, Build, Outcome, Plan

if TYPE_CHECKING:
    from layermatrix.build.request import Selection
    from layermatrix.hosts.comparison import HostTimer
    from layermatrix.hosts.driver import Summary
    from layermatrix.hosts.executors.base import Executor, Work
    from layermatrix.hosts.executors.registry import Chosen
    from layermatrix.hosts.results import Result
    from layermatrix.model.cells import Cell

TARGETS = ("bundles",)
STARTING = 60.0  # seconds of a bundle's limit beyond those of its steps: to unpack it, and to start programs
SHOWN = 5  # bundles in the note about those that no host ran


@dataclass(frozen=True)
class Hosts:
    """The executor of the command line."""

    executor: Chosen


def of(plan: Plan) -> Hosts | None:
    """The other hosts that the command line names; None if this build takes the evidence. Raises RequestError
    for an executor that cannot be used."""
    text = plan.request.given.get(EXECUTOR.name)
    if text is None:
        return None
    from layermatrix.hosts.executors import registry

    chosen = registry.parse(text)
    return Hosts(chosen) if chosen.takes_bundles else None


def builds(hosts: Hosts | None, build: Build) -> tuple[Build, ...]:
    """The builds of a job: first the bundles, if there are other hosts."""
    return (Build(build.chosen, TARGETS), build) if hosts else (build,)


def described(hosts: Hosts | None, then: str) -> str:
    """What follows the builds of a job that takes evidence, in words."""
    if hosts is None:
        return then
    bundles = f"run the bundles that have no result on {hosts.executor.name}"
    return f"{bundles}, take the evidence from the results, and {then}"


def run(plan: Plan, hosts: Hosts | None, chosen: Selection, outcome: Outcome) -> bool:
    """Build the bundles of these cells, and run those that have no result. Whether the job can go on: not
    after Ctrl-C, nor if the executor cannot be used. The results so far are kept."""
    if hosts is None:
        return True
    from layermatrix.hosts.executors.base import ExecutorError

    try:
        outcome.notes += _notes(_run(plan, hosts, chosen, outcome))
    except KeyboardInterrupt:
        outcome.status = INTERRUPTED
        outcome.notes.append("interrupted: the results so far are kept, and the same command goes on")
    except ExecutorError as error:
        outcome.failed(FAILED)
        outcome.notes.append(str(error))
    return outcome.status == 0


def _run(plan: Plan, hosts: Hosts, chosen: Selection, outcome: Outcome) -> Summary:
    executor = hosts.executor.connect(plan.root)  # before the build: an error must not come minutes later
    try:
        plan.build(Build(chosen, TARGETS))  # the job's own build reports what fails in this one
        return _drive(plan, hosts, executor, list(_works(plan.root, chosen.cells, outcome)))
    finally:
        executor.shutdown()


def _drive(plan: Plan, hosts: Hosts, executor: Executor, works: Sequence[Work]) -> Summary:
    from layermatrix.hosts import driver
    from layermatrix.hosts.driver_results import Results

    def say(line: str) -> None:
        print(f"{hosts.executor.kind.name}: {line}", flush=True)

    return driver.run(works, executor, Results(plan.root), say=say)


def _works(root: Path, cells: Sequence[Cell], outcome: Outcome) -> Iterator[Work]:
    """The bundles of these cells. A cell whose bundle could not be built has none."""
    from layermatrix.hosts import bundle, cell_bundle

    for cell in cells:
        folder = root / cell.build_dir
        digest = cell_bundle.digest_of(folder)
        if digest is None or failure.file_of(folder).exists():
            continue
        try:
            yield _work(cell.id, folder / bundle.NAME, digest)
        except bundle.BundleError as error:
            outcome.notes.append(str(error))


def _work(name: str, file: Path, digest: str, rounds: int = 1) -> Work:
    """The bundle in this file. rounds: how often it runs each command. Raises BundleError."""
    from layermatrix.hosts import bundle
    from layermatrix.hosts.executors.base import Work

    manifest = bundle.read(file)
    seconds = STARTING
    for step in manifest.steps:
        limits = step.timeouts.values()  # of one command each, or of them all
        seconds += max(sum(limits), max(limits, default=0) * len(step.commands)) * rounds
    tools = {command: package for step in manifest.steps for command, package in step.needs.items()}
    return Work(name, digest, file, seconds, manifest.resources, tools)


def timer(plan: Plan, hosts: Hosts | None, rounds: int) -> HostTimer | None:
    """What times a comparison: one bundle on one host. None: it is timed here."""
    if hosts is None:
        return None
    from layermatrix.hosts.comparison import HostTimer

    return HostTimer(
        plan.root,
        plan.job,
        lambda file: _compared(plan, hosts, file, rounds),
        SEED.name in plan.request.given,
    )


def _compared(plan: Plan, hosts: Hosts, file: Path, rounds: int) -> Result:
    """Run the bundle of a comparison, again if it has a result: it is timed again. Raises RefusedError."""
    from layermatrix.core.errors import RefusedError
    from layermatrix.hosts import bundle, results

    work = _work(plan.job, file, bundle.digest(file), rounds)
    results.path(plan.root, work.digest).unlink(missing_ok=True)
    executor = hosts.executor.connect(plan.root)
    try:
        summary = _drive(plan, hosts, executor, [work])
    finally:
        executor.shutdown()
    found = results.read(results.path(plan.root, work.digest), work.digest)
    if found is None:
        reason = summary.not_run.get(work.name, "its result has gone")
        raise RefusedError(f"no host timed the comparison: {reason}")
    print(f"{hosts.executor.kind.name}: timed on {found.host.get('cpu')}", flush=True)
    return found


def _notes(summary: Summary) -> list[str]:
    """What a reader has to know at the end."""
    notes = []
    if summary.not_run:
        count = several(len(summary.not_run), "bundle")
        notes.append(f"{count} ran on no host, so their steps ran here: {_listed(summary.not_run)}")
    if summary.lacking:
        count = several(len(summary.lacking), "bundle")
        notes.append(
            f"{count} found a tool on no host, so some steps are not run: {_listed(summary.lacking)}"
        )
    if summary.differing:
        names = ", ".join(summary.differing[:SHOWN])
        notes.append(f"two hosts returned different results, of which the first one counts: {names}")
    return notes


def _listed(reasons: Mapping[str, str]) -> str:
    """The first bundles with their reasons."""
    lines = [f"{name}: {reason}" for name, reason in list(reasons.items())[:SHOWN]]
    more = len(reasons) - len(lines)
    return "; ".join([*lines, *([f"and {more} more"] if more else [])])
