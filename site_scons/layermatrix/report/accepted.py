"""The accepted results of a project: records in docs/, from which its README's tables and picture are made.

Reads and writes `docs/peers.results.json` (a comparison with other libraries, without the figures of each
run) and `docs/variants.results.json` (the tables of the variants). Jobs write them with --accept.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from layermatrix.analysis.results import Results
from layermatrix.core.host import Host
from layermatrix.core.records import Format, Measured, NotMeasured
from layermatrix.evidence.columns import Table
from layermatrix.measure.peer_results import PeerResults
from layermatrix.report import story, tables

DOCS = Path("docs")


@dataclass(frozen=True)
class Accepted(Measured):
    """date: of the measurement, as 2026-01-31. machine: its cores, processor and C library, in words.
    command: what measures it again."""

    date: str
    machine: str
    command: str


@dataclass(frozen=True)
class Peers(Accepted):
    """found: without `figures`, which are long; shares, ratios and summaries stay."""

    found: PeerResults


@dataclass(frozen=True)
class Variants(Accepted):
    """tables: of the code, and of its speed and counters."""

    tables: tuple[Table, ...]


PEERS, VARIANTS = Format("accepted peers", Peers), Format("accepted variants", Variants)
PEERS_FILE, VARIANTS_FILE = DOCS / "peers.results.json", DOCS / "variants.results.json"
R = TypeVar("R", Peers, Variants)


def of_peers(found: PeerResults, host: Host, command: str, date: datetime.date) -> Peers:
    """The record of a comparison."""
    loads = {name: replace(load, figures={}) for name, load in found.loads.items()}
    return Peers(date.isoformat(), machine(host), command, replace(found, loads=loads))


def of_variants(results: Results, command: str, date: datetime.date) -> Variants:
    """The record of the variants: of the builds that are shipped, in the order of the story."""
    shown = story.shipped(results)
    made = (tables.code_table(shown), tables.run_table(shown))
    return Variants(date.isoformat(), machine(results.host), command, made)


def machine(host: Host) -> str:
    return f"{host.cores} cores of {host.cpu}, {host.libc}"


def read(root: Path, form: Format[R], file: Path) -> R | NotMeasured:
    return form.read(root / file)
