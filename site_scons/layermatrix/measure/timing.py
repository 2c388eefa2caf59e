"""Time the built cells, without other libraries, and keep the figures until the binaries change.

Reads the libraries and benchmark programs of `build/<cell>/` and `build/baseline/bin/`; writes
`evidence/bench.json` of each. `measure.runner` runs the programs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import failure, paths
from layermatrix.core.file_digest import file_digest
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import bench
from layermatrix.evidence.bench import Bench
from layermatrix.measure import hardware, one_run, progress, remarks, runner
from layermatrix.measure.method import Method
from layermatrix.measure.runner import Timed
from layermatrix.model.cells import ONLY_SHIPPED

if TYPE_CHECKING:
    from layermatrix.model.cells import Cell
    from layermatrix.model.measuring import Load
    from layermatrix.model.project import Project

# Times a plan, and stores the records of its subjects on the way.
Timer = Callable[[Timed, runner.Store], dict[str, "Bench | NotMeasured"]]
BASELINE = "baseline"  # the baseline's name among the timed subjects


def take(
    root: Path,
    project: Project,
    cells: Sequence[Cell],
    *,
    rounds: int | None,
    again: bool,
    method: Method | None = None,
    timer: Timer | None = None,
) -> None:
    """Time the release cells without sanitizer, and print what readers of the figures have to know. Unless
    `again` is set, skip cells whose figures are up to date. timer: times them; the default does so here."""
    wanted = rounds or project.matrix.timing.rounds
    baseline = _baseline(root, project)
    subjects = [cell_subject(root, project, cell) for cell in cells if cell.is_counted]
    subjects = [subject for subject in subjects if _is_built(subject)]
    keys = {one.store: _key(project, one) for one in (*subjects, *([baseline] if baseline else []))}
    if not again:
        subjects = [one for one in subjects if not _is_known(one.store, keys[one.store], wanted)]
    loads = loads_of(project, project.matrix.timed.values())
    if not (subjects and loads) or (baseline and not _is_built(baseline)):
        return
    plan = Timed(loads, subjects, wanted, baseline, method or usual(project))
    libraries = {one.store: file_digest(one.library) for one in subjects}
    _remark((timer or here)(plan, _keyed(keys, libraries)))


def here(plan: Timed, store: runner.Store) -> dict[str, Bench | NotMeasured]:
    """Time on this machine, and show the progress."""
    with progress.watch() as step, hardware.counting() as perf:
        return runner.measure(
            plan.loads, plan.subjects, plan.rounds, plan.baseline, method=plan.method, perf=perf,
            on_progress=step, store=store,
        )  # fmt: skip


def _remark(found: Mapping[str, Bench | NotMeasured]) -> None:
    for line in remarks.lines(found):
        print(line, flush=True)


def usual(project: Project) -> Method:
    """The method of a run whose command line sets nothing."""
    return Method(smallest_effect=project.matrix.timing.smallest_share)


def side_by_side(
    root: Path,
    project: Project,
    cells: Sequence[Cell],
    names: Sequence[str],
    rounds: int,
    into: dict[str, Bench | NotMeasured],
    method: Method | None = None,
    timer: Timer | None = None,
) -> None:
    """Time these cells against the first of them, in turn in one run, with the loads of these names.

    Loads without arguments for this purpose are left out. `into` receives each cell's record `bench` by id
    after every round, so that an interrupt keeps the finished rounds. The cells' own `bench.json` does not
    change, because it was measured against another baseline. timer: as for `take`.
    """
    reason = _untimed(root, project, cells)
    if reason:
        into.update({cell.id: NotMeasured(reason) for cell in cells})
        return
    timed = project.matrix.timed
    loads = loads_of(project, [timed[name] for name in names if name in timed])
    first, *others = [cell_subject(root, project, cell) for cell in cells]
    owners = {subject.store: subject.name for subject in (first, *others)}

    def keep(path: Path, record: Bench | NotMeasured) -> None:
        into[owners[path]] = record

    _remark((timer or here)(Timed(loads, others, rounds, first, method or usual(project)), keep))


def _untimed(root: Path, project: Project, cells: Sequence[Cell]) -> str | None:
    """The reason why these cells cannot be timed side by side."""
    for cell in cells:
        if not cell.is_counted:
            return ONLY_SHIPPED.format("timed")
        if not _is_built(cell_subject(root, project, cell)):
            return f"{cell.id} is not built"
    return None


def loads_of(project: Project, loads: Iterable[Load]) -> list[one_run.Load]:
    """These loads in the form that the runner times."""
    unit = project.catalogue.unit
    return [
        one_run.Load(
            load.name,
            load.args,
            unit,
            load.is_inlined,
            environment=load.environment,
            before=load.before,
            parallel=load.parallel,
        )
        for load in loads
    ]


def cell_subject(root: Path, project: Project, cell: Cell) -> one_run.Subject:
    """A cell's programs and library."""
    folder = root / cell.build_dir
    programs = {load.name: folder / paths.program(load.program) for load in project.matrix.timed.values()}
    return one_run.Subject(cell.id, programs, root / cell.library, folder / bench.KIND.file)


def _baseline(root: Path, project: Project) -> one_run.Subject | None:
    """The baseline of every cell: the programs that are built without a library. None if the project has no
    such programs."""
    folder = root / paths.BASELINE
    programs = {
        load.name: folder / paths.program(load.program)
        for load in project.matrix.timed.values()
        if not load.is_inlined
    }
    return one_run.Subject(BASELINE, programs, None, folder / bench.KIND.file) if programs else None


def _is_built(subject: one_run.Subject) -> bool:
    """Whether all its files exist and come from the last build. A failed build leaves older files."""
    return (
        all(file.is_file() for file in _files(subject))
        and not failure.file_of(subject.store.parent.parent).exists()
    )


def _files(subject: one_run.Subject) -> list[Path]:
    return [*subject.programs.values(), *([subject.library] if subject.library else [])]


def _key(project: Project, subject: one_run.Subject) -> str:
    """Everything that a figure depends on, except the machine's current load."""
    digest = hashlib.sha256()
    for file in _files(subject):
        digest.update(file.read_bytes() if file.is_file() else b"none")
    digest.update(repr(loads_of(project, project.matrix.timed.values())).encode())
    return digest.hexdigest()


def _is_known(store: Path, key: str, rounds: int) -> bool:
    record = bench.KIND.format.read(store)
    if not isinstance(record, Bench) or record.key != key:
        return False
    return max(record.rounds, record.planned if record.stopped else 0) >= rounds


def _keyed(keys: Mapping[Path, str], libraries: Mapping[Path, str]) -> runner.Store:
    """Write a record with a key that identifies the timed binaries, and the digest of the library."""

    def store(path: Path, record: Bench | NotMeasured) -> None:
        keyed = replace(record, key=keys[path]) if isinstance(record, Bench) else record
        bench.KIND.format.write(path, keyed, library=libraries.get(path, ""))

    return store
