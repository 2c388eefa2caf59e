"""Bundles for tests of the driver: a zip application that writes a result, or does what a test needs."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

from layermatrix.hosts.executors.base import Work

PROGRAM = """
import os, sys
bundle, result = sys.argv
{before}
import hashlib
digest = hashlib.sha256(open(bundle, "rb").read()).hexdigest()
text = {text!r}.replace("DIGEST", digest).replace("PLACE", str(os.getppid()))
open(result + ".new", "w").write(text)
os.replace(result + ".new", result)
"""


def text_of(value: object) -> str:
    """A result with this record."""
    steps = [{"name": "tests", "record": value, "files": {}}]
    return json.dumps(
        {
            "format": "layermatrix-result", "version": 1, "bundle": "DIGEST", "host": {"pid": "PLACE"},
            "steps": steps, "started": "2026-01-01T00:00:00Z", "finished": "2026-01-01T00:00:01Z",
        }
    )  # fmt: skip


def bundle(
    folder: Path,
    name: str,
    *,
    before: str = "",
    seconds: float = 30.0,
    resources: Mapping[str, float] | None = None,
    tools: tuple[str, ...] = (),
) -> Work:
    """A bundle whose result has its name. before: Python that its host runs first."""
    file = folder / f"{name}.pyz"
    with zipfile.ZipFile(file, "w") as made:
        made.writestr(
            zipfile.ZipInfo("__main__.py", (1980, 1, 1, 0, 0, 0)),
            PROGRAM.format(before=before, text=text_of({"cell": name})),
        )
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return Work(name, digest, file, seconds, resources or {}, tools)
