"""Run and show the commands of a build, and record the first failure of each cell.

SCons calls this module for every action and every command, from several threads. The module writes to the
terminal and to `build/<cell>/evidence/failure.json`.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from layermatrix.build import costs, failure
from layermatrix.build.failure import Failure
from layermatrix.build.shared_objects import Recipe, SharedObjects
from layermatrix.core import interrupt

QUIET = 10.0  # seconds between the progress lines of a running step
INTERRUPTS = (-signal.SIGINT, 128 + signal.SIGINT)

Spawn = Callable[[str, object, str, Sequence[str], Mapping[str, str]], int]

_output = threading.Lock()  # keeps the output of several threads apart


class Shell:
    """Prints a short line for each action, and another every `quiet` seconds while the action runs. verbose:
    also show every command in full."""

    def __init__(self, verbose: bool, quiet: float = QUIET, shared: SharedObjects | None = None) -> None:
        self.verbose = verbose
        self.shared = shared
        self.recipes: dict[str, Callable[[], Recipe]] = {}  # object -> what it is made from
        self.quiet = quiet
        self.running: dict[str, float] = {}  # the running steps and their start, in seconds
        self.watch: threading.Thread | None = None

    def show(self, word: str, targets: Sequence[object], _sources: object, _environment: object) -> None:
        """Print the line of an action. SCons calls this before each action."""
        with _output:
            print(f"{word:<9}{short(str(targets[0]))}", flush=True)

    @contextlib.contextmanager
    def under_way(self, target: str) -> Iterator[None]:
        """Report progress while the step that makes this file runs: one line every `quiet` seconds."""
        with _output:
            self.running[short(target)] = time.monotonic()
            if self.watch is None:
                self.watch = threading.Thread(target=self._remind, name="progress", daemon=True)
                self.watch.start()
        try:
            yield
        finally:
            with _output:
                self.running.pop(short(target), None)

    def _remind(self) -> None:
        while True:
            time.sleep(self.quiet)
            with _output:
                now = time.monotonic()
                late = {
                    name: now - since for name, since in self.running.items() if now - since >= self.quiet
                }
                for name, seconds in late.items():
                    print(f"{'':<9}{name}: {seconds:.0f} s", flush=True)

    def spawner(self, folder: Path) -> Spawn:
        """The function that SCons calls to run a command of the cell in this folder."""

        def spawn(
            shell: str, _escape: object, _command: str, words: Sequence[str], variables: Mapping[str, str]
        ) -> int:
            line, begin = " ".join(words), time.monotonic()
            with self.under_way(_target(words) or line):
                status, log = self._perform(_target(words), [shell, "-c", line], variables)
            costs.note(folder, _target(words) or line, time.monotonic() - begin)
            self._report(line, status, log)
            if status and not (status in INTERRUPTS or interrupt.interrupted()):
                note_failure(folder, line, log, _target(words))
            return status

        return spawn

    def _perform(self, target: str, command: list[str], variables: Mapping[str, str]) -> tuple[int, str]:
        """Run a command, or get the object that it would make from another cell."""
        recipe, shared = self.recipes.get(target), self.shared
        key = shared.key(command[-1], recipe(), variables) if shared and recipe else None
        if shared is None or recipe is None or key is None:
            return _run(command, variables)
        if shared.fetch(key, Path(target)):
            return 0, ""

        def run(line: str) -> tuple[int, str]:
            return _run([*command[:-1], line], variables)

        return shared.compile(key, command[-1], recipe(), Path(target), run)

    def _report(self, line: str, status: int, log: str) -> None:
        """Print a command's output in one piece; show a failed command in full."""
        with _output:
            if status or self.verbose:
                print(line, flush=True)
            print(log, end="", flush=True, file=sys.stderr if status else sys.stdout)


def short(path: str) -> str:
    """A built file's path as progress lines show it: build/<cell>/obj/x.o becomes <cell>/x.o."""
    return path.removeprefix("build/").replace("/obj/", "/", 1)


def _run(command: Sequence[str], variables: Mapping[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    return done.returncode, done.stdout


def _target(words: Sequence[str]) -> str:
    """The output file of a compiler or linker command; an empty string if it has none."""
    return words[words.index("-o") + 1].strip('"') if "-o" in words[:-1] else ""


def note_failure(folder: Path, command: str, log: str, target: str) -> None:
    """Record a failure if it is the cell's first in this build."""
    with _output:
        if not failure.file_of(folder).exists():
            failure.FORMAT.write(failure.file_of(folder), Failure(command, log, target))
