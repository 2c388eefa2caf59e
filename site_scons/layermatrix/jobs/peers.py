"""The job `peers`: time the selected variants and other libraries of their kind, in turn, with each load."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from layermatrix.build import request
from layermatrix.build.targets import PRESET, ROUNDS, STORE, TIMING, Variable
from layermatrix.core.records import NotMeasured
from layermatrix.evidence.columns import several
from layermatrix.jobs import measuring, recording
from layermatrix.jobs.base import Build, Job, Outcome, Plan, Work
from layermatrix.model.measuring import FLOOR

if TYPE_CHECKING:
    from layermatrix.measure.peers import Lineup
    from layermatrix.model.cells import Cell
    from layermatrix.model.measuring import Peers
    from layermatrix.model.project import Project

LOADS = Variable(
    name="loads", doc="which loads are timed",
    values="names, groups and patterns of variants/matrix.yaml, all", default="its 'default'",
    choices=lambda project: (*project.matrix.peers.groups, *project.matrix.peers.loads, "all")
    if project.matrix.peers
    else (),
)  # fmt: skip
LIBRARIES = Variable(
    name="libraries", doc="which libraries of variants/matrix.yaml are timed with the variants",
    values="names and patterns, floor, all", default="those for the selected variants",
    choices=lambda project: (*project.matrix.peers.libraries, "all") if project.matrix.peers else (),
)  # fmt: skip
PEER = Variable(
    name="peer", doc="one more library: to time, or to run for its column of a page",
    values="name:path, such as mine:/usr/lib/libmine.so",
)  # fmt: skip


def why_missing(project: Project) -> str | None:
    return None if project.matrix.peers else "this project's variants/matrix.yaml names no 'peers'"


def axes(project: Project) -> Mapping[str, str]:
    wanted = project.matrix.peers
    return {"variant": ",".join(wanted.variants), "mode": "release"} if wanted else {}


def prepare(plan: Plan) -> Work:
    from layermatrix.measure import peer_selection, peers

    wanted = _wanted(plan)
    chosen = plan.select(JOB)
    if PRESET.name in plan.request.given:
        chosen = _timeable(chosen)
    _check(chosen)
    selected = peer_selection.of_request(
        wanted,
        [cell.variant.name for cell in chosen.cells],
        plan.project.matrix.baseline.name,
        plan.root,
        loads=plan.request.given.get(LOADS.name, ""),
        libraries=plan.request.given.get(LIBRARIES.name, ""),
        added=plan.request.given.get(PEER.name, ""),
    )
    lineup = peers.lineup(plan.root, plan.project, chosen.cells, selected)
    floor = [str(peers.floor_library(wanted.floor))] if wanted.floor and FLOOR in selected.libraries else []
    build = Build(chosen, ("libs", "benches", *floor))
    then = _then(plan, wanted, lineup, rounds_of(plan, wanted))
    return Work((build,), then, lambda: _run(plan, build, lineup, then))


def rounds_of(plan: Plan, wanted: Peers) -> int:
    """The number of timed runs of each load."""
    return plan.request.number(ROUNDS) or wanted.rounds or plan.project.matrix.timing.rounds


def _wanted(plan: Plan) -> Peers:
    found = plan.project.matrix.peers
    assert found is not None
    return found


def _then(plan: Plan, wanted: Peers, lineup: Lineup, rounds: int) -> str:
    """What will be timed, and the estimated duration if the loads declare their seconds."""
    from layermatrix.measure import peers, progress

    seconds = peers.expected_seconds(wanted, lineup, rounds)
    long = "" if seconds is None else f"; about {progress.duration(seconds)}, by the loads' 'seconds'"
    counts = f"{several(len(lineup.loads), 'load')} in {measuring.in_rounds(plan, rounds)}"
    return f"time {counts}, with {', '.join(lineup.names)}{long}"


def _timeable(chosen: request.Selection) -> request.Selection:
    """The cells of a preset that can be timed together: the first native release build of each variant."""
    first: dict[str, Cell] = {}
    for cell in chosen.cells:
        if cell.is_counted:
            first.setdefault(cell.variant.name, cell)
    left = [(cell.id, "peers times one native release build of each variant") for cell in chosen.cells]
    kept = {cell.id for cell in first.values()}
    others = tuple(one for one in left if one[0] not in kept)
    return request.Selection(tuple(first.values()), (*chosen.left_out, *others)) if first else chosen


def _check(chosen: request.Selection) -> None:
    """Check that each cell is a build of the code that is shipped, and that no variant appears twice."""
    uncounted = [cell.id for cell in chosen.cells if not cell.is_counted]
    names = [cell.variant.name for cell in chosen.cells]
    if uncounted or len(set(names)) < len(names):
        ids = ", ".join(uncounted or [cell.id for cell in chosen.cells])
        raise request.RequestError(
            f"peers times one native release build of each variant; the selected cells are {ids}"
        )


def _run(plan: Plan, build: Build, lineup: Lineup, then: str) -> int:
    from layermatrix.measure import peer_results, peers, progress, remarks
    from layermatrix.report import terminal

    outcome, begun = Outcome(), recording.begin(plan)
    with outcome.step():
        status = plan.build(build)
        outcome.failed(status)
        if status == 0:
            print(f"{JOB.name}: {then}", flush=True)
            with progress.watch() as step:
                peers.take(
                    plan.root,
                    plan.project,
                    lineup,
                    rounds_of(plan, _wanted(plan)),
                    method=measuring.method_of(plan),
                    store=lambda found: peer_results.FORMAT.write(plan.root / peer_results.FILE, found),
                    on_progress=step,
                )
    measured = recording.of_peers(begun, build.chosen.cells, lineup, peers.load(plan.root))
    recording.save(begun, measured, rounds=rounds_of(plan, _wanted(plan)), interrupted=outcome.interrupted)
    if outcome.status == 0 or outcome.interrupted:
        found = peers.load(plan.root)
        terminal.peers(found, terminal.make_console(), peer_results.FILE)
        for line in remarks.of_peers(found):
            print(line)
    if plan.request.accept and outcome.status == 0:
        outcome.failed(_accept(plan))
    return outcome.end()


def _accept(plan: Plan) -> int:
    """Write the record that the README is made from, and the README."""
    import datetime
    import shlex

    from layermatrix.analysis import results
    from layermatrix.core.command import scons
    from layermatrix.jobs import generated
    from layermatrix.measure import peers
    from layermatrix.report import accepted

    found = peers.load(plan.root)
    if isinstance(found, NotMeasured):
        print(found.reason, file=sys.stderr)
        return 1
    own = [variable.name for variable in JOB.variables if variable is not STORE]
    given = {**plan.request.axes, **plan.request.given}
    words = [
        shlex.quote(f"{name}={value}")
        for name, value in given.items()
        if name in own or name in plan.request.axes
    ]
    record = accepted.of_peers(found, results.host({}), scons(JOB.name, *words), datetime.date.today())
    accepted.PEERS.write(plan.root / accepted.PEERS_FILE, record)
    print(f"accepted: {accepted.PEERS_FILE}")
    return generated.accept(plan.root)


JOB = Job(
    name="peers",
    doc="time variants and other libraries of their kind in turn; print a table",
    accept="the comparison, for the README",
    variables=(LOADS, LIBRARIES, PEER, *TIMING, STORE),
    axes=axes,
    why_missing=why_missing,
    prepare=prepare,
)
