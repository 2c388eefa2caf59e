"""Collect the evidence files of cells into the one result record that every report is printed from.

Reads `build/<cell>/evidence/*.json`, `build/baseline/evidence/*.json` and the cells' variants; returns the
contents of `results.json`. A figure that nobody took stands in it as "not measured" with the reason.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from layermatrix.analysis import comparison, layer_path, layercost, reported
from layermatrix.build import buildstate, toolchain
from layermatrix.core import records
from layermatrix.emit import printer
from layermatrix.measure import peers

if TYPE_CHECKING:
    from layermatrix.analysis.counter_lock import Reference
    from layermatrix.model.matrix import Cell

Record = dict[str, Any]

SCHEMA = 1
KINDS = ("asm", "budget", "code", "guards", "counters", "tests", "programs", "bench")
DEFAULT_AXES = {"sanitizer": "none", "target": "native"}


class Baseline(Protocol):
    """What every cell is compared with, as the matrix file names it."""

    @property
    def name(self) -> str: ...

    @property
    def reported(self) -> Mapping[str, str]: ...


def collect(
    cells: Sequence[Cell],
    root: Path,
    baseline: Baseline,
    *,
    left_out: Iterable[tuple[str, str]] = (),
    compilers: Mapping[str, str] | None = None,
    loads: Mapping[str, str] | None = None,
    headline: str | None = None,
    reference: Reference | None = None,
    places: Mapping[str, str] | None = None,
) -> Record:
    """The result record of these cells.

    `left_out` holds (cell id, reason), `compilers` name -> identity, `loads` name -> what it does. `headline`
    is the load of the first speed column; without it the first one is. `reference` is what each cell's
    counters are compared with. `places`: layer -> path:line of its entry in the catalogue.
    """
    collected = [_cell_record(cell, root, reference) for cell in cells]
    described = _loads(loads, collected)
    results: Record = {
        "schema": SCHEMA,
        "system": _system(cells),
        "host": host(compilers or {}),
        "loads": described,
        "headline": headline or next(iter(described), None),
        "cells": collected,
        "variants": {cell.variant.name: layer_path.describe(cell.variant) for cell in cells},
        "baseline": _baseline_record(baseline, root),
        "experiments": comparison.load(root),
        "peers": peers.load(root),
        "origins": _origins(root, cells, places or {}),
        "left_out": [{"id": cell_id, "reason": reason} for cell_id, reason in left_out],
    }
    results["story"] = reported.tell(results)
    return results


def _origins(root: Path, cells: Sequence[Cell], places: Mapping[str, str]) -> Record:
    """Where each layer of these cells is written: its template, and its entry in the catalogue."""
    layers = {layer.name: layer for cell in cells for layer in cell.variant.layers}
    return {
        name: {"template": f"templates/{printer.template_of(layer, root / 'templates')}", "entry":
        places.get(name, "")} for name, layer in layers.items()
    }


def failed(cell: Record) -> str | None:
    """The first reason why this cell record did not pass, or None."""
    failure = cell.get("failure")
    if failure:
        return f"build failed: {failure.get('target') or failure.get('command') or 'unknown command'}"
    if not cell.get("built"):
        return "not built: there is no library"
    for kind in (*KINDS, "layer_counts"):
        evidence = cell.get(kind) or {}
        if evidence.get("status") == "failed":
            return f"{kind}: {evidence.get('reason') or 'failed'}"
        for failure in evidence.get("failures", ()):
            return f"{kind}: {failure}"
        for program in evidence.get("programs", ()):
            if program["status"] == "failed":
                return f"{kind}: {program['name']}: {program.get('reason') or 'failed'}"
    tests = cell.get("tests") or {}
    return f"tests: {tests['reason']}" if tests.get("missing") else None


def failure_log(cell: Record) -> str:
    """What the command or the program printed that failed first in this cell, the command above it; or what a
    gate has to say of what it found."""
    gates = (cell.get(kind) or {} for kind in KINDS)
    broken = cell.get("failure") or next((gate for gate in gates if gate.get("failures")), None)
    broken = broken or next(_failed_programs(cell), None) or {}
    return "\n".join(str(broken[key]) for key in ("command", "log") if broken.get(key))


def _failed_programs(cell: Record) -> Iterator[Record]:
    for kind in KINDS:
        for program in (cell.get(kind) or {}).get("programs", ()):
            if program["status"] == "failed":
                yield program


def repeat_command(cell: Record) -> str:
    """The command that builds and checks just this cell again."""
    words = ["./sconsw", f"variant={cell['variant']}", f"mode={cell['mode']}", f"compiler={cell['compiler']}"]
    for axis, default in DEFAULT_AXES.items():
        value = cell.get(axis, default)
        if value != default:
            words.append(f"{axis}={value}")
    return " ".join([*words, "checks"])


def host(compilers: Mapping[str, str]) -> Record:
    """The machine and the tools that the figures were taken with."""
    return {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "machine": platform.machine(),
        "kernel": f"{platform.system()} {platform.release()}",
        "libc": toolchain.libc(),
        "compilers": dict(compilers),
    }


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name for people."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip().lower() in ("model name", "cpu model", "hardware"):
            return value.strip()
    return platform.processor() or platform.machine()


def _cell_record(cell: Cell, root: Path, reference: Reference | None) -> Record:
    folder = root / cell.build_dir
    failure = _failure(folder / "evidence" / "failure.json")
    built = failure is None and _library_exists(folder, cell.variant.system.library)
    record: Record = {
        "id": cell.id,
        "variant": cell.variant.name,
        "mode": cell.mode,
        "compiler": cell.compiler,
        "sanitizer": cell.sanitizer,
        "target": cell.target,
        "doc": cell.variant.doc,
        "lineage": list(cell.variant.lineage),
        "layers": [layer.title for layer in cell.variant.layers],
        "quoted": dict(cell.variant.reported),
        "built": built,
        "failure": failure,
    }
    for kind in KINDS:
        record[kind] = _evidence(folder, kind, built)
    if record["bench"].get("missing") and not reported.is_told(record):
        record["bench"]["reason"] = "only native release cells without a sanitizer are timed"
    record["reference"] = (
        reference.of(record) if reference else records.not_measured("reference", "it was not compared")
    )
    record["layer_counts"] = (
        layercost.of_cell(cell, root) if built else records.not_measured("layers", "not built")
    )
    record["failed"] = failed(record)
    record["repeat"] = repeat_command(record)
    return record


def _evidence(folder: Path, kind: str, built: bool) -> Record:
    """One piece of evidence; `missing` marks what a build that went well should have left."""
    if not built:
        # What an earlier build left says nothing about one that failed.
        return records.not_measured(kind, "not built")
    file = folder / "evidence" / f"{kind}.json"
    record = records.load(file, kind)
    return record if file.exists() else {**record, "missing": True}


def _failure(file: Path) -> Record | None:
    if not file.exists():
        return None
    record = records.load(file, "failure")
    if records.is_measured(record):
        return record
    return {**record, "command": "", "target": file.name, "log": record["reason"]}


def _library_exists(folder: Path, library: str) -> bool:
    return any((folder / f"lib{library}{suffix}").exists() for suffix in (".so", ".a"))


def _system(cells: Sequence[Cell]) -> Record:
    if not cells:
        return {"name": "", "doc": ""}
    system = cells[0].variant.system
    return {"name": system.name, "doc": system.doc}


def _loads(loads: Mapping[str, str] | None, collected: Sequence[Record]) -> dict[str, str]:
    """Each load with what it does; where nobody describes them, those that were timed."""
    if loads is not None:
        return dict(loads)
    return {name: name for record in collected for name in record["bench"].get("loads", {})}


def _baseline_record(baseline: Baseline, root: Path) -> Record:
    folder = root / buildstate.BASELINE / "evidence"
    return {
        "name": baseline.name,
        "quoted": dict(baseline.reported),
        "counters": records.load(folder / "counters.json", "counters"),
        "bench": records.load(folder / "bench.json", "bench"),
    }
