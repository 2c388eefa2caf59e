"""Axes of the project's own: what each of their values adds to a build, or to a run of a program.

`matrix.yaml` declares them: under `axes`, those that change how a cell is built; under `run`, those that
change only how its programs are run.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from layermatrix.core.errors import quote
from layermatrix.core.kinds import (
    NOT_ALL,
    OF_AXIS,
    Around,
    AsWritten,
    Entries,
    EnvironmentName,
    Items,
    Line,
    Misfit,
    Name,
    Node,
    OwnName,
    Ref,
    Sentence,
    Text,
    Word,
)

BUILT_IN = ("variant", "mode", "compiler", "sanitizer", "target")
# The other variables of the command line. A test compares this list with `build.targets`.
VARIABLES = (
    "PREFIX", "DESTDIR", "soak", "without", "verbose", "CC", "CXX", "CPPFLAGS", "CFLAGS", "CXXFLAGS",
    "LDFLAGS", "rounds", "experiment", "loads", "seconds", "cells", "preset", "sample", "shard", "shards",
    "why", "quarantine", "peer", "libraries", "base", "ci", "layer", "like", "project", "reports", "shell",
    "tests", "python", "precision", "budget", "seed", "strict", "load", "runs", "planted", "figure",
    "commits", "from", "store", "stores", "format", "since", "to",
    "program", "trace", "process", "events",
    "a", "b", "metric", "good", "bad", "with", "pairs", "write", "trials", "executor", "stores",
)  # fmt: skip
Arguments = Annotated[tuple[Word, ...], Items(alone=True)]
Command = Annotated[str, Text("the name of a command", r"[\w.+-]+", longest=100)]
VariableName = Annotated[Name, Ref("variable", hint="-h lists them all")]
VariableValues = Annotated[
    tuple[Annotated[Word, AsWritten(), Ref(OF_AXIS, pattern=True)], ...], Items(1, alone=True)
]
ValueName = Annotated[str, Text("a word", r"[A-Za-z0-9_][\w.+]*", longest=40)]


class _AxisName(Around):
    """The name of an axis is a variable of the command line, so it must differ from all others."""

    def before(self, node: Node) -> Node:
        if node.text in (*VARIABLES, *BUILT_IN):
            raise Misfit(f"cannot be {quote(node.text or '')}: that is another variable of the command line")
        return node


class _AxisForm(Around):
    """A built-in axis is a list. A list under another name is probably a misspelled built-in axis."""

    def before(self, node: Node) -> Node:
        if not isinstance(node.value, dict):
            hint = f"built-in axes are {', '.join(BUILT_IN)}; your own has 'doc' and 'values'"
            raise Misfit(f"must be a mapping, not {node.described}", hint)
        return node


@dataclass(frozen=True)
class AxisValue:
    """One value of an axis. flags: for compiling and linking; compile, link: for one of the two. environment:
    the variables of the commands and programs. needs: command -> the package that contains it; a cell is left
    out if a command is not installed."""

    name: OwnName
    doc: Sentence = ""
    flags: Arguments = ()
    compile: Arguments = ()
    link: Arguments = ()
    defines: Mapping[Name, Word] = field(default_factory=dict, hash=False)
    environment: Mapping[EnvironmentName, Word] = field(default_factory=dict, hash=False)
    needs: Mapping[Command, Line] = field(default_factory=dict, hash=False)


class _WithDefault:
    """An axis whose first value is the default."""

    values: Mapping[str, object]

    @property
    def usual(self) -> str:
        """The default value."""
        return next(iter(self.values))


@dataclass(frozen=True)
class OwnAxis(_WithDefault):
    """An axis of the project's own. The first value is the default: it is not part of a cell's name."""

    name: OwnName
    doc: Sentence
    values: Annotated[Mapping[Annotated[ValueName, NOT_ALL], AxisValue], Entries(1, listed=True)] = field(
        hash=False
    )


@dataclass(frozen=True)
class RunValue:
    """One value of a run axis. args: added to the arguments of each load. before: a command with its
    arguments that starts the program. needs: as for `AxisValue`."""

    name: OwnName
    doc: Sentence = ""
    args: Arguments = ()
    before: Arguments = ()
    environment: Mapping[EnvironmentName, Word] = field(default_factory=dict, hash=False)
    needs: Mapping[Command, Line] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class RunAxis(_WithDefault):
    """A run axis. The first value is the default: programs always run with it."""

    name: OwnName
    doc: Sentence
    values: Annotated[Mapping[Annotated[ValueName, NOT_ALL], RunValue], Entries(1, listed=True)] = field(
        hash=False
    )


@dataclass(frozen=True)
class Preset:
    """Values of variables of the command line under one name. inherits: a preset whose values hold unless
    this one sets them. In a resolved project, `set` also has the inherited values."""

    name: OwnName
    doc: Sentence
    inherits: Annotated[Name, Ref("preset")] = ""
    set: Annotated[Mapping[VariableName, VariableValues], Entries(1)] = field(
        default_factory=dict, hash=False
    )

    @property
    def values(self) -> dict[str, str]:
        """The variables as the command line would set them."""
        return {name: ",".join(words) for name, words in self.set.items()}


@dataclass(frozen=True)
class Choice:
    """The value of an own axis in a cell. usual: whether it is the default."""

    axis: str
    value: AxisValue
    usual: bool

    def __str__(self) -> str:
        return f"{self.axis}-{self.value.name}"


@dataclass(frozen=True)
class Running:
    """One way to run the programs: a value of each run axis that is not the default."""

    values: tuple[tuple[str, RunValue], ...]

    @property
    def name(self) -> str:
        """Such as threads-two."""
        return "-".join(f"{axis}-{value.name}" for axis, value in self.values)

    def __str__(self) -> str:
        return ", ".join(f"{axis}={value.name}" for axis, value in self.values)

    @property
    def args(self) -> tuple[str, ...]:
        return tuple(word for _, value in self.values for word in value.args)

    @property
    def before(self) -> tuple[str, ...]:
        return tuple(word for _, value in self.values for word in value.before)

    @property
    def environment(self) -> dict[str, str]:
        return {name: word for _, value in self.values for name, word in value.environment.items()}

    @property
    def needs(self) -> dict[str, str]:
        return {name: package for _, value in self.values for name, package in value.needs.items()}


AxisName = Annotated[Name, _AxisName()]
OwnAxes = Mapping[AxisName, Annotated[OwnAxis, _AxisForm()]]
RunAxes = Mapping[AxisName, RunAxis]


def runnings(axes: Mapping[str, RunAxis], chosen: Mapping[str, Iterable[str]]) -> tuple[Running, ...]:
    """Every combination of the chosen values, without the one in which all values are the default."""
    pairs = [
        [(name, axis.values[value]) for value in chosen.get(name, (axis.usual,))]
        for name, axis in axes.items()
    ]
    made = []
    for combination in itertools.product(*pairs):
        others = tuple((name, value) for name, value in combination if value.name != axes[name].usual)
        if others:
            made.append(Running(others))
    return tuple(dict.fromkeys(made))


def missing_command(needs: Mapping[str, str], installed: Iterable[str]) -> str | None:
    """The reason why something that needs these commands cannot be used; None if all are installed."""
    there = set(installed)
    for command, package in needs.items():
        if command not in there:
            return f"{command} is not installed (package {package})"
    return None
