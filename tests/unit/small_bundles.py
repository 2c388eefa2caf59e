"""Bundles of a test: each runs shell scripts as the tests of a cell, and needs nothing that is built."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from layermatrix.build.dependencies import Library
from layermatrix.evidence.taking import tests
from layermatrix.hosts import bundle, host
from layermatrix.hosts.manifest import HostNeeds


def write(
    path: Path,
    scripts: Mapping[str, str],
    *,
    cell: str = "small-release-gcc",
    timeout: float = 60,
    needs: HostNeeds | None = None,
    resources: Mapping[str, float] | None = None,
    library: Library | None = None,
) -> str:
    """Write a bundle with one step, `tests`, and return its digest. scripts: the text of each test."""
    files = {}
    for name, text in scripts.items():
        files[f"build/{cell}/bin/{name}"] = file = path.parent / f"{path.stem}-{name}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        file.chmod(0o755)
    request = tests.Request(f"build/{cell}", tuple(files), tests.Limits(timeout))
    step = bundle.Step("tests", tests.HOSTED, request)
    wanted = needs or HostNeeds(host.this().architecture)
    content = bundle.Content((cell,), wanted, [step], files, resources=resources or {})
    return bundle.write(path, content, library)
