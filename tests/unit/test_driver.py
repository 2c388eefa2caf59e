"""`driver`: every bundle gets one result; what is lost, late, damaged or refused is tried again."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from layermatrix.hosts import driver, results
from layermatrix.hosts.driver import Limits, Summary
from layermatrix.hosts.driver_results import Results
from layermatrix.hosts.executors.base import Answer, ExecutorError, LostError, Running, Work

LIMITS = Limits(attempts=3, places=3, margin=2.0, progress=5.0, patience=1.0, tick=0.001)


def result_of(digest: str, record: object = "passed", started: str = "now") -> bytes:
    step = {"name": "tests", "kind": "tests", "record": {"kind": "tests", "of": record}, "files": {}}
    return results.text(results.Result(digest, {"cpu": "a"}, [step], started, "later")).encode()


Behaviour = Callable[[Work, Running], None]


def good(work: Work, running: Running) -> None:
    running.begin("here")
    running.answer(Answer(result_of(work.digest), "", "here"))


@dataclass
class Fake:
    """An executor without processes. behaviours: what happens at each attempt of a bundle, by name; after
    them, the bundle has a good result."""

    behaviours: Mapping[str, list[Behaviour]] = field(default_factory=dict)
    slots: int = 2
    places: Collection[str] | None = ("here", "there")
    grows: bool = False
    submitted: list[Work] = field(default_factory=list)
    flying: int = 0
    most: int = 0
    released: list[str] = field(default_factory=list)

    def check(self, resources: Mapping[str, float]) -> None:
        if "impossible" in resources:
            raise ExecutorError("no host offers impossible=1")

    def is_ready(self) -> bool:
        return True

    def submit(self, work: Work) -> Running:
        attempt = sum(one.name == work.name for one in self.submitted)
        self.submitted.append(work)
        running = Running()
        self.flying += 1
        self.most = max(self.most, self.flying)
        running.add_done_callback(lambda _: self._ended())
        planned = self.behaviours.get(work.name, [])
        (planned[attempt] if attempt < len(planned) else good)(work, running)
        return running

    def _ended(self) -> None:
        self.flying -= 1

    def release(self, running: Running) -> None:
        self.released.append(running.place)

    def shutdown(self) -> None:
        """There is nothing to end."""


def works(folder: Path, *names: str, seconds: float = 5.0) -> list[Work]:
    return [Work(name, name.encode().hex().ljust(64, "0"), folder / f"{name}.pyz", seconds) for name in names]


def run(
    tmp_path: Path, fake: Fake, *names: str, clock: Callable[[], float] | None = None
) -> tuple[Summary, list[str], Results]:
    lines: list[str] = []
    found = Results(tmp_path)
    ticks = iter(range(10**9))
    summary = driver.run(
        works(tmp_path, *names), fake, found, say=lines.append, limits=LIMITS,
        clock=clock or (lambda: next(ticks) / 10),
    )  # fmt: skip
    return summary, lines, found


def lost(work: Work, running: Running) -> None:
    running.begin("here")
    running.lose(LostError("the worker died"))


def lost_by_engine(work: Work, running: Running) -> None:
    running.lose(LostError("the scheduler has lost it", by_engine=True))


def lost_for_good(work: Work, running: Running) -> None:
    running.lose(LostError("4 workers died", final=True))


def damaged(work: Work, running: Running) -> None:
    running.answer(Answer(result_of(work.digest)[:-40], "", "here"))


def of_another(work: Work, running: Running) -> None:
    running.answer(Answer(result_of("f" * 64), "", "here"))


def refused_at(place: str) -> Behaviour:
    return lambda work, running: running.answer(Answer(None, "no valgrind", place))


def silent(work: Work, running: Running) -> None:
    running.begin("here")


def test_each_bundle_is_run_once_and_no_more_than_needed_are_submitted(tmp_path: Path) -> None:
    held: list[tuple[Work, Running]] = []

    def later(work: Work, running: Running) -> None:
        held.append((work, running))
        if len(held) >= 2 or work.name == "f":
            for one in held:
                good(*one)
            held.clear()

    fake = Fake({name: [later] for name in "abcdef"}, slots=1)
    summary, lines, found = run(tmp_path, fake, *"abcdef")
    assert summary == Summary(total=6, new=6)
    assert summary.is_complete
    assert fake.most <= 2
    assert [work.name for work in fake.submitted] == list("abcdef")
    assert lines[0] == "0/6 bundles have results; 6 to run, 1 at the same time"
    assert lines[-1].startswith("6/6 bundles have results; ")
    assert len(list(found.folder.iterdir())) == 6


def test_a_bundle_with_a_result_is_not_run_and_a_damaged_result_is_made_again(tmp_path: Path) -> None:
    first, second, _ = works(tmp_path, "a", "b", "c")
    known = Results(tmp_path)
    known.add(first.digest, result_of(first.digest))
    known.file(second.digest).write_bytes(result_of(second.digest)[:100])
    fake = Fake()
    summary, _, _ = run(tmp_path, fake, "a", "b", "c")
    assert [work.name for work in fake.submitted] == ["b", "c"]
    assert summary == Summary(total=3, known=1, new=2)


def test_nothing_is_submitted_or_said_if_every_bundle_has_a_result(tmp_path: Path) -> None:
    run(tmp_path, Fake(), "a")
    fake = Fake()
    summary, lines, _ = run(tmp_path, fake, "a")
    assert (fake.submitted, lines) == ([], [])
    assert summary == Summary(total=1, known=1)


def test_equal_bundles_are_one(tmp_path: Path) -> None:
    fake = Fake()
    summary, _, _ = run(tmp_path, fake, "a", "a")
    assert summary == Summary(total=1, new=1)
    assert len(fake.submitted) == 1


@pytest.mark.parametrize("fault", [lost, damaged, of_another])
def test_a_lost_or_damaged_result_is_made_again_at_another_place(tmp_path: Path, fault: Behaviour) -> None:
    fake = Fake({"a": [fault, fault]})
    summary, _, _ = run(tmp_path, fake, "a", "b")
    assert summary == Summary(total=2, new=2, again=2)
    assert [work.avoid for work in fake.submitted if work.name == "a"] == [
        frozenset(), frozenset({"here"}), frozenset({"here"}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (lost, "the worker died; it was tried 3 times"),
        (damaged, "its result is damaged: it is not JSON: "),
        (of_another, "its result is damaged: it belongs to the bundle ffffffffffff, not to 610000000000"),
    ],
)
def test_after_the_limit_a_bundle_is_not_run_and_the_others_are(
    tmp_path: Path, fault: Behaviour, reason: str
) -> None:
    fake = Fake({"a": [fault] * 9})
    summary, lines, _ = run(tmp_path, fake, "a", "b")
    assert len([work for work in fake.submitted if work.name == "a"]) == LIMITS.attempts
    assert summary.not_run["a"].startswith(reason)
    assert not summary.is_complete
    assert summary.finished == 1
    assert any(line.startswith(f"a: not run: {reason}") for line in lines)
    assert lines[-1].startswith("1/2 bundles have results, 2 tried again, 1 not run; ")


def test_a_bundle_that_the_engine_lost_again_and_again_is_not_run_again(tmp_path: Path) -> None:
    fake = Fake({"a": [lost_for_good]})
    summary, _, _ = run(tmp_path, fake, "a")
    assert summary.not_run == {"a": "4 workers died"}
    assert len(fake.submitted) == 1


def test_a_scheduler_that_restarts_does_not_count_as_an_attempt(tmp_path: Path) -> None:
    fake = Fake({"a": [lost_by_engine] * 10})
    summary, lines, _ = run(tmp_path, fake, "a")
    assert summary == Summary(total=1, new=1, again=10)
    assert not any("lost" in line for line in lines)  # one line for each bundle would hide the others


def test_a_host_without_a_tool_is_avoided_by_all_bundles_that_need_it(tmp_path: Path) -> None:
    first, second = works(tmp_path, "a", "b")
    needing = [
        Work(one.name, one.digest, one.file, 5.0, tools={"valgrind": "valgrind"}) for one in (first, second)
    ]
    fake = Fake({"a": [refused_at("here")]}, slots=1)
    lines: list[str] = []
    limits = Limits(ahead=1, tick=0.001)
    summary = driver.run(needing, fake, Results(tmp_path), say=lines.append, limits=limits)
    assert summary.is_complete
    assert [(work.name, set(work.avoid)) for work in fake.submitted] == [
        ("a", set()), ("b", {"here"}), ("a", {"here"}),
    ]  # fmt: skip
    assert "a: here cannot run it: no valgrind; another one is tried" in lines


def test_a_bundle_that_every_host_refuses_is_not_run_for_their_reason(tmp_path: Path) -> None:
    fake = Fake({"a": [refused_at("here"), refused_at("there")]})
    summary, _, _ = run(tmp_path, fake, "a", "b")
    assert summary.not_run == {"a": "no valgrind"}
    assert summary.finished == 1


def test_without_a_tool_on_any_host_the_other_steps_are_taken(tmp_path: Path) -> None:
    (work,) = works(tmp_path, "a")
    needing = Work(work.name, work.digest, work.file, 5.0, tools={"valgrind": "valgrind"})
    fake, lines = Fake({"a": [refused_at("here"), refused_at("there")]}), list[str]()
    summary = driver.run([needing], fake, Results(tmp_path), say=lines.append, limits=LIMITS)
    assert summary == Summary(total=1, new=1, again=2, lacking={"a": "no valgrind"})
    assert [dict(one.tools) for one in fake.submitted] == [{"valgrind": "valgrind"}] * 2 + [{}]
    assert "a: no valgrind, on no host; what needs it is recorded as not run" in lines


def test_a_worker_that_comes_later_gets_what_the_others_refused(tmp_path: Path) -> None:
    def refuse_and_grow(work: Work, running: Running) -> None:
        refused_at("here")(work, running)
        fake.places = ("here",)

    fake = Fake({"a": [refuse_and_grow]}, places=("here",), grows=True)
    asked = iter(range(10**9))

    def clock() -> float:
        now = next(asked) / 100
        if now > 0.2:
            fake.places = ("here", "new")
        return now

    summary, _, _ = run(tmp_path, fake, "a", clock=clock)
    assert summary == Summary(total=1, new=1, again=1)


def test_a_bundle_is_refused_by_a_limited_number_of_hosts(tmp_path: Path) -> None:
    fake = Fake({"a": [refused_at(f"host{number}") for number in range(99)]}, places=None)
    summary, _, _ = run(tmp_path, fake, "a")
    assert summary.not_run == {"a": "no valgrind"}
    assert len(fake.submitted) == LIMITS.places


def test_a_worker_that_hangs_is_given_up_and_its_late_result_is_dropped(tmp_path: Path) -> None:
    held: list[tuple[Work, Running]] = []

    def hang(work: Work, running: Running) -> None:
        silent(work, running)
        held.append((work, running))

    fake = Fake({"a": [hang]})
    summary, lines, _ = run(tmp_path, fake, "a")
    assert summary == Summary(total=1, new=1, again=1)
    assert fake.released == ["here"]
    assert fake.submitted[1].avoid == {"here"}
    assert "a: here has not answered for 7 s" in lines
    for work, running in held:
        running.answer(Answer(result_of(work.digest, "other"), "", "here"))  # the driver does not wait for it


def test_progress_is_said_at_least_as_often_as_promised(tmp_path: Path) -> None:
    fake = Fake({name: [silent] for name in "ab"})
    _, lines, _ = run(tmp_path, fake, "a", "b")
    seconds = [
        float(line.rpartition("; ")[2].split()[0]) for line in lines if line.endswith(" s") and "/2 " in line
    ]
    assert all(after - before <= LIMITS.progress + 1 for before, after in itertools.pairwise(seconds))
    assert "0/2 bundles have results, 2 running; 5 s" in lines


def test_a_result_that_comes_twice_is_dropped_and_a_difference_is_reported(tmp_path: Path) -> None:
    def twice(record: str) -> Behaviour:
        def act(work: Work, running: Running) -> None:
            Results(tmp_path).add(work.digest, result_of(work.digest, started="before"))
            running.answer(Answer(result_of(work.digest, record), "", "here"))

        return act

    fake = Fake({"a": [twice("passed")], "b": [twice("failed")]})
    summary, lines, found = run(tmp_path, fake, "a", "b")
    assert summary == Summary(total=2, new=2, repeated=2, differing=["b"])
    assert "b: a second result was dropped; it differs in tests" in lines
    for work in works(tmp_path, "a", "b"):
        assert json.loads(found.file(work.digest).read_bytes())["started"] == "before"


def test_a_result_that_goes_during_the_run_is_made_again(tmp_path: Path) -> None:
    def remove_first(work: Work, running: Running) -> None:
        good(work, running)
        Results(tmp_path).file(works(tmp_path, "a")[0].digest).unlink()

    fake = Fake({"b": [remove_first]}, slots=1)
    lines: list[str] = []
    summary = driver.run(
        works(tmp_path, "a", "b"),
        fake,
        Results(tmp_path),
        say=lines.append,
        limits=Limits(ahead=1, tick=0.001),
    )
    assert summary == Summary(total=2, new=2, again=1)
    assert f"1 results have gone from {tmp_path}/build/results: run again" in lines


def test_what_no_host_offers_ends_the_run_before_anything_is_submitted(tmp_path: Path) -> None:
    (work,) = works(tmp_path, "a")
    impossible = Work(work.name, work.digest, work.file, 5.0, {"impossible": 1})
    fake = Fake()
    with pytest.raises(ExecutorError, match="no host offers impossible=1"):
        driver.run([impossible], fake, Results(tmp_path), say=lambda line: None)
    assert not fake.submitted


def test_a_run_whose_only_host_for_a_resource_has_gone_ends_with_a_line(tmp_path: Path) -> None:
    class Shrinking(Fake):
        def check(self, resources: Mapping[str, float]) -> None:
            if self.submitted and resources:
                raise ExecutorError("no host offers bench=1")

    def never(work: Work, running: Running) -> None:
        """It waits for a host."""

    fake, ticks = Shrinking({"a": [never]}), iter(range(10**9))
    (work,) = works(tmp_path, "a")
    timing = Work(work.name, work.digest, work.file, 5.0, {"bench": 1})
    with pytest.raises(ExecutorError, match="no host offers bench=1"):
        driver.run(
            [timing],
            fake,
            Results(tmp_path),
            say=lambda line: None,
            limits=LIMITS,
            clock=lambda: float(next(ticks)),
        )


def test_an_interrupt_keeps_the_results_so_far(tmp_path: Path) -> None:
    def interrupt(work: Work, running: Running) -> None:
        raise KeyboardInterrupt

    fake = Fake({"c": [interrupt]}, slots=1)
    with pytest.raises(KeyboardInterrupt):
        driver.run(
            works(tmp_path, *"abc"), fake, Results(tmp_path), say=lambda line: None, limits=Limits(ahead=1)
        )
    summary, _, _ = run(tmp_path, fake := Fake(), *"abc")
    assert summary == Summary(total=3, known=2, new=1)
    assert [work.name for work in fake.submitted] == ["c"]


def test_an_executor_that_cannot_be_used_any_more_ends_the_run_and_keeps_the_results(tmp_path: Path) -> None:
    class Gone(Fake):
        def is_ready(self) -> bool:
            if len(self.submitted) > 1:
                raise ExecutorError("the scheduler is gone")
            return True

    with pytest.raises(ExecutorError, match="the scheduler is gone"):
        run(tmp_path, Gone(slots=1), *"abc")
    assert len(list(Results(tmp_path).folder.iterdir())) == 2


def test_a_bundle_that_cannot_be_read_is_not_run(tmp_path: Path) -> None:
    def unreadable(work: Work, running: Running) -> None:
        raise FileNotFoundError(2, "No such file or directory", "a.pyz")

    fake = Fake({"a": [unreadable]})
    summary, _, _ = run(tmp_path, fake, "a", "b")
    assert summary.not_run == {"a": "a.pyz: No such file or directory"}
    assert summary.finished == 1


def test_a_full_disk_ends_the_run_with_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Results, digest: str, content: bytes) -> None:
        raise OSError(28, "No space left on device", "a.json")

    monkeypatch.setattr(Results, "add", full)
    with pytest.raises(ExecutorError, match=r"a\.json: No space left on device; the results so far are kept"):
        run(tmp_path, Fake(), "a")
