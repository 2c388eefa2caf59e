"""The part of a kind of evidence that runs programs, and so may run on another host.

The build computes a request: plain data with every decision made, and with paths relative to the project.
`take` turns the request into a record. The same function runs here and on a host, which has only the standard
library; so the module of a `Hosted` and everything that it imports may use nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from layermatrix.core.records import Measured, NotMeasured

if TYPE_CHECKING:
    from layermatrix.build.step import Task

Q = TypeVar("Q")


@dataclass(frozen=True)
class Outline:
    """What a request runs, for readers of a manifest. environment: the variables that the request sets.
    timeouts: command or run of it -> seconds. needs: command -> the package of Debian that has it; without
    it, nothing is taken. wants: what only some parts need, with its package. files: those that the request
    names."""

    commands: Sequence[Sequence[str]]
    environment: Mapping[str, str] = field(default_factory=dict)
    timeouts: Mapping[str, float] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)
    wants: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[str] = ()


@dataclass(frozen=True)
class Hosted(Generic[Q]):
    """kind, version: of the record, as its file names them. request: the class of the request, a frozen
    dataclass. take: takes the record; the path is the folder that the request's paths are relative to.
    outline: what a request runs. Its module names it HOSTED."""

    kind: str
    request: type[Q]
    take: Callable[[Q, Path], Measured | NotMeasured]
    outline: Callable[[Q], Outline]
    version: int = 1

    @property
    def module(self) -> str:
        return self.request.__module__


@dataclass(frozen=True)
class Part(Generic[Q]):
    """What a cell has of it. ask: computes the request of the cell. sources: how many of the step's sources
    it needs for that; None: all of them."""

    hosted: Hosted[Q]
    ask: Callable[[Task], Q]
    sources: int | None = None


AnyPart = Part[Any]  # each has its own request type


def name_of(target: str) -> str:
    """The name of the step that makes this file: `evidence/runs/x.json` is made by `runs/x`."""
    return target.removeprefix("evidence/").removesuffix(".json")
