"""Record what a job measured in the store of results.

A job calls `begin` before it builds, and `save` with what it measured. If the store cannot be written, the
job goes on: its JSON records in build/ are complete, and a line on stderr has the reason.
"""

from __future__ import annotations

import datetime
import os
import shlex
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import failure, paths, target_compilers
from layermatrix.build.targets import STORE
from layermatrix.build.toolchain import Toolchain
from layermatrix.core.file_digest import file_digest
from layermatrix.core.host import Host
from layermatrix.core.records import NotMeasured, plain
from layermatrix.evidence import hosts
from layermatrix.jobs import revision
from layermatrix.store import extract, machine
from layermatrix.store.entries import (
    BASELINE,
    CELL,
    PEER,
    Figure,
    Measurement,
    Revision,
    Run,
    Subject,
)

if TYPE_CHECKING:
    from layermatrix.analysis.comparison import Comparison
    from layermatrix.jobs.base import Plan
    from layermatrix.measure.peer_results import PeerResults
    from layermatrix.measure.peers import Lineup
    from layermatrix.model.cells import Cell

VARIABLE = "LAYERMATRIX_STORE"  # an environment variable: the store of all projects and clones
FILE = Path("build/results.sqlite")
COUNTED = ("asm", "budget", "counters")  # kinds of evidence whose figures are recorded
KINDS = (*COUNTED, "bench")
CLOCK_STEP = 20_000_000  # ns: a file's time may be this much behind the clock


@dataclass(frozen=True)
class Begun:
    """A run that has begun. since: its start on the clock of files, in ns."""

    plan: Plan
    revision: Revision
    started: str
    since: int
    load: tuple[float, ...] = field(default_factory=machine.load_average)


def location(plan: Plan) -> Path:
    """The file of the store: store=, then the environment's, then the project's own."""
    return plan.root / (plan.request.given.get(STORE.name) or os.environ.get(VARIABLE) or FILE)


def begin(plan: Plan, of: Revision | None = None) -> Begun:
    """Note the start of a run and the commit of the files. of: the commit, if it is not the present one."""
    return Begun(plan, of or revision.current(plan), _now(), time.time_ns() - CLOCK_STEP)


def save(begun: Begun, measured: Iterable[Measurement], **conditions: object) -> bool:
    """Record a run, unless nothing was measured: as one run for each host that took figures of it.
    conditions: JSON values, beside those of the first timing. Whether it is in the store."""
    from layermatrix.store import database, recording

    found = [one for one in measured if one.figures]
    if not found:
        return False
    path = location(begun.plan)
    try:
        with database.writable(path) as store:
            recording.add_all(store, _runs(begun, conditions, found))
    except database.StoreError as error:
        print(f"not recorded in the store: {error}; the records in build/ are complete", file=sys.stderr)
        return False
    return True


def of_cells(
    begun: Begun, cells: Iterable[Cell], *, built: Collection[str], root: Path | None = None
) -> Iterator[Measurement]:
    """The figures that this run took of cells and of the baseline. built: the kinds of evidence that it has
    built, so that the counts that it did not take again are those of the present libraries. root: the
    project's folder, if it is not the present one."""
    plan, folder = begun.plan, root or begun.plan.root
    digests = _digests(plan) if root is None else _digests_of(root)
    work, better = plan.project.catalogue.unit.work, plan.project.catalogue.unit.better.value
    for cell in cells:
        place = folder / cell.build_dir
        if failure.file_of(place).exists():
            continue
        files = {kind: place / paths.record(kind) for kind in KINDS}
        new = {kind: _is_new(file, begun.since) for kind, file in files.items()}
        records = {
            kind: extract.read(file) if new[kind] or kind in built else {} for kind, file in files.items()
        }
        found = {
            "asm": extract.of_code(records["asm"], records["budget"]),
            "counters": extract.of_counters(records["counters"], work),
            "bench": extract.of_bench(records["bench"], better, work, digests),
        }
        yield from _by_host(_subject(plan, cell, folder), place, found, records["bench"])
    timed = folder / paths.BASELINE / paths.record("bench")
    host = hosts.of_timing(folder / paths.BASELINE)
    if _is_new(timed, begun.since) and not isinstance(host, NotMeasured):
        baseline = Subject(plan.project.matrix.baseline.name, BASELINE)
        figures = extract.of_bench(extract.read(timed), better, work, digests)
        yield Measurement(baseline, tuple(figures), host=host)


def of_comparisons(
    begun: Begun, cells: Sequence[Cell], compared: Iterable[Comparison], *, current: bool
) -> Iterator[Measurement]:
    """The figures of the sides of comparisons. current: their counts are those of the present libraries."""
    plan, unit, by_id = begun.plan, begun.plan.project.catalogue.unit, {cell.id: cell for cell in cells}
    for comparison in compared:
        for side in comparison.sides:
            if side.id not in by_id or side.failure:
                continue
            timed = extract.of_bench(plain(side.bench), unit.better.value, unit.work, _digests(plan))
            counted = extract.of_counters(plain(side.counters) if current else {}, unit.work)
            code = extract.of_code(plain(side.asm) if current else {}, {})
            subject = _subject(plan, by_id[side.id], plan.root)
            yield _timed(subject, [*code, *counted, *timed], plain(side.bench))


def of_peers(
    begun: Begun, cells: Sequence[Cell], lineup: Lineup, found: PeerResults | NotMeasured
) -> Iterator[Measurement]:
    """The timings of variants and other libraries in turn."""
    from layermatrix.measure.peer_results import FILE as RECORD

    plan, unit = begun.plan, begun.plan.project.catalogue.unit
    if isinstance(found, NotMeasured) or not _is_new(plan.root / RECORD, begun.since):
        return
    own = {cell.variant.name: cell for cell in cells}
    for name in found.names:
        figures: list[Figure] = []
        for load, result in found.loads.items():
            digest = extract.load_digest(result.command, "beside other libraries")
            timing = plain(result.figures.get(name))
            figures += extract.of_timing(load, timing or {}, unit.better.value, unit.work, digest)
        if name in own:
            subject = _subject(plan, own[name], plan.root)
        elif name == found.baseline:
            subject = Subject(name, BASELINE)
        else:
            subject = Subject(name, PEER, library_digest=file_digest(lineup.others.get(name)))
        yield _timed(subject, figures, plain(found))


def _subject(plan: Plan, cell: Cell, root: Path) -> Subject:
    compiler = target_compilers.of_cell(cell, plan.compilers)
    libraries = sorted((root / cell.build_dir).glob("lib*.so"))
    return Subject(
        name=cell.id,
        source=CELL,
        variant=cell.variant.name,
        mode=cell.mode,
        compiler=cell.compiler,
        sanitizer=cell.sanitizer,
        target=cell.target,
        axes={axis: value for axis, value in cell.choices.items() if axis not in ("sanitizer", "target")},
        library_digest=file_digest(libraries[0] if libraries else None),
        compiler_version=compiler.identity if isinstance(compiler, Toolchain) else "",
    )


def _by_host(
    subject: Subject, place: Path, found: Mapping[str, Iterable[Figure]], timing: extract.Json
) -> Iterator[Measurement]:
    """The figures of a subject, apart for each host that took some of its evidence. found: by kind. timing:
    as for `_timed`. Figures of an unknown host are left out."""
    noted = hosts.of_cell(place)
    by_host: dict[Host | None, list[Figure]] = {}
    for kind, figures in found.items():
        host = noted.get(kind)
        if not isinstance(host, NotMeasured):
            by_host.setdefault(host, []).extend(figures)
    timer = noted.get("bench")
    for host, own in by_host.items():
        yield replace(_timed(subject, own, timing if host == timer else {}), host=host)


def _timed(subject: Subject, figures: Iterable[Figure], timing: extract.Json) -> Measurement:
    """The figures of a subject. timing: the record that has its seed and conditions."""
    return Measurement(subject, tuple(figures), extract.seed_of(timing), extract.conditions_of(timing))


def _digests(plan: Plan) -> dict[str, str]:
    """The digests of the loads that are timed."""
    return {
        load.name: extract.load_digest(
            " ".join([load.program, *load.args]),
            *(f"{name}={value}" for name, value in sorted(load.environment.items())),
            *load.before,
        )
        for load in plan.project.matrix.timed.values()
    }


def _digests_of(root: Path) -> dict[str, str]:
    """The digests of the loads of another checkout, from its report: `what it does (command)`."""
    loads = extract.read(root / paths.REPORT / "results.json").get("loads")
    found: Mapping[str, object] = loads if isinstance(loads, dict) else {}
    texts = {name: str(text) for name, text in found.items()}
    return {
        name: extract.load_digest(text.rpartition("(")[2].removesuffix(")")) for name, text in texts.items()
    }


def _is_new(file: Path, since: int) -> bool:
    return file.is_file() and file.stat().st_mtime_ns >= since


def _runs(
    begun: Begun, conditions: Mapping[str, object], measured: Sequence[Measurement]
) -> list[tuple[Run, list[Measurement]]]:
    """A run for each host, with its measurements."""
    here = Host.of_this_machine()
    by_host: dict[Host, list[Measurement]] = {}
    for one in measured:
        by_host.setdefault(one.host or here, []).append(one)
    return [(_run(begun, conditions, found, host), found) for host, found in by_host.items()]


def _run(begun: Begun, conditions: Mapping[str, object], measured: Sequence[Measurement], host: Host) -> Run:
    timing = next((one.conditions for one in measured if one.conditions), {})
    return Run(
        job=begun.plan.job,
        started=begun.started,
        finished=_now(),
        revision=begun.revision,
        command=shlex.join(["scons", *begun.plan.request.names, *_arguments(begun.plan)]),
        host=host,
        conditions={"load_average": begun.load, **conditions, **({"timing": timing} if timing else {})},
        seed=next((one.seed for one in measured if one.seed is not None), None),
    )


def _arguments(plan: Plan) -> list[str]:
    """The variables of the command line, without the place of the store, which is one of this machine."""
    given = {**plan.request.axes, **plan.request.runs, **plan.request.given}
    return [f"{name}={value}" for name, value in given.items() if name != STORE.name]


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
