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
from layermatrix.core.records import NotMeasured

SUFFIX = ".host"  # of the name of a note, after that of the record


def file_of(folder: Path, kind: str) -> Path:
    """The note beside the record of this kind of evidence. folder: of the cell."""
    return folder / paths.record(f"{kind}{SUFFIX}")


def note(folder: Path, kind: str, host: Host | None) -> None:
    """Write down who took the record. host: None for this machine, which needs no note."""
    file = file_of(folder, kind)
    if host is None:
        file.unlink(missing_ok=True)
    else:
        records.write(file, host.to_json())


def of_cell(folder: Path) -> dict[str, Host | NotMeasured]:
    """Kind of evidence -> the host that took its record; without the kinds whose records this machine took.
    NotMeasured: the note is damaged, so the figures of the record count for no host."""
    files = folder.glob(paths.record(f"*{SUFFIX}"))
    return {file.name.removesuffix(f"{SUFFIX}.json"): _read(file) for file in files}


def _read(file: Path) -> Host | NotMeasured:
    try:
        return Host.from_json(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        return NotMeasured(f"{file.name} cannot be used: {error}")
