"""The command `layermatrix`: what is done outside a project's build.

In a project, SCons is the command: `scons -h`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from layermatrix.core.command import scons
from layermatrix.core.errors import hint_for, quote

USAGE = 2  # the exit status of a wrong command line
HELP = ("-h", "--help")


class UsageError(Exception):
    """The words of a command are wrong; str() is the reason, empty if the usage says enough."""


@dataclass(frozen=True)
class Command:
    """One command. words: its arguments, for the usage. run: does it; the exit status."""

    name: str
    words: str
    doc: str
    run: Callable[[Sequence[str]], int]

    @property
    def usage(self) -> str:
        return f"layermatrix {self.name} {self.words}"


def main() -> int:
    words = sys.argv[1:]
    if not words or words[0] in HELP:
        print(help_text(), file=sys.stdout if words else sys.stderr)
        return 0 if words else USAGE
    command = COMMANDS.get(words[0])
    if command is None:
        hint = hint_for(words[0], COMMANDS)
        print(f"unknown command {quote(words[0])}; {hint}\n\n{help_text()}", file=sys.stderr)
        return USAGE
    if any(word in HELP for word in words[1:]):
        print(f"usage: {command.usage}\n\n{command.doc}")
        return 0
    try:
        return command.run(words[1:])
    except UsageError as error:
        print(f"usage: {command.usage}", *([str(error)] if str(error) else []), sep="\n", file=sys.stderr)
        return USAGE


def help_text() -> str:
    """The text of `layermatrix -h`."""
    width = max(len(command.usage) for command in COMMANDS.values())
    lines = [f"  {command.usage:<{width}}  {command.doc}" for command in COMMANDS.values()]
    return "\n".join(["usage:", *lines, "", "In a project's folder, `scons -h` lists every other command."])


def _new(words: Sequence[str]) -> int:
    from layermatrix.jobs import new
    from layermatrix.jobs.starting_points import StartError

    if len(words) != 1 or not words[0].startswith("project="):
        raise UsageError
    try:
        print("\n".join(new.new_project(Path(words[0].removeprefix("project=")))))
    except (StartError, OSError) as error:
        print(error, file=sys.stderr)
        return USAGE
    return 0


def _bundle(words: Sequence[str]) -> int:
    """Build with SCons, which finds SConstruct in this folder or in one above it."""
    if wrong := [word for word in words if "=" not in word and not word.startswith("-j")]:
        raise UsageError(f"{quote(wrong[0])} is no variable=value; `{scons('-h')}` lists the variables")
    command = [sys.executable, "-m", "SCons", "-Q", "-u", *words, "bundles"]
    status = subprocess.run(command).returncode
    if status == 0:
        print("run a bundle on a host: python3 build/CELL/bundle.pyz OUT.json")
    return status


def _run_bundle(words: Sequence[str]) -> int:
    from layermatrix.hosts import bundle, results, run_bundle

    if not 1 <= len(words) <= 2:
        raise UsageError
    try:
        print("\n".join(run_bundle.run(Path(words[0]), Path(words[1]) if len(words) == 2 else None)))
    except (bundle.BundleError, results.ResultError) as error:
        print(error, file=sys.stderr)
        return 1
    except run_bundle.RunError as error:
        print(error, file=sys.stderr)
        return error.status
    return 0


def _scale(words: Sequence[str]) -> int:
    from layermatrix.build.request import RequestError
    from layermatrix.hosts import scale
    from layermatrix.hosts.executors.base import ExecutorError

    given = dict(word.split("=", 1) for word in words if "=" in word)
    counts = given.get("cells", ",".join(map(str, scale.USUAL))).split(",")
    wrong = [word for word in words if word.partition("=")[0] not in ("executor", "cells") or "=" not in word]
    if wrong or not all(text.isascii() and text.isdigit() and int(text) for text in counts):
        raise UsageError
    print(scale.machine())
    try:
        scale.run(
            given.get("executor", "local:4"),
            [int(text) for text in counts],
            lambda line: print(line, flush=True),
        )
    except (RequestError, ExecutorError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


COMMANDS = {
    command.name: command
    for command in (
        Command("new", "project=FOLDER", "write a small project to start from", _new),
        Command(
            "bundle", "[variable=value ...]", "write a bundle of each selected cell: build/CELL/bundle.pyz",
            _bundle,
        ),
        Command(
            "run-bundle", "FILE [OUT.json]",
            "run a bundle here; without OUT.json, the result is written to build/results/", _run_bundle,
        ),
        Command(
            "scale", "[executor=...] [cells=10,100,1000]",
            "measure what an executor costs for each cell, with bundles that do nothing", _scale,
        ),
    )
}  # fmt: skip
