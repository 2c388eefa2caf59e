"""Run bundles on an executor until each one has a result, also if workers are lost on the way.

Reads the bundles and the folder of results; writes one result for each bundle. A bundle that has a result is
not run again, so a run that was killed goes on where it ended.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, wait
from dataclasses import dataclass, field, replace

from layermatrix.hosts.driver_results import Results
from layermatrix.hosts.executors.base import Answer, Executor, ExecutorError, LostError, Running, Work
from layermatrix.hosts.results import ResultError

Say = Callable[[str], None]
Clock = Callable[[], float]


@dataclass(frozen=True)
class Limits:
    """attempts: how often a bundle may be lost with its worker, hang, or return a damaged result. places: on
    how many workers a bundle is tried that a host refuses. restarts: how often the engine may lose it.
    margin: seconds beyond a bundle's own limit until its worker is given up. progress: seconds between two
    lines.
    ahead: submitted bundles per slot, so that no worker waits for the driver. patience: seconds to wait for
    other workers, when each that there is refuses a bundle. idle: seconds in which nothing runs until the
    driver asks whether a host for the submitted bundles is still there. tick: seconds between two looks at
    the clock."""

    attempts: int = 3
    places: int = 8
    restarts: int = 20
    margin: float = 60.0
    progress: float = 8.0
    ahead: float = 2.0
    patience: float = 15.0
    idle: float = 30.0
    tick: float = 0.5


@dataclass
class Summary:
    """What a run did. total: the bundles. known: they had a result before. new: results that came. repeated:
    second results, which were dropped. differing: repeated ones with another deterministic part. again:
    further attempts. lacking: bundle -> the tools that no host had, so that its result has steps that are
    not run. not_run: bundle -> why it has no result."""

    total: int = 0
    known: int = 0
    new: int = 0
    repeated: int = 0
    differing: list[str] = field(default_factory=list)
    again: int = 0
    lacking: dict[str, str] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)

    @property
    def finished(self) -> int:
        return self.known + self.new

    @property
    def is_complete(self) -> bool:
        return self.finished == self.total


@dataclass
class _Item:
    """A bundle without a result, and what happened to it so far. reason: why the last host refused it."""

    work: Work
    reason: str = ""
    lost: int = 0
    refused: int = 0
    restarts: int = 0
    avoid: set[str] = field(default_factory=set)


@dataclass
class _Flight:
    """A submitted bundle. since: when the driver first saw it run."""

    item: _Item
    since: float | None = None


def run(
    works: Iterable[Work],
    executor: Executor,
    results: Results,
    *,
    say: Say = lambda line: print(line, flush=True),
    limits: Limits | None = None,
    clock: Clock = time.monotonic,
) -> Summary:
    """Run every bundle that has no result. Bundles that cannot be run are in the summary. Raises
    ExecutorError if the executor cannot be used any more; the results so far are kept, as after Ctrl-C."""
    by_digest = {work.digest: work for work in works}
    missing = [work for work in by_digest.values() if not results.has(work.digest)]
    summary = Summary(total=len(by_digest), known=len(by_digest) - len(missing))
    for resources in {tuple(sorted(work.resources.items())) for work in missing}:
        executor.check(dict(resources))
    drive = _Drive(executor, results, summary, say, limits or Limits(), clock)
    drive.complete(missing)
    return summary


class _Drive:
    """One run of the driver."""

    def __init__(
        self, executor: Executor, results: Results, summary: Summary, say: Say, limits: Limits, clock: Clock
    ) -> None:
        self.executor, self.results, self.summary = executor, results, summary
        self.say, self.limits, self.clock = say, limits, clock
        self.waiting: deque[_Item] = deque()
        self.parked: list[_Item] = []  # refused by every worker that there was
        self.flying: dict[Running, _Flight] = {}
        self.unfit: dict[tuple[str, ...], set[str]] = {}  # tools -> the places that refused such a bundle
        self.begun = self.said = self.active = clock()

    def complete(self, missing: Sequence[Work]) -> None:
        """Run these bundles. A result that has gone from the folder at the end is made again, once."""
        if not missing:
            return
        self.say(f"{self._count()}; {len(missing)} to run, {self.executor.slots} at the same time")
        self._run(missing)
        gone = [one for one in missing if self._has_gone(one)]
        if gone:
            self.summary.new -= len(gone)
            self.summary.again += len(gone)
            self.say(f"{len(gone)} results have gone from {self.results.folder}: run again")
            self._run(gone)
        self._progress(last=True)

    def _has_gone(self, work: Work) -> bool:
        return work.name not in self.summary.not_run and not self.results.has(work.digest)

    def _run(self, works: Sequence[Work]) -> None:
        self.waiting.extend(_Item(work) for work in works)
        try:
            while self.waiting or self.flying or self._is_one_offered():
                self._submit()
                wait(self.flying, timeout=self.limits.tick, return_when=FIRST_COMPLETED)
                self._collect()
                self._give_up_overdue()
                self._check_idle()
                self._progress()
        except (KeyboardInterrupt, ExecutorError):
            self._collect()  # results that came meanwhile
            raise

    def _collect(self) -> None:
        """Take what has ended."""
        for running in [one for one in self.flying if one.done()]:
            self._end(running, self.flying.pop(running).item)

    def _submit(self) -> None:
        """Keep every slot busy, and no more than that in memory: a bundle is read when it is submitted."""
        while self.executor.is_ready() and self.waiting and len(self.flying) < self._most():
            item = self.waiting.popleft()
            if self.results.has(item.work.digest):  # another driver shares the folder
                self._count_new()
                continue
            avoid = frozenset(item.avoid | self.unfit.get(tuple(item.work.tools), set()))
            try:
                running = self.executor.submit(replace(item.work, avoid=avoid))
            except OSError as error:  # the bundle cannot be read
                self._not_run(item, _words(error))
            else:
                self.flying[running] = _Flight(item)

    def _most(self) -> int:
        return max(1, int(self.executor.slots * self.limits.ahead))

    def _end(self, running: Running, item: _Item) -> None:
        try:
            answer = running.result()
        except LostError as error:
            if error.final:
                self._not_run(item, str(error))
            else:
                self._lost(item, running.place, str(error), by_engine=error.by_engine)
        except CancelledError:
            self._lost(item, running.place, "it was cancelled")
        else:
            self._answered(item, answer)

    def _answered(self, item: _Item, answer: Answer) -> None:
        if answer.result is None:
            self._refused(item, answer)
            return
        try:
            differs = self.results.add(item.work.digest, answer.result)
        except ResultError as error:
            self._lost(item, answer.place, f"its result is damaged: {error}")
            return
        except OSError as error:
            raise ExecutorError(f"{_words(error)}; the results so far are kept") from error
        if differs is None:
            self._count_new()
        else:
            self._repeated(item, differs)

    def _count_new(self) -> None:
        self.summary.new += 1

    def _repeated(self, item: _Item, differs: str) -> None:
        """A second result of a bundle: another driver, or a worker that was given up, was faster."""
        self.summary.new += 1
        self.summary.repeated += 1
        if differs:
            self.summary.differing.append(item.work.name)
            self.say(f"{item.work.name}: a second result was dropped; it differs in {differs}")

    def _refused(self, item: _Item, answer: Answer) -> None:
        """A host cannot run the bundle: another one may, perhaps one that comes later."""
        item.refused += 1
        item.reason = answer.reason
        item.avoid.add(answer.place)
        if item.work.tools:
            self.unfit.setdefault(tuple(item.work.tools), set()).add(answer.place)
        if item.refused >= self.limits.places:
            self._refused_by_all(item)
        elif self._has_other_place(item):
            self._again(item, f"{answer.place} cannot run it: {answer.reason}; another one is tried")
        else:
            self.parked.append(item)

    def _has_other_place(self, item: _Item) -> bool:
        """Whether there is a worker that has not refused this bundle, or may be one."""
        places = self.executor.places
        return places is None or bool(set(places) - item.avoid)

    def _is_one_offered(self) -> bool:
        """Whether another worker offers itself for the bundles that all others refused. Waits for one; ends
        their attempts if none comes."""
        end = self.clock() + (self.limits.patience if self.executor.grows else 0)
        while self.parked:
            offered = [item for item in self.parked if self._has_other_place(item)]
            if offered:
                self.parked = [item for item in self.parked if item not in offered]
                for item in offered:
                    self._again(item, f"refused by one worker: {item.reason}; another one is tried")
                return True
            if self.clock() >= end:
                break
            time.sleep(self.limits.tick)
            self._progress()
        refused, self.parked = self.parked, []
        for item in refused:
            self._refused_by_all(item)
        return bool(self.waiting)

    def _refused_by_all(self, item: _Item) -> None:
        """No host can run all of the bundle. One without the tools takes the steps that need none of them,
        and records the others as not run, with the reason."""
        if not item.work.tools:
            self._not_run(item, item.reason)
            return
        self.summary.lacking[item.work.name] = item.reason
        item.work = replace(item.work, tools={})
        item.avoid.clear()
        item.refused = 0
        self._again(item, f"{item.reason}, on no host; what needs it is recorded as not run")

    def _lost(self, item: _Item, place: str, how: str, *, by_engine: bool = False) -> None:
        """No result came: run the bundle again, at another place."""
        if by_engine:
            item.restarts += 1
        else:
            item.lost += 1
            item.avoid.update([place] if place else [])
        if item.lost < self.limits.attempts and item.restarts < self.limits.restarts:
            self._again(item, how, silent=by_engine)
        else:
            self._not_run(item, f"{how}; it was tried {item.lost + item.restarts} times")

    def _again(self, item: _Item, why: str, *, silent: bool = False) -> None:
        self.summary.again += 1
        self.waiting.append(item)
        if not silent:
            self.say(f"{item.work.name}: {why}")

    def _not_run(self, item: _Item, why: str) -> None:
        self.summary.not_run[item.work.name] = why
        self.say(f"{item.work.name}: not run: {why}")

    def _give_up_overdue(self) -> None:
        """Release bundles whose worker does not answer in time, and run them elsewhere."""
        now = self.clock()
        for running, flight in tuple(self.flying.items()):
            if flight.since is None:
                flight.since = now if running.running() else None
                continue
            limit = flight.item.work.seconds + self.limits.margin
            if now - flight.since > limit and not running.done():
                place = running.place
                del self.flying[running]
                self.executor.release(running)
                self._lost(flight.item, place, f"{place} has not answered for {limit:.0f} s")

    def _check_idle(self) -> None:
        """If nothing has run for a while, the only host for the submitted bundles may have gone. Raises
        ExecutorError then."""
        now = self.clock()
        if not self.flying or any(one.running() for one in self.flying):
            self.active = now
        elif now - self.active > self.limits.idle:
            self.active = now
            for resources in {tuple(sorted(one.item.work.resources.items())) for one in self.flying.values()}:
                self.executor.check(dict(resources))

    def _progress(self, *, last: bool = False) -> None:
        now = self.clock()
        if now - self.said >= self.limits.progress or last:
            self.said = now
            self.say(f"{self._count()}; {now - self.begun:.0f} s")

    def _count(self) -> str:
        """How far the run is, in words."""
        summary = self.summary
        parts = [f"{summary.finished}/{summary.total} bundles have results"]
        if self.flying:
            parts.append(f"{sum(one.running() for one in self.flying)} running")
        if summary.again:
            parts.append(f"{summary.again} tried again")
        if summary.repeated:
            parts.append(f"{summary.repeated} came twice")
        if summary.not_run:
            parts.append(f"{len(summary.not_run)} not run")
        return ", ".join(parts)


def _words(error: OSError) -> str:
    """The system's error in one line."""
    what = error.strerror or str(error)
    return f"{error.filename}: {what}" if error.filename else what
