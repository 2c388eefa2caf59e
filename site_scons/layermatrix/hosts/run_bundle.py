"""Run a bundle on this machine, and say what came out. The command `layermatrix run-bundle`.

Reads a bundle; writes its result. The bundle runs in a process of its own, as it does on any other host.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from layermatrix.hosts import bundle, results

ISOLATED = ("-I", "-S")  # a bundle uses nothing that this Python has installed


class RunError(Exception):
    """The bundle could not be run; str() is the reason. status: the exit status."""

    def __init__(self, what: str, status: int = 1) -> None:
        super().__init__(what)
        self.status = status


def run(file: Path, out: Path | None = None) -> list[str]:
    """Run the bundle, and return lines that describe its result. out: the file of the result; None: the file
    in which the build of the project in this folder looks for it. Raises RunError, BundleError or
    ResultError."""
    bundle.check(file)
    digest = bundle.digest(file)
    out = out or results.path(Path(), digest)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{out.parent}: {error.strerror or error}", 2) from error
    command = [sys.executable, *ISOLATED, str(file), str(out)]
    status = subprocess.run(command).returncode  # it has printed its reason
    if status != 0:
        raise RunError(f"{shlex.join(command)} ended with exit status {status}", status)
    found = results.read(out, digest)
    if found is None:
        raise RunError(f"{out} was not written")
    return [*summary(found), f"result: {out}"]


def summary(result: results.Result) -> list[str]:
    """A line for each step."""
    return [f"{step['name']}: {_of_record(step['record'])}" for step in result.steps]


def _of_record(record: Mapping[str, Any]) -> str:
    if record.get("status") != "measured":
        return f"not measured: {record.get('reason')}"
    return ", ".join(_figures(record)) or "measured"


def _figures(record: Mapping[str, Any]) -> Iterator[str]:
    checks, loads = record.get("programs"), record.get("loads")
    if isinstance(checks, list):
        for status in dict.fromkeys(check["status"] for check in checks):
            yield f"{sum(check['status'] == status for check in checks)} {status}"
    if isinstance(loads, dict):
        counted = sum(load.get("status") == "measured" for load in loads.values())
        yield f"{counted} of {len(loads)} loads"
