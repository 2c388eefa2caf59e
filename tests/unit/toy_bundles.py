"""Bundles for tests of the driver: a zip application that writes a result, or does what a test needs."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

from layermatrix.hosts.executors.base import Work

PROGRAM = """
import hashlib, json, os, sys
bundle, result = sys.argv
{before}
content = {{
    "format": "layermatrix-result", "version": 1,
    "bundle": hashlib.sha256(open(bundle, "rb").read()).hexdigest(), "host": {{"process": os.getppid()}},
    "steps": [{{"name": "tests", "kind": "tests", "record": {{"kind": "tests", "cell": {name!r}}}}}],
    "started": "2026-01-01T00:00:00", "finished": "2026-01-01T00:00:01",
}}
plain = json.dumps(content, sort_keys=True, separators=(",", ":"))
content["sum"] = hashlib.sha256(plain.encode()).hexdigest()
{after}
open(result + ".new", "w").write(json.dumps(content))
os.replace(result + ".new", result)
"""


def bundle(
    folder: Path,
    name: str,
    *,
    before: str = "",
    after: str = "",
    seconds: float = 30.0,
    resources: Mapping[str, float] | None = None,
    tools: Mapping[str, str] | None = None,
) -> Work:
    """A bundle whose result has its name. before, after: Python that its host runs before it makes the
    result, and before it writes it."""
    file = folder / f"{name}.pyz"
    with zipfile.ZipFile(file, "w") as made:
        program = PROGRAM.format(before=before, after=after, name=name)
        made.writestr(zipfile.ZipInfo("__main__.py", (1980, 1, 1, 0, 0, 0)), program)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return Work(name, digest, file, seconds, resources or {}, tools or {})
