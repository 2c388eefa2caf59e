"""A folder in which candidates are built: the project's files, with the candidates as variants.

Reads the project's folder; writes build/try/<name>/, with links to everything but the spec files, which are
copied, and a build folder of its own. So the loader checks a candidate like any variant, SCons builds it like
any cell, and the project itself does not change.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build.request import RequestError
from layermatrix.core import records
from layermatrix.core.errors import SpecErrors

if TYPE_CHECKING:
    from layermatrix.jobs.base import Plan
    from layermatrix.model.candidates import Candidate
    from layermatrix.model.cells import Cell

FOLDER = Path("build/try")
SPECS = "variants"
OWN = ("build", SPECS)  # of the workshop itself


class Workshop:
    """A workshop of this name. `plan` builds in it; its project has the accepted candidates."""

    def __init__(self, plan: Plan, name: str) -> None:
        self.origin, self.root = plan, plan.root / FOLDER / name
        if not any((plan.root / file).is_file() for file in ("SConstruct", "Sconstruct", "SConstruct.py")):
            what = "candidates are built in a copy of the project's folder, which has no SConstruct"
            raise RequestError(f"{what}: run this job where SConstruct is")
        self._open()
        self.plan = self._loaded()

    def _open(self) -> None:
        """Link and copy the project's files. Candidates of an earlier run go; their builds stay."""
        specs = self.root / SPECS
        if specs.exists():
            shutil.rmtree(specs)
        specs.mkdir(parents=True)
        there = {path.name: path for path in self.origin.root.iterdir()}
        for old in self.root.iterdir():
            if old.is_symlink() and old.name not in there:
                old.unlink()
        for name, path in there.items():
            link = self.root / name
            if name in OWN or name.startswith("."):
                continue
            if not link.is_symlink() or link.readlink() != path:  # the project may have been moved
                link.unlink(missing_ok=True)
                link.symlink_to(path)
        for path in (self.origin.root / SPECS).iterdir():
            if path.is_file():
                shutil.copy2(path, specs / path.name)

    def _loaded(self) -> Plan:
        from layermatrix.model import cells
        from layermatrix.spec.loader import load_project

        project = cells.with_compilers(load_project(self.root), self.origin.project.matrix.axes["compiler"])
        request = replace(self.origin.request, without=(), given=self._passed())
        return replace(self.origin, root=self.root, project=project, request=request)

    def _passed(self) -> dict[str, str]:
        """The variables that builds of candidates take, too."""
        return {name: text for name, text in self.origin.request.given.items() if name == "verbose"}

    def offer(self, candidates: Sequence[Candidate]) -> dict[str, str]:
        """Add these candidates to the project. Returns the reason of each that cannot be a variant, by
        name."""
        taken = [one for one in candidates if self._file(one).exists()]
        refused = {one.name: "the project has a variant of this name" for one in taken}
        new = [one for one in candidates if one not in taken]
        for one in new:
            records.write_text(self._file(one), one.text)
        if self._mistake() is None:
            return refused
        for one in new:
            self._file(one).unlink()
        for one in new:  # a mistake may be reported in the file of the base, so each is tried alone
            records.write_text(self._file(one), one.text)
            mistake = self._mistake()
            if mistake:
                refused[one.name] = mistake
                self._file(one).unlink()
        self.plan = self._loaded()
        return refused

    def _file(self, one: Candidate) -> Path:
        return self.root / SPECS / f"{one.name}.yaml"

    def _mistake(self) -> str | None:
        """Load the project; the first mistake in its specs, None if there is none."""
        try:
            self.plan = self._loaded()
        except SpecErrors as errors:
            return errors.errors[0].what
        return None

    def withdraw(self, names: Iterable[str]) -> None:
        """Remove candidates from the project."""
        for name in names:
            (self.root / SPECS / f"{name}.yaml").unlink(missing_ok=True)
        self.plan = self._loaded()

    def cell(self, of: Cell, name: str) -> Cell:
        """The cell of a candidate in the configuration of a cell of the project."""
        return replace(of, variant=self.plan.project.variants[name])
