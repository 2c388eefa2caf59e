"""A Dask cluster as an executor: each bundle is a task, which carries all that a worker needs.

A worker is a process of `dask worker`, with its own address. The extra `dask` of the package brings the
client. Its modules are imported when a cluster is used.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import re
import socket
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import CancelledError
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.core.errors import quote
from layermatrix.hosts.executors import base, dask_worker, worker
from layermatrix.hosts.executors.base import Answer, ExecutorError, Kind, LostError, Running, Work

if TYPE_CHECKING:
    from distributed import Client, Future

Submitted = tuple["bytes | None", str, str]
ADDRESS = re.compile(r"(tcp|tls)://(\[[0-9a-fA-F:]+\]|[^/:\[\]]+):([0-9]{1,5})")
KNOCK = 5.0  # seconds for the first answer of a scheduler
RECONNECT = 60.0  # seconds for a scheduler and a worker to be started again
FRESH = 1.0  # seconds for which what is known about the workers is good enough
# `eval` runs TASK. LOADED keeps what the text defines in the worker, which so compiles it once.
LOADED = """
import sys, types
module = sys.modules.get(name)
if module is None:
    module = types.ModuleType(name)
    exec(text, module.__dict__)
    sys.modules[name] = module
run_here = module.run_here
"""
TASK = "exec(loaded, globals()) or run_here(key, bundle, seconds, tools)"


class Dask:
    """The cluster of the scheduler at this address."""

    grows = True

    def __init__(self, address: str) -> None:
        self.address = address
        self._flying: dict[str, tuple[Running, Future[Submitted]]] = {}
        self._workers: Mapping[str, _Worker] = {}
        self._known = float("-inf")  # when the workers were looked up
        self._away_since: float | None = None
        self._client = self._connected()
        self._wait_for(lambda: bool(self._look()), self._no_worker())

    # --- what there is

    @property
    def slots(self) -> int:
        return max(1, sum(one.threads for one in self._look().values()))

    @property
    def places(self) -> Collection[str]:
        return tuple(self._look())

    def check(self, resources: Mapping[str, float]) -> None:
        self._wait_for(lambda: bool(self._offering(resources)), self._lacking(resources))

    def _offering(self, resources: Mapping[str, float]) -> list[str]:
        """The workers that offer these resources. A bundle that needs some is alone on its worker, so the
        worker must have one thread."""
        return [
            address
            for address, one in self._look().items()
            if all(one.resources.get(name, 0) >= amount for name, amount in resources.items())
            and (not resources or one.threads == 1)
        ]

    def _look(self) -> Mapping[str, _Worker]:
        """The workers, by their addresses."""
        if time.monotonic() - self._known > FRESH:
            try:
                found = self._client.scheduler_info(n_workers=-1)["workers"]
            except Exception:  # of many kinds, depending on what the client was doing
                return self._workers
            self._workers = {address: _Worker.of(facts) for address, facts in found.items()}
            self._known = time.monotonic()
        return self._workers

    def _wait_for(self, enough: Callable[[], bool], message: str) -> None:
        """Wait until there are enough workers. Raises ExecutorError with this message after a while."""
        end = time.monotonic() + base.GRACE
        while not enough():
            if time.monotonic() > end:
                self.shutdown()
                raise ExecutorError(message)
            self._known = float("-inf")
            time.sleep(0.2)

    def _no_worker(self) -> str:
        return f"the Dask scheduler {self.address} has no worker; start one: dask worker {self.address}"

    def _lacking(self, resources: Mapping[str, float]) -> str:
        words = " ".join(f"{name}={amount:g}" for name, amount in sorted(resources.items()))
        return (
            f"no worker of {self.address} offers {words} with one thread, so that a timing is alone on it; "
            f'start one: dask worker {self.address} --nthreads 1 --resources "{words}"'
        )

    # --- bundles

    def is_ready(self) -> bool:
        """Whether there are a scheduler and a worker. Connects again to a scheduler that was restarted; the
        bundles of the old one are lost."""
        if self._client.status == "running":
            trouble = "" if self._look() else self._no_worker()
        else:
            self._lose_all()
            trouble = self._connect_again()
        if not trouble:
            self._away_since = None
            return True
        now = time.monotonic()
        self._away_since = self._away_since or now
        if now - self._away_since > RECONNECT:
            raise ExecutorError(trouble)
        return False

    def _connect_again(self) -> str:
        """One try to get a new client; what is in the way, or an empty text."""
        self._close()
        try:
            self._client = self._connected()
        except ExecutorError as error:
            return str(error)
        self._known = float("-inf")
        return "" if self._look() else self._no_worker()

    def _lose_all(self) -> None:
        for key in tuple(self._flying):
            running, _ = self._flying.pop(key, (None, None))
            if running is not None:
                running.lose(LostError(f"{self.address} has lost it", by_engine=True))

    def submit(self, work: Work) -> Running:
        bundle = work.file.read_bytes()
        key = f"{work.name}-{work.digest[:12]}-{uuid.uuid4().hex[:8]}"
        names: dict[str, object] = {"loaded": LOADED, "name": _module(), "text": _text(), "key": key}
        names |= {"bundle": bundle, "seconds": work.seconds, "tools": dict(work.tools)}
        workers = self._preferred(work)
        running = Running()
        try:
            future = self._client.submit(
                eval, TASK, names, key=key, pure=False, resources=dict(work.resources) or None,
                workers=workers or None, allow_other_workers=bool(workers) and not work.resources,
            )  # fmt: skip
        except Exception as error:  # of many kinds: the connection has ended since `is_ready`
            running.lose(LostError(f"{self.address} does not take it: {error}", by_engine=True))
            return running
        self._flying[key] = (running, future)
        future.add_done_callback(partial(self._end, key))
        return running

    def _preferred(self, work: Work) -> list[str]:
        """The workers that the bundle should run on; empty if all are equally good. Of those that are not to
        be avoided, the ones on other machines come first: a missing tool is missing for a whole machine."""
        offering = self._offering(work.resources)
        if not work.avoid and not work.resources:
            return []
        good = [one for one in offering if one not in work.avoid]
        machines = {_machine(one) for one in work.avoid}
        return [one for one in good if _machine(one) not in machines] or good or offering

    def _begin(self, event: tuple[float, Mapping[str, str]]) -> None:
        """A worker says that it begins a bundle, perhaps one of another driver."""
        _, message = event
        flight = self._flying.get(message["key"])
        if flight:
            flight[0].begin(message["worker"])

    def _end(self, key: str, future: Future[Submitted]) -> None:
        """A task has ended, in one way or another."""
        running, _ = self._flying.pop(key, (None, None))
        if running is None:
            return
        try:
            result, reason, place = future.result()
        except CancelledError:
            running.lose(LostError(f"{self.address} has lost it", by_engine=True))
        except Exception as error:
            running.lose(_lost(error))
        else:
            running.answer(Answer(result, reason, place))

    def release(self, running: Running) -> None:
        for key, (one, future) in tuple(self._flying.items()):
            if one is running:
                del self._flying[key]
                future.cancel()

    # --- the connection

    def _connected(self) -> Client:
        """A connected client. Raises ExecutorError if no scheduler answers."""
        try:
            _knock(self.address)
            return self._new_client()
        except OSError as error:
            raise ExecutorError(_unreachable(self.address, error)) from None

    def _new_client(self) -> Client:
        import dask
        from distributed import Client

        _be_quiet()
        with dask.config.set({"distributed.comm.timeouts.connect": KNOCK}):
            client = Client(self.address, timeout=KNOCK, set_as_default=False, name="layermatrix")
        client.subscribe_topic(dask_worker.TOPIC, self._begin)
        return client

    def shutdown(self) -> None:
        for _, future in tuple(self._flying.values()):
            future.cancel()
        self._flying.clear()
        self._close()

    def _close(self) -> None:
        self._client.close(timeout=2)


class _Worker:
    """What the scheduler knows about a worker."""

    def __init__(self, threads: int, resources: Mapping[str, float]) -> None:
        self.threads, self.resources = threads, resources

    @classmethod
    def of(cls, facts: Mapping[str, object]) -> _Worker:
        threads, resources = facts.get("nthreads"), facts.get("resources")
        return cls(
            threads if isinstance(threads, int) else 1, resources if isinstance(resources, dict) else {}
        )


@cache
def _text() -> str:
    """What a worker executes: plain Python, so that it may have another version of it."""
    return f"{inspect.getsource(worker)}\n{_without_future(inspect.getsource(dask_worker))}"


@cache
def _module() -> str:
    """The name under which a worker keeps it: another one for another text."""
    return f"layermatrix_worker_{hashlib.sha256(_text().encode()).hexdigest()[:16]}"


def _without_future(text: str) -> str:
    """The text of a module that is not the first one in its text."""
    return text.replace("from __future__ import annotations\n", "")


def _lost(error: Exception) -> LostError:
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return LostError("several workers died while they ran it", final=True)
    return LostError(f"{type(error).__name__}: {error}")


def _machine(address: str) -> str:
    return address.rpartition(":")[0]


def _knock(address: str) -> None:
    """Raise OSError if no process listens at this address; the client would try for much longer."""
    found = ADDRESS.fullmatch(address)
    assert found is not None
    socket.create_connection((found[2].strip("[]"), int(found[3])), timeout=KNOCK).close()


def _unreachable(address: str, error: OSError) -> str:
    why = error.strerror or str(error) or type(error).__name__
    port = address.rpartition(":")[2]
    return f"no Dask scheduler answers at {address} ({why}); start one: dask scheduler --port {port}"


@cache
def _be_quiet() -> None:
    """Keep the client's own messages about a lost connection from the terminal: the driver reports it."""
    import dask

    dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"})  # a task contains its bundle
    for name in ("client", "core", "batched", "comm.tcp", "utils"):
        logging.getLogger(f"distributed.{name}").setLevel(logging.CRITICAL)


def _check(text: str) -> None:
    found = ADDRESS.fullmatch(text)
    if found and 0 < int(found[3]) < 65536:
        return
    wrong = f"{quote(text)} is no address of a scheduler" if text else "the scheduler's address is missing"
    raise ValueError(f"{wrong}; expected dask:tcp://HOST:PORT, such as {EXECUTOR.example}")


def _connect(text: str, _folder: Path) -> Dask:
    return Dask(text)


EXECUTOR = Kind(
    name="dask",
    doc="the workers of a Dask scheduler",
    form="dask:tcp://HOST:PORT",
    example="dask:tcp://127.0.0.1:8786",
    check=_check,
    connect=_connect,
    extra="dask",
    module="distributed",
)
