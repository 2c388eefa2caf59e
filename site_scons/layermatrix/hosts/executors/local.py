"""This machine as an executor: each bundle is a child process.

`executor=local` runs the steps in the build, without bundles. `executor=local:4` runs bundles, four at a
time, as another host would.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from layermatrix.hosts.executors import worker
from layermatrix.hosts.executors.base import Answer, Kind, LostError, Running, Work

PLACE = "this machine"
MOST = 1024


class Local:
    """Runs this many bundles at the same time. One that needs resources runs alone."""

    grows = False

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix="bundle")
        self._turns = _Turns()

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def places(self) -> Collection[str]:
        return (PLACE,)

    def check(self, resources: Mapping[str, float]) -> None:
        """This machine offers everything: a bundle that needs a resource has the machine for itself."""

    def is_ready(self) -> bool:
        return True

    def submit(self, work: Work) -> Running:
        running = Running()
        self._pool.submit(self._run, work, running)
        return running

    def _run(self, work: Work, running: Running) -> None:
        try:
            with self._turns.turn(alone=bool(work.resources)):
                running.begin(PLACE)
                result, reason = worker.run(work.file.read_bytes(), work.seconds, work.tools)
            running.answer(Answer(result, reason, PLACE))
        except Exception as error:
            running.lose(LostError(f"{PLACE}: {error}"))

    def release(self, running: Running) -> None:
        running.lose(LostError("it was given up"))

    def shutdown(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        worker.stop()


class _Turns:
    """Lets many run together, or one alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._together = 0
        self._alone = False
        self._waiting = 0  # of those that want to be alone; others let them pass

    @contextmanager
    def turn(self, *, alone: bool) -> Iterator[None]:
        with self._changed:
            self._waiting += alone
            self._changed.wait_for(lambda: self._is_free(alone))
            self._waiting -= alone
            self._alone = alone
            self._together += not alone
        try:
            yield
        finally:
            with self._changed:
                self._alone = False
                self._together -= not alone
                self._changed.notify_all()

    def _is_free(self, alone: bool) -> bool:
        if alone:
            return not self._alone and not self._together
        return not self._alone and not self._waiting


def _check(text: str) -> None:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST):
        raise ValueError(f"expected a number of bundles from 1 to {MOST}, such as local:4")


def _connect(text: str, _folder: Path) -> Local:
    return Local(int(text))


EXECUTOR = Kind(
    name="local",
    doc="this machine; with a number, as bundles, so many at the same time",
    form="local[:N]",
    example="local:4",
    check=_check,
    connect=_connect,
)
