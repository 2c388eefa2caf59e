"""The job `schema`: write the JSON Schema of each kind of spec file to variants/schema/, for editors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.jobs.base import Job, Plan, Work

if TYPE_CHECKING:
    from collections.abc import Iterator


def prepare(plan: Plan) -> Work:
    return Work((), "write the schemas of the spec files to variants/schema/", lambda: _run(plan))


def _run(plan: Plan) -> int:
    for line in write(plan.root, plan.project.catalogue.profile):
        print(line)
    for file, comment in without_comment(plan.root):
        print(f"{file} has no line for editors; its first line should be: {comment}", file=sys.stderr)
    return 0


def write(root: Path, profile: str) -> Iterator[str]:
    """Write the schemas that changed; one line for each."""
    from layermatrix.core import records
    from layermatrix.spec import schema

    for name in schema.FORMS:
        file, text = root / schema.FOLDER / f"{name}.json", schema.text(name, profile)
        same = file.is_file() and file.read_text(encoding="utf-8") == text
        if not same:
            file.parent.mkdir(parents=True, exist_ok=True)
            records.write_text(file, text)
        yield f"{schema.FOLDER}/{name}.json {'is up to date' if same else 'is written'}"


def without_comment(root: Path) -> Iterator[tuple[str, str]]:
    """The spec files without the line that names their schema, with that line."""
    from layermatrix.spec import loader, schema

    for path in sorted((root / loader.FOLDER).glob("*.yaml")):
        comment = schema.comment(schema.form_of(path.name))
        if "yaml-language-server:" not in path.read_text(encoding="utf-8"):
            yield f"{loader.FOLDER}/{path.name}", comment


JOB = Job(
    name="schema",
    doc="write the JSON Schema of the spec files to variants/schema/, for editors",
    prepare=prepare,
)
