"""Every executor, in the order of messages. A new one is a module with an `EXECUTOR` and its line here."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from layermatrix.build.request import RequestError
from layermatrix.core.command import WRAPPER, scons
from layermatrix.core.errors import hint_for, quote
from layermatrix.hosts.executors import dask, local, slurm
from layermatrix.hosts.executors.base import Executor, Kind

EXECUTORS: tuple[Kind, ...] = (
    local.EXECUTOR,
    dask.EXECUTOR,
    slurm.EXECUTOR,
)
FOLDER = Path("build/executor")  # an executor's own files


@dataclass(frozen=True)
class Chosen:
    """The executor that a command line names. text: what follows the colon."""

    kind: Kind
    text: str

    @property
    def name(self) -> str:
        """Its name in messages: the value of `executor=`."""
        return f"{self.kind.name}:{self.text}" if self.text else self.kind.name

    @property
    def takes_bundles(self) -> bool:
        """Whether bundles run on it. `local` runs the steps in the build itself."""
        return self.kind is not local.EXECUTOR or bool(self.text)

    def connect(self, root: Path) -> Executor:
        """The executor, ready for bundles. Raises ExecutorError."""
        return self.kind.connect(self.text, root / FOLDER)


def parse(value: str) -> Chosen:
    """The executor that this value of `executor=` names. Raises RequestError with what helps."""
    name, colon, text = value.partition(":")
    kinds = {kind.name: kind for kind in EXECUTORS}
    if name not in kinds:
        hint = hint_for(name, kinds)
        raise RequestError(f"executor=: unknown executor {quote(name)}; {hint}")
    chosen = Chosen(kinds[name], text)
    if colon and not text:
        raise RequestError(f"executor={value}: nothing follows the colon; expected {chosen.kind.form}")
    if chosen.takes_bundles:
        try:
            chosen.kind.check(text)
        except ValueError as error:
            raise RequestError(f"executor={value}: {error}") from None
        _check_installed(chosen.kind)
    return chosen


def _example(kind: Kind) -> str:
    return f"executor={kind.example}"


def _check_installed(kind: Kind) -> None:
    """Raise RequestError with the command that installs the package, if it is missing."""
    if not kind.module or importlib.util.find_spec(kind.module):
        return
    how = f"{shlex.quote(sys.executable)} -m pip install 'layermatrix[{kind.extra}]'"
    if Path(WRAPPER).is_file():
        how = f"{scons(_example(kind))} installs it"
    raise RequestError(
        f"executor={kind.name} needs the PyPI package {kind.module}, which is not installed: {how}"
    )
