"""Which host took a cell's evidence: this one, or the one whose result the cell uses.

Reads `build/<cell>/result.json`: the result of the cell's bundle, with the host and the names of the steps
that it took; an empty object, or no file, if this machine took all evidence itself.
"""

from __future__ import annotations

import json
from pathlib import Path

from layermatrix.core.host import Host
from layermatrix.core.records import NotMeasured

RESULT = "result.json"  # in the folder of a cell


def of_cell(folder: Path) -> dict[str, Host | NotMeasured]:
    """Kind of evidence -> the host that took its records; without the kinds that this machine took.
    NotMeasured: the result does not say which host it was, so its figures count for none."""
    try:
        found = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}  # a damaged result is not used: the build reports it
    if not isinstance(found, dict) or not isinstance(found.get("steps"), list):
        return {}
    names = [step.get("name") for step in found["steps"] if isinstance(step, dict)]
    kinds = [name.partition("/")[0] for name in names if isinstance(name, str)]
    try:
        host: Host | NotMeasured = Host.from_json(found.get("host"))
    except ValueError as error:
        host = NotMeasured(f"{RESULT} of this cell cannot be used: {error}")
    return dict.fromkeys(kinds, host)
