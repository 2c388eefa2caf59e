"""Note which host took a record of evidence: a file beside the record, if another host than this one did.

Reads and writes `build/<cell>/evidence/<kind>.host.json`. The note is apart from the record, because the
records of two hosts of one kind are equal byte by byte.
"""

from __future__ import annotations

import json
from pathlib import Path

from layermatrix.build import paths
from layermatrix.core import records
from layermatrix.core.host import Host


def file_of(folder: Path, kind: str) -> Path:
    """The note beside the record of this kind of evidence. folder: of the cell."""
    return folder / paths.record(f"{kind}.host")


def note(folder: Path, kind: str, host: Host | None) -> None:
    """Write down who took the record. host: None for this machine, which needs no note."""
    file = file_of(folder, kind)
    if host is None:
        file.unlink(missing_ok=True)
    else:
        records.write(file, host.to_json())


def of_record(folder: Path, kind: str) -> Host | None:
    """The host that took the record of this kind; None for this machine. Raises ValueError for a damaged
    note: without it, the figures would count as this machine's."""
    file = file_of(folder, kind)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        return Host.from_json(json.loads(text))
    except ValueError as error:
        raise ValueError(f"{file}: {error}; remove it, and take the evidence again") from None
