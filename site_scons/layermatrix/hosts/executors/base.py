"""The interface of an executor: it takes bundles and returns their results as futures.

Each executor is one module of this package, which ends with a `Kind`. Only `registry` lists the kinds. The
driver decides what is submitted, again or not at all; an executor only runs what it is given.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from layermatrix.core.errors import RefusedError

GRACE = 15.0  # seconds to wait for hosts before an error says that there are none


class ExecutorError(RefusedError):
    """The executor cannot be used, or not any more; str() is one line that says what helps."""


class LostError(Exception):
    """A bundle was lost with its worker or its engine; str() says how. by_engine: the bundle had no part in
    it, as when a scheduler restarts. final: the engine has run it again and again, and lost it each time."""

    def __init__(self, how: str, *, by_engine: bool = False, final: bool = False) -> None:
        super().__init__(how)
        self.by_engine, self.final = by_engine, final


@dataclass(frozen=True)
class Work:
    """One bundle to run.

    name: its cells, for messages. digest: the SHA-256 of the file. seconds: the longest time that it may
    take. resources: what a host must offer for it, such as {"bench": 1}. tools: the commands that it needs on
    the host, each with its package. avoid: the places where it, or a bundle with the same tools, failed.
    """

    name: str
    digest: str
    file: Path
    seconds: float
    resources: Mapping[str, float] = field(default_factory=dict)
    tools: Mapping[str, str] = field(default_factory=dict)
    avoid: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Answer:
    """What came back. result: the bytes of the result file; None if the host could not run the bundle, for
    the reason. place: the worker that answered."""

    result: bytes | None
    reason: str
    place: str


class Running(Future[Answer]):
    """A submitted bundle. place: the worker that runs it; empty until it runs."""

    place: str = ""

    def begin(self, place: str) -> None:
        """The executor calls this when a worker begins to run the bundle."""
        self.place = place
        if not (self.running() or self.done()):  # a second worker runs it after a loss
            self.set_running_or_notify_cancel()

    def answer(self, answer: Answer) -> None:
        """The executor calls this at the end."""
        self.place = answer.place
        with contextlib.suppress(InvalidStateError):  # the driver has released it
            self.set_result(answer)

    def lose(self, error: Exception) -> None:
        """The executor calls this if no answer can come any more."""
        with contextlib.suppress(InvalidStateError):
            self.set_exception(error)


class Executor(Protocol):
    """Runs bundles somewhere. All methods are called by one thread. grows: whether further workers may
    come."""

    grows: bool

    @property
    def slots(self) -> int:
        """The number of bundles that it can run at the same time; at least 1."""

    @property
    def places(self) -> Collection[str] | None:
        """The workers that there are now; None if that is not known."""

    def check(self, resources: Mapping[str, float]) -> None:
        """Raise ExecutorError if no host offers these resources, within GRACE seconds."""

    def is_ready(self) -> bool:
        """Whether it takes bundles now. The driver calls this again and again. Raises ExecutorError if it has
        taken none for too long, as when the engine cannot be reached any more."""

    def submit(self, work: Work) -> Running:
        """Begin to run a bundle, not at the places to avoid if there are others. Reads the file."""

    def release(self, running: Running) -> None:
        """Stop waiting for a bundle whose worker does not answer."""

    def shutdown(self) -> None:
        """End. Bundles that have not finished are given up."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of executor.

    form: how the command line names it, such as "dask:tcp://HOST:PORT". example: a value that works. extra:
    the extra of the package layermatrix that it needs; empty if none. module: the module that this extra
    brings. check: raises ValueError if the text after the colon is wrong. connect: returns the executor for
    this text; the folder is for its own files. Raises ExecutorError.
    """

    name: str
    doc: str
    form: str
    example: str
    check: Callable[[str], None]
    connect: Callable[[str, Path], Executor]
    extra: str = ""
    module: str = ""
