"""A Dask cluster of processes on this machine, for tests and measurements of the driver.

It is started as a user starts one: `dask scheduler` and `dask worker`, each a process that can be killed.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

HOST = "127.0.0.1"
PATIENCE = 60.0  # seconds for a process to be ready


class Cluster:
    """A scheduler and its workers. folder: their logs and files. settings: of Dask, as environment
    variables."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.port = _free_port()
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self._children: list[subprocess.Popen[bytes]] = []
        self._settings = dict(settings or {})
        self.scheduler = self._start_scheduler()

    @property
    def address(self) -> str:
        return f"tcp://{HOST}:{self.port}"

    def _start_scheduler(self) -> subprocess.Popen[bytes]:
        child = self._start("scheduler", "--host", HOST, "--port", str(self.port), "--no-dashboard")
        _wait_for(child, lambda: _answers(self.port), self.folder / "scheduler.log")
        return child

    def add(self, name: str, resources: str = "", environment: Mapping[str, str] | None = None) -> None:
        """Start a worker with one thread. environment: variables that differ from those of this process."""
        words = ["--host", HOST, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", name]
        words += ["--local-directory", str(self.folder), "--memory-limit", "0"]
        words += ["--resources", resources] if resources else []
        child = self._start("worker", self.address, *words, log=f"{name}.log", environment=environment)
        self.workers[name] = child

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a worker a signal, by default kill -9."""
        os.kill(self.workers[name].pid, number)

    def restart_scheduler(self) -> None:
        """kill -9 of the scheduler, and a new one at the same address. The workers of the old one end, as
        Dask's workers do; a service manager would start them again."""
        self.scheduler.kill()
        self.scheduler.wait()
        self.scheduler = self._start_scheduler()

    def stop(self) -> None:
        """End every process."""
        for child in self._children:
            child.kill()  # also a stopped one
            child.wait()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(
        self, *words: str, log: str = "scheduler.log", environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        self.folder.mkdir(parents=True, exist_ok=True)
        variables = {**os.environ, **self._settings, **(environment or {})}
        variables.pop("PYTHONPATH", None)  # a worker has no layermatrix
        with (self.folder / log).open("ab") as output:
            child = subprocess.Popen(
                [sys.executable, "-m", "dask", *words], cwd=self.folder, env=variables,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self._children.append(child)
        return child


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def _wait_for(child: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not ready():
        if child.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"Dask's scheduler does not start: {log.read_text(encoding='utf-8')[-400:]}")
        time.sleep(0.1)
