"""The job `reference`: compare the pages of docs/reference/ with the code; 1 if one differs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build.targets import AXIS_DOCS, COMMON, Target, Variable
from layermatrix.jobs import docpages
from layermatrix.jobs.base import Job, Plan, Work

if TYPE_CHECKING:
    from layermatrix.model.project import Project

FOLDER = docpages.FOLDER / "reference"


def texts(targets: Sequence[Target]) -> dict[str, str]:
    """The pages, by name."""
    from layermatrix.report import reference

    axes = [
        Variable(name=name, doc=doc, values="names, patterns", default="as in variants/matrix.yaml")
        for name, doc in AXIS_DOCS.items()
    ]
    return reference.pages(targets, [*axes, *COMMON])


def differing(root: Path, pages: dict[str, str]) -> list[str]:
    """The pages whose file has another text, or is missing."""
    files = {name: root / FOLDER / name for name in pages}
    return [
        name
        for name, file in files.items()
        if not file.is_file() or file.read_text(encoding="utf-8") != pages[name]
    ]


def _why_missing(_project: Project) -> str | None:
    return None if FOLDER.is_dir() else f"this project has no {FOLDER}"


def _run(plan: Plan) -> int:
    from layermatrix.core import records

    pages = texts(plan.targets)
    stale = differing(plan.root, pages)
    for name in stale:
        if plan.request.accept:
            records.write_text(plan.root / FOLDER / name, pages[name])
            print(f"accepted: {FOLDER / name}")
        else:
            print(f"{FOLDER / name} differs from the code; --accept writes it", file=sys.stderr)
    return 1 if stale and not plan.request.accept else 0


JOB = Job(
    name="reference",
    doc="compare docs/reference/ with the code; fails if a page differs",
    accept="the reference of keys, commands, methods and messages, to docs/reference/",
    why_missing=_why_missing,
    prepare=lambda plan: Work((), f"compare {FOLDER} with the code", lambda: _run(plan)),
)
