"""One comparison as one bundle: all subjects with their programs, timed in turn on one host.

Reads the built files; writes build/comparisons/<job>.pyz. A worker must have the resource `bench` for itself
while it runs such a bundle, because a timing runs alone.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from layermatrix.build import dependencies
from layermatrix.core.errors import RefusedError
from layermatrix.core.host import Host
from layermatrix.core.records import NotMeasured
from layermatrix.evidence.bench import Bench
from layermatrix.evidence.tools import load_commands
from layermatrix.hosts import bundle, cell_bundle
from layermatrix.hosts.results import Result
from layermatrix.measure import hosted_timing, runner
from layermatrix.measure.runner import Timed

FOLDER = Path("build/comparisons")
RESOURCES = {"bench": 1.0}
STEP = "comparison"
Run = Callable[[Path], Result]  # runs the bundle in this file on some host, and returns its result


@dataclass(frozen=True)
class HostTimer:
    """Times a plan on another host; a `measure.timing.Timer`. root: the project's folder. name: of the job,
    for the bundle's file. run: runs the bundle. fixed_seed: whether the command line sets seed=."""

    root: Path
    name: str
    run: Run
    fixed_seed: bool = False

    def __call__(self, plan: Timed, store: runner.Store) -> runner.Records:
        result = self.run(self.write(plan))
        text = result.record(STEP)
        try:
            found = hosted_timing.FORMAT.parse(text or "")
        except ValueError as error:
            raise RefusedError(f"the samples of {self.name} cannot be used: {error}") from error
        host = Host.from_json(result.host)

        def store_with_host(path: Path, record: Bench | NotMeasured) -> None:
            store(path, _timed_by(host, record))

        records = hosted_timing.analyse(plan, found, store_with_host)
        return {name: _timed_by(host, record) for name, record in records.items()}

    def write(self, plan: Timed) -> Path:
        """Write the bundle of a plan. Raises RefusedError if a host cannot time like this."""
        files = {path: self._inside(path) for path in _files(self.root, plan)}
        request = hosted_timing.request_of(plan, files, fixed_seed=self.fixed_seed)
        content = bundle.Content(
            cells=tuple(one.name for one in plan.everyone),
            host=cell_bundle.native_host(files),
            steps=[bundle.Step(STEP, hosted_timing.HOSTED, request)],
            files={name: path for path, name in files.items()},
            resources=RESOURCES,
        )
        path = self.root / FOLDER / f"{self.name}.pyz"
        bundle.write(path, content, dependencies.library(self.root))
        return path

    def _inside(self, path: Path) -> str:
        """The path on the host: that in the project. A library from elsewhere gets a folder of its own."""
        if path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        folder = hashlib.sha256(os.fspath(path.parent).encode()).hexdigest()[:8]
        return f"others/{folder}/{path.name}"


def _timed_by(host: Host, record: Bench | NotMeasured) -> Bench | NotMeasured:
    return replace(record, host=host) if isinstance(record, Bench) else record


def _files(root: Path, plan: Timed) -> list[Path]:
    """The programs, the libraries, and the files that the loads' arguments name, such as traces."""
    found: dict[Path, None] = {}
    for one in plan.everyone:
        found.update(dict.fromkeys((*one.programs.values(), *([one.library] if one.library else []))))
    words = (word for load in plan.loads for word in load.args)
    found.update(dict.fromkeys(load_commands.files(root, words)))
    return list(found)
