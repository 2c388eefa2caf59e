"""Collect the evidence of cells into one result, from which every report is printed.

Reads `build/<cell>/evidence/*.json`, `build/baseline/evidence/*.json` and the cells' variants. A figure that
was not taken is `NotMeasured` with the reason. Only `CellResult` decides what failed, from the checks of the
registered gates; every exporter and every exit status uses it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from layermatrix.analysis import comparison, layer_path, layercost, missing_records
from layermatrix.analysis.missing_records import INTERRUPTED, Job
from layermatrix.analysis.story import Story
from layermatrix.build import failure, paths, shared_objects
from layermatrix.build.failure import Failure
from layermatrix.core.command import scons
from layermatrix.core.file_digest import file_digest
from layermatrix.core.host import Host
from layermatrix.core.records import Measured, Missing, NotMeasured, plain
from layermatrix.emit import printer
from layermatrix.evidence import counters, hosts, registry
from layermatrix.evidence.columns import View
from layermatrix.evidence.counters import Counters
from layermatrix.evidence.kind import Check, Kind, Status
from layermatrix.measure import peers
from layermatrix.model.catalogue import Unit
from layermatrix.model.cells import DEFAULT_AXES, is_shipped
from layermatrix.profiles import registry as profiles

if TYPE_CHECKING:
    from layermatrix.analysis.comparison import Comparison, Experiments
    from layermatrix.analysis.counter_lock import ComparedCell, Reference
    from layermatrix.analysis.history import Recorded
    from layermatrix.analysis.layer_path import LayerPath
    from layermatrix.analysis.layercost import LayerCosts
    from layermatrix.measure.peer_results import PeerResults
    from layermatrix.model.cells import Cell
    from layermatrix.model.measuring import Load
    from layermatrix.model.project import Project

SCHEMA = 2
BUILD = "build"
NOT_BUILT = NotMeasured("not built")
UNBUILT = "the library was not built, only other files of this cell"
NO_PEERS = NotMeasured("this project is compared with no other libraries ('peers' in variants/matrix.yaml)")
NOT_READ = NotMeasured("the store was not read")

R = TypeVar("R", bound=Measured)
Records = Mapping[str, Measured | NotMeasured]  # kind -> its record


@dataclass(frozen=True)
class KindCheck:
    """A check and the kind of evidence that it belongs to; `build` for the build itself."""

    kind: str
    check: Check

    def __str__(self) -> str:
        reason = self.check.reason or self.check.status.value
        name = "" if self.check.name == self.kind else f"{self.check.name}: "
        return f"{self.kind}: {name}{reason}"


class _Evidence:
    """What has records of evidence."""

    evidence: Records

    def of(self, kind: Kind[R]) -> R | NotMeasured:
        """The record of this kind, typed."""
        record = self.evidence.get(kind.name, NOT_BUILT)
        assert isinstance(record, (kind.record, NotMeasured))
        return record


@dataclass(frozen=True)
class CellResult(_Evidence):
    """Everything that is known about a cell. layers: their titles. reported: the reported figures of the
    variant. reference: its counters compared with the accepted ones. layer_costs: the work of its layers,
    counted in the cell whose layers count. unbuilt: why it has no library, if that is no failure. own: its
    values of own axes that are not the default. hosts: kind of evidence -> the host that took its record, if
    it was another one than this."""

    id: str
    variant: str
    mode: str
    compiler: str
    sanitizer: str
    target: str
    doc: str
    lineage: tuple[str, ...]
    layers: tuple[str, ...]
    reported: Mapping[str, str]
    built: bool
    failure: Failure | None
    evidence: Records
    reference: ComparedCell | NotMeasured
    layer_costs: LayerCosts | NotMeasured
    interrupted: bool = False
    unbuilt: str = ""
    own: Mapping[str, str] = field(default_factory=dict)
    hosts: Mapping[str, Host] = field(default_factory=dict)

    @property
    def is_shipped(self) -> bool:
        """Whether it is built as it would be used, without a choice of an own axis."""
        return not self.own and is_shipped(self.mode, self.sanitizer, self.target)

    @property
    def checks(self) -> tuple[KindCheck, ...]:
        """All checks with their results, the build first."""
        of_kinds = (
            KindCheck(kind.name, check)
            for kind in registry.KINDS
            for check in kind.judge(self.evidence.get(kind.name, NOT_BUILT))
        )
        return (KindCheck(BUILD, self._build), *of_kinds)

    @property
    def why_unbuilt(self) -> str:
        """Why there is no library, if that is no failure; otherwise empty."""
        return INTERRUPTED.reason if self.interrupted else self.unbuilt

    @property
    def _build(self) -> Check:
        if self.failure:
            reason = f"{self.failure.target or self.failure.command or 'unknown command'} could not be built"
            return Check(BUILD, Status.FAILED, reason, self.failure.log, self.failure.command)
        if not self.built and self.why_unbuilt:
            return Check(BUILD, Status.NOT_RUN, self.why_unbuilt)
        if not self.built:
            return Check(BUILD, Status.FAILED, "there is no library")
        return Check(BUILD, Status.PASSED)

    @property
    def failures(self) -> tuple[KindCheck, ...]:
        return tuple(found for found in self.checks if found.check.status is Status.FAILED)

    @property
    def failed(self) -> str | None:
        """The first reason why this cell did not pass, or None."""
        return str(self.failures[0]) if self.failures else None

    @property
    def failure_log(self) -> str:
        """The first failed command or check, and its output."""
        first = self.failures[0].check if self.failures else None
        return "\n".join(text for text in (first.command, first.log) if text) if first else ""

    @property
    def repeat(self) -> str:
        """The command that builds and checks just this cell again."""
        words = [f"variant={self.variant}", f"mode={self.mode}", f"compiler={self.compiler}"]
        for axis, default in DEFAULT_AXES.items():
            value = getattr(self, axis)
            if value != default:
                words.append(f"{axis}={value}")
        words += [f"{axis}={value}" for axis, value in self.own.items()]
        return scons(*words, "checks")


@dataclass(frozen=True)
class BaselineResult(_Evidence):
    """The baseline, which every cell is compared with."""

    name: str
    reported: Mapping[str, str]
    evidence: Records
    hosts: Mapping[str, Host] = field(default_factory=dict)

    @property
    def is_known(self) -> bool:
        """Whether there is something to show. False if every load has the hot path inlined."""
        found = any(not isinstance(record, Missing) for record in self.evidence.values())
        return found or bool(self.reported)


@dataclass(frozen=True)
class System:
    name: str
    doc: str


@dataclass(frozen=True)
class Here(Host):
    """This host, and the compilers that built the cells: name -> version."""

    compilers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Origin:
    """The origin of a layer: its template, and its entry in the catalogue."""

    template: str
    entry: str


@dataclass(frozen=True)
class LeftOut:
    """A cell that is not built, and why."""

    id: str
    reason: str


@dataclass(frozen=True)
class Results:
    """All cells of a run. loads: name -> what it does, in the order of the matrix file; headline: the load of
    the first column of speeds. variants: each path, as `layer_path` describes it. beside: a figure that is
    measured -> the name of the reported one that is shown beside it. story: the comparison of both. history:
    the series of the store that the page shows; results.json leaves them out. saved: the objects that were
    not compiled, because another cell has an equal one."""

    system: System
    host: Here
    loads: Mapping[str, str]
    headline: str | None
    cells: tuple[CellResult, ...]
    variants: Mapping[str, LayerPath]
    baseline: BaselineResult
    experiments: Experiments | NotMeasured
    peers: PeerResults | NotMeasured
    origins: Mapping[str, Origin]
    left_out: tuple[LeftOut, ...]
    beside: Mapping[str, str]
    unit: Unit
    story: Story = field(default_factory=Story)
    history: tuple[Recorded, ...] | NotMeasured = NOT_READ
    saved: int = 0
    schema: int = field(default=SCHEMA)

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """The experiments, and the comparisons of a variant with itself without one of its layers."""
        found = self.experiments
        return () if isinstance(found, NotMeasured) else tuple(found.comparisons.values())

    def reported(self, record: CellResult | BaselineResult, figure: str) -> str | None:
        """The reported figure that stands beside a measured one; nothing is reported of a cell that is not
        shipped."""
        if isinstance(record, CellResult) and not record.is_shipped:
            return None
        return record.reported.get(self.beside.get(figure, figure))

    @property
    def view(self) -> View:
        """The words in which kinds of evidence name their columns."""
        loads = tuple(sorted(self.loads, key=lambda name: name != self.headline))
        return View(loads, self.unit.work, self.unit.figure, self.baseline.name)


def collect(
    project: Project,
    cells: Sequence[Cell],
    root: Path,
    *,
    left_out: Sequence[tuple[str, str]] = (),
    compilers: Mapping[str, str] | None = None,
    reference: Reference | None = None,
    interrupted: bool = False,
    job: Job = Job.ALL,
) -> Results:
    """The results of these cells. `left_out` holds (cell id, reason), `compilers` name -> identity.
    `reference` is what each cell's counters are compared with. job: what was built of them just now."""
    matrix, catalogue = project.matrix, project.catalogue
    system, profile = catalogue.system, profiles.of(catalogue.profile)
    return Results(
        system=System(system.name, system.doc),
        host=host(compilers or {}),
        loads={load.name: _described(load) for load in matrix.timed.values()},
        headline=matrix.timing.headline or next(iter(matrix.timed), None),
        cells=tuple(
            cell_result(project, cell, root, reference, interrupted=interrupted, job=job) for cell in cells
        ),
        variants={cell.variant.name: layer_path.describe(cell.variant, profile) for cell in cells},
        baseline=_baseline(project, root),
        experiments=comparison.load(root),
        peers=peers.load(root) if matrix.peers else NO_PEERS,
        origins=_origins(project, root, cells),
        left_out=tuple(LeftOut(cell_id, reason) for cell_id, reason in left_out),
        beside={one.beside or name: name for name, one in catalogue.reported.items()},
        unit=catalogue.unit,
        saved=shared_objects.saved(root / cell.build_dir for cell in cells),
    )


def document(results: Results) -> dict[str, Any]:
    """The contents of results.json."""
    parts = plain(results)
    parts["cells"] = [_cell_document(cell) for cell in results.cells]
    parts["baseline"] = _with_evidence(parts["baseline"])
    parts["hosts"] = _hosts_document(results)
    parts.pop("history")  # the job `export` prints it from the store
    return {"schema": parts.pop("schema"), **parts}


def _cell_document(cell: CellResult) -> dict[str, Any]:
    parts = plain(cell)
    parts["layer_counts"] = parts.pop("layer_costs")  # as it is called in files; `layers` are the titles
    parts["evidence"].pop("layers", None)
    parts["hosts"] = {kind: host.id for kind, host in cell.hosts.items()}
    checks = [{"kind": found.kind, **plain(found.check)} for found in cell.checks]
    return {**_with_evidence(parts), "checks": checks, "failed": cell.failed, "repeat": cell.repeat}


def _hosts_document(results: Results) -> list[dict[str, Any]]:
    """Each other host once: cells name it by its id."""
    records: list[CellResult | BaselineResult] = [results.baseline, *results.cells]
    found = dict.fromkeys(host for record in records for host in record.hosts.values())
    return [{"id": host.id, "kind": str(host.kind), **host.to_json()} for host in found]


def _with_evidence(parts: dict[str, Any]) -> dict[str, Any]:
    """Each kind's record stands beside the other fields."""
    return {**parts, **parts.pop("evidence")}


def _described(load: Load) -> str:
    """What a load does, and the command that is timed."""
    return f"{load.doc} ({' '.join([load.program, *load.args])})"


def _origins(project: Project, root: Path, cells: Sequence[Cell]) -> dict[str, Origin]:
    layers = {layer.name: layer for cell in cells for layer in cell.variant.layers}
    places = project.catalogue.places
    return {
        name: Origin(f"templates/{printer.template_of(layer, root / 'templates')}", places.get(name, ""))
        for name, layer in layers.items()
    }


def cell_result(
    project: Project,
    cell: Cell,
    root: Path,
    reference: Reference | None = None,
    *,
    interrupted: bool = False,
    job: Job = Job.ALL,
) -> CellResult:
    """The result of one cell. interrupted: its build was interrupted, so a missing file is not a failure.
    job: what was built of it just now."""
    folder = root / cell.build_dir
    failed = _failure(folder)
    built = failed is None and _is_built(folder, cell.variant.system.shared, cell.variant.system.static)
    library = file_digest(folder / cell.variant.system.shared)
    evidence = {
        kind.name: missing_records.explained(
            kind, kind.format.read(folder / kind.file, library=library), cell, project, root, job,
            interrupted=interrupted,
        ) if built else NOT_BUILT
        for kind in registry.KINDS
    }  # fmt: skip
    takers = hosts.of_cell(folder)
    damaged = {kind: one for kind, one in takers.items() if isinstance(one, NotMeasured)}
    evidence |= {kind: damaged[kind] for kind in evidence.keys() & damaged.keys()}
    counted = evidence[counters.KIND.name]
    assert isinstance(counted, (Counters, NotMeasured))
    not_compared: ComparedCell | NotMeasured = NotMeasured("it was not compared")
    return CellResult(
        id=cell.id,
        variant=cell.variant.name,
        mode=cell.mode,
        compiler=cell.compiler,
        sanitizer=cell.sanitizer,
        target=cell.target,
        doc=cell.variant.doc,
        lineage=cell.variant.lineage,
        layers=tuple(layer.title for layer in cell.variant.layers),
        reported=dict(cell.variant.reported),
        built=built,
        failure=failed,
        evidence=evidence,
        reference=reference.of(cell, counted) if reference else not_compared,
        layer_costs=layercost.of_cell(cell, root) if built else NOT_BUILT,
        interrupted=interrupted,
        unbuilt=UNBUILT if job is Job.NONE else "",
        own={axis: value for axis, value in cell.choices.items() if axis not in DEFAULT_AXES},
        hosts=_hosts(takers, evidence),
    )


def _hosts(takers: Mapping[str, Host | NotMeasured], evidence: Records) -> dict[str, Host]:
    """The other hosts that took these records."""
    return {
        kind: host
        for kind, host in takers.items()
        if isinstance(host, Host) and isinstance(evidence.get(kind), Measured)
    }


def _failure(folder: Path) -> Failure | None:
    file = failure.file_of(folder)
    record = failure.FORMAT.read(file)
    if isinstance(record, Failure):
        return record
    return None if isinstance(record, Missing) else Failure("", record.reason, file.name)


def _is_built(folder: Path, *libraries: str) -> bool:
    return any((folder / name).exists() for name in libraries)


def _baseline(project: Project, root: Path) -> BaselineResult:
    folder, baseline = root / paths.BASELINE, project.matrix.baseline
    kinds = [kind for kind in registry.KINDS if kind.of_baseline]
    records = {kind.name: kind.format.read(folder / kind.file) for kind in kinds}
    return BaselineResult(
        baseline.name, dict(baseline.reported), records, _hosts(hosts.of_cell(folder), records)
    )


# --- the machine


def host(compilers: Mapping[str, str]) -> Here:
    """This machine. compilers: name -> version."""
    return Here(**vars(Host.of_this_machine()), compilers=dict(compilers))
