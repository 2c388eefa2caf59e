"""Which host took a cell's evidence: this one, or the one whose result the cell uses.

Reads `build/<cell>/result.json`: the result of the cell's bundle, with the host and the names of the steps
that it took; an empty object, or no file, if this machine took all evidence itself. The record `bench` itself
names its host if that is another one.
"""

from __future__ import annotations

import json
from pathlib import Path

from layermatrix.build import paths
from layermatrix.core.host import Host
from layermatrix.core.records import NotMeasured

BENCH = "bench"  # the kind of evidence that a job takes
RESULT, TIMED = "result.json", paths.record(BENCH)  # in the folder of a cell


def of_cell(folder: Path) -> dict[str, Host | NotMeasured]:
    """Kind of evidence -> the host that took its records; without the kinds that this machine took.
    NotMeasured: the result does not say which host it was, so its figures count for none."""
    found = _object(folder / RESULT)
    steps = found.get("steps")
    names = [step.get("name") for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
    kinds = [name.partition("/")[0] for name in names if isinstance(name, str)]
    timed = _object(folder / TIMED).get("host")
    return {
        **(dict.fromkeys(kinds, _host(found.get("host"), RESULT)) if kinds else {}),
        **({BENCH: _host(timed, TIMED)} if timed is not None else {}),
    }


def of_timing(folder: Path) -> Host | NotMeasured | None:
    """The host that timed the cell, or the baseline, in this folder; None: this machine."""
    return of_cell(folder).get(BENCH)


def _host(found: object, file: str) -> Host | NotMeasured:
    try:
        return Host.from_json(found)
    except ValueError as error:
        return NotMeasured(f"{file} of this cell cannot be used: {error}")


def _object(file: Path) -> dict[str, object]:
    """The object in this file; empty if there is none. A damaged file is not used: the build reports it."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
