"""The job `watch`: build again at each change of a file, and print which figures have moved.

`scons watch variant=phase2 evidence` builds `evidence`; without another target, it builds `figures`. Each
build is a run of SCons with the same variables, so that it reads a changed spec. The figures before the
change are kept in build/.watch.json while this job starts itself again after a change of the spec.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.core import polling, records
from layermatrix.core.records import NotMeasured
from layermatrix.jobs import collecting
from layermatrix.jobs.base import INTERRUPTED, Job, Plan, Work, run_child

if TYPE_CHECKING:
    from layermatrix.analysis.results import CellResult, Results
    from layermatrix.build.request import Selection

NAME = "watch"
STORE = Path("build/.watch.json")
SPECS = "variants"
ELSEWHERE = ("build", "docs")  # folders whose changes build nothing
# Files beside SConstruct that a build may read. Others, such as logs, may be written by the build itself.
READ = (
    ".c",
    ".cc",
    ".cpp",
    ".cxx",
    ".h",
    ".hh",
    ".hpp",
    ".inc",
    ".j2",
    ".py",
    ".S",
    ".s",
    ".sh",
    ".toml",
    ".yaml",
)
TARGETS = {"evidence": "checks"}  # job -> the target that builds what it shows

Figures = Mapping[str, str]  # "cell: kind, heading" -> the figure


def prepare(plan: Plan) -> Work:
    chosen, names = plan.select(JOB), tuple(name for name in plan.request.names if name != NAME)
    wanted = tuple(TARGETS.get(name, name) for name in names) or ("figures",)
    then = f"build {', '.join(wanted)} at each change, and show which figures have moved"
    return Work((), then, lambda: _run(plan, chosen, wanted))


def _run(plan: Plan, chosen: Selection, wanted: tuple[str, ...]) -> int:
    before = _stored(plan.root / STORE)
    try:
        while True:
            seen = stamps(plan.root)
            run_child([*plan.scons, "-k", *_words(plan), *wanted], plan.root)
            after = figures(collecting.collect(plan, chosen))
            print("\n".join(moves(before, after)) if before else "watching; Ctrl-C ends it", flush=True)
            before = after
            if wait_for_change(plan, seen):
                _start_again(plan, before)
    except KeyboardInterrupt:
        return INTERRUPTED


def stamps(root: Path) -> polling.Stamps:
    """The stamps of all files that a build may read; also of those in folders that were not there before."""
    inside = [path for path in root.iterdir() if path.name not in ELSEWHERE and path.name[0] != "."]
    return polling.stamps(
        path for path in inside if path.is_dir() or path.suffix in READ or path.name.startswith("SCons")
    )


def wait_for_change(plan: Plan, seen: polling.Stamps) -> bool:
    """Wait until a file changes, and print which. Whether the spec has changed; if it has a mistake, which is
    printed, wait until it is corrected."""
    while True:
        files = polling.wait_for_change(lambda: stamps(plan.root), seen)
        print(f"\nchanged: {', '.join(_short(file, plan.root) for file in files)}", flush=True)
        if not any(Path(file).is_relative_to(plan.root / SPECS) for file in files):
            return False
        seen = stamps(plan.root)
        if run_child([*plan.scons, "-n", *_words(plan), *plan.request.names], plan.root, silent=True) == 0:
            return True


def _words(plan: Plan) -> list[str]:
    """The variables of the command line."""
    request = plan.request
    return [f"{name}={text}" for name, text in {**request.axes, **request.runs, **request.given}.items()]


def _start_again(plan: Plan, before: Figures) -> None:
    """Replace this process by one that reads the spec again."""
    records.write(plan.root / STORE, dict(before))
    sys.stdout.flush()
    os.chdir(plan.root)
    os.execv(plan.scons[0], [*plan.scons, *_words(plan), *plan.request.names])


def _stored(store: Path) -> Figures:
    """The figures of the process that started this one; empty if there was none."""
    try:
        found = json.loads(store.read_text(encoding="utf-8"))
        store.unlink()
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _short(file: str, root: Path) -> str:
    return os.path.relpath(file, root)


# --- figures and their moves


def figures(results: Results) -> dict[str, str]:
    """Every figure of the cells, and what failed."""
    return dict(pair for cell in results.cells for pair in _of_cell(results, cell))


def _of_cell(results: Results, cell: CellResult) -> Iterator[tuple[str, str]]:
    from layermatrix.evidence import registry

    yield f"{cell.id}: failed", cell.failed or "nothing"
    for kind in registry.KINDS:
        record = cell.of(kind)
        columns = () if isinstance(record, NotMeasured) else kind.columns([record], results.view)
        for column in columns:
            name = f"{column.heading.group} {column.heading.head}".strip()
            yield f"{cell.id}: {kind.name}, {name} ({column.heading.unit})", column.figure(record).text


def moves(before: Figures, after: Figures) -> list[str]:
    """A line for each figure that is different."""
    found = []
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name, "none"), after.get(name, "none")
        if old != new:
            found.append(f"{name}: {old} -> {new}{_percent(old, new)}")
    return found or ["no figure has moved"]


def _percent(old: str, new: str) -> str:
    one, other = _number(old), _number(new)
    return f" ({100 * (other - one) / one:+.1f}%)" if one and other is not None else ""


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


JOB = Job(
    name=NAME,
    doc="build the other targets (without one: figures) at each change of a file; show what moved",
    prepare=prepare,
    takes_targets=True,
)
