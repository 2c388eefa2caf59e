"""Slurm as an executor, through submitit: each bundle is a job of its own.

The project's folder and the Python environment must be on a file system that the nodes share. The extra
`slurm` of the package brings submitit, which is imported when it is used.
"""

from __future__ import annotations

import inspect
import math
import shutil
import threading
import time
import warnings
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.core.errors import hint_for, quote
from layermatrix.hosts.executors import worker
from layermatrix.hosts.executors.base import Answer, ExecutorError, Kind, LostError, Running, Work

if TYPE_CHECKING:
    from submitit import AutoExecutor, Job

JOBS, CLUSTER = "jobs", "cluster"  # options of this module; the others are those of sbatch
OPTIONS = (
    JOBS, CLUSTER, "account", "constraint", "cpus_per_task", "exclude", "gres", "mem", "nodelist",
    "partition", "qos",
)  # fmt: skip
CLUSTERS = ("slurm", "local", "debug")  # submitit's; the last two start no job, to try a setup
USUAL_JOBS = 50
STARTING = 120.0  # seconds of a job's limit beyond those of its bundle, to start Python on the node
LOOK, ASK = 0.5, 15.0  # seconds between two looks for results, and between two questions to Slurm
PATIENCE = 60.0  # seconds for which a controller may be away
# `eval` runs this with these names
TASK = (
    "exec(source, globals()) or "
    "(*run(open(bundle, 'rb').read(), seconds, tools), __import__('socket').gethostname())"
)

Submitted = tuple[bytes | None, str, str]


class Slurm:
    """The cluster that `sbatch` submits to. slots: the jobs that are queued or run at the same time."""

    grows = True

    def __init__(self, options: Mapping[str, str], folder: Path) -> None:
        given = dict(options)
        self._slots = int(given.pop(JOBS, USUAL_JOBS))
        cluster = given.pop(CLUSTER, CLUSTERS[0])
        if cluster == CLUSTERS[0] and not shutil.which("sbatch"):
            raise ExecutorError(
                "executor=slurm: sbatch is not installed here; start this on a login node of the cluster"
            )
        self._folder, self._cluster = folder / "slurm", cluster
        self._engines: dict[tuple[str, bool], AutoExecutor] = {}
        self._options = {f"slurm_{name}": _value(text) for name, text in given.items()}
        self._exclude = given.get("exclude", "")
        self._engine(self._exclude, False)  # report a missing srun now
        self._flying: dict[Running, Job[Submitted]] = {}
        self._changed = threading.Lock()
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="slurm", daemon=True)
        self._watcher.start()

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def places(self) -> Collection[str] | None:
        return None  # Slurm knows, and has its own rules

    def check(self, resources: Mapping[str, float]) -> None:
        """A timing gets a node for itself; sbatch refuses what no node has."""

    def is_ready(self) -> bool:
        return True

    def submit(self, work: Work) -> Running:
        running = Running()
        job = self._submitted(work)
        with self._changed:
            self._flying[running] = job
        return running

    def _submitted(self, work: Work) -> Job[Submitted]:
        """The job. A controller that is away is asked again for a while, unless it took nothing so far."""
        names = {
            "source": inspect.getsource(worker),
            "bundle": str(work.file.resolve()),
            "seconds": work.seconds,
            "tools": dict(work.tools),
        }
        engine = self._engine(
            ",".join(filter(None, [self._exclude, *sorted(work.avoid)])), bool(work.resources)
        )
        engine.update_parameters(timeout_min=math.ceil((work.seconds + STARTING) / 60))
        end = time.monotonic() + (PATIENCE if self._flying else 0)
        while True:
            try:
                return engine.submit(eval, TASK, names)
            except RuntimeError as error:
                if time.monotonic() > end:
                    raise ExecutorError(f"executor=slurm: sbatch: {_last_line(error)}") from None
                time.sleep(5)

    def _engine(self, exclude: str, alone: bool) -> AutoExecutor:
        """What submits jobs to all nodes but these. A job that is alone has its node for itself. submitit
        forgets no parameter, so there is one for each combination."""
        import submitit

        known = self._engines.get((exclude, alone))
        if known is None:
            try:
                known = submitit.AutoExecutor(folder=self._folder, cluster=self._cluster)
            except RuntimeError as error:  # srun is missing
                raise ExecutorError(f"executor=slurm: {error}") from None
            own = {"slurm_exclude": exclude or None, "slurm_exclusive": alone or None}
            known.update_parameters(name="layermatrix", **{**self._options, **own})
            self._engines[exclude, alone] = known
        return known

    # --- what becomes of the jobs

    def _watch(self) -> None:
        asked = time.monotonic()
        while not self._ended.wait(LOOK):
            force = time.monotonic() - asked > ASK
            asked = time.monotonic() if force else asked
            with self._changed:
                flying = dict(self._flying)
            for running, job in flying.items():
                self._look(running, job, force=force)
                force = False  # one question is for all jobs

    def _look(self, running: Running, job: Job[Submitted], *, force: bool) -> None:
        try:
            if job.done(force_check=force):
                self._end(running, job)
            elif not running.running() and job.state.upper().startswith("RUNNING"):
                running.begin(job.get_info(mode="cache").get("NodeList") or f"job {job.job_id}")
        except Exception as error:  # submitit raises what the job's files make it raise
            self._forget(running)
            running.lose(LostError(f"job {job.job_id}: {_last_line(error)}"))

    def _end(self, running: Running, job: Job[Submitted]) -> None:
        self._forget(running)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a result file that is not whole yet; it is read again
            result, reason, place = job.result()
        for file in job.paths.folder.glob(f"{job.job_id}_*"):
            file.unlink(missing_ok=True)
        running.answer(Answer(result, reason, place))

    def _forget(self, running: Running) -> None:
        with self._changed:
            self._flying.pop(running, None)

    def release(self, running: Running) -> None:
        with self._changed:
            job = self._flying.pop(running, None)
        if job is not None:
            _cancel(job)

    def shutdown(self) -> None:
        self._ended.set()
        self._watcher.join()
        for job in self._flying.values():
            _cancel(job)
        self._flying.clear()


def _cancel(job: Job[Submitted]) -> None:
    try:
        job.cancel(check=False)
    except OSError:  # no scancel: the job ends at its time limit
        return


def _value(text: str) -> str | int:
    return int(text) if text.isascii() and text.isdigit() else text


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


@cache
def _options(text: str) -> Mapping[str, str]:
    """The options of `name=value,name=value`. Raises ValueError."""
    found: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if name not in OPTIONS:
            raise ValueError(f"unknown option {quote(name)}; {hint_for(name, OPTIONS)}")
        if not (equals and value):
            raise ValueError(f"option {name} has no value; expected {name}=VALUE")
        found[name] = value
    _check_own(found)
    return found


def _check_own(options: Mapping[str, str]) -> None:
    jobs, cluster = options.get(JOBS, "1"), options.get(CLUSTER, CLUSTERS[0])
    if not (jobs.isascii() and jobs.isdigit() and int(jobs)):
        raise ValueError(f"{JOBS}={jobs}: expected a number above 0")
    if cluster not in CLUSTERS:
        raise ValueError(f"{CLUSTER}={cluster}: unknown value; {hint_for(cluster, CLUSTERS)}")


def _check(text: str) -> None:
    _options(text)


def _connect(text: str, folder: Path) -> Slurm:
    return Slurm(_options(text), folder)


EXECUTOR = Kind(
    name="slurm",
    doc="jobs of Slurm, one for each bundle",
    form="slurm[:OPTION=VALUE,...]",
    example="slurm:partition=short,cpus_per_task=2",
    check=_check,
    connect=_connect,
    extra="slurm",
    module="submitit",
)
