"""How a program for another machine is run here: the command in front of it, and where its C library is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from layermatrix.core import elfloader


@dataclass(frozen=True)
class Emulator:
    """words: the command that runs a program. root: the folder that its loader and its C library are looked
    for in; None: those of this machine. missing: the reason why programs cannot be run; empty if they can."""

    words: tuple[str, ...] = ()
    root: Path | None = None
    missing: str = ""

    def loader(self, path: str) -> str:
        """The file of a program's loader, which the program names by this path."""
        return os.fspath(self.root / path.lstrip("/")) if self.root else path

    def before(self, program: Path) -> tuple[str, ...]:
        """The words in front of this program. A script runs without an emulator."""
        try:
            with program.open("rb") as file:
                return self.words if file.read(4) == b"\x7fELF" else ()
        except OSError:
            return ()

    def cannot_run(self, program: Path) -> str | None:
        """The reason why this program cannot be run; None if it can, or if it is no dynamic ELF program."""
        if self.missing:
            return self.missing
        try:
            loader = self.loader(elfloader.of_program(program))
        except elfloader.NoLoaderError:
            return None
        return None if Path(loader).exists() else f"the loader {loader} of {program.name} is not installed"


NATIVE = Emulator()
