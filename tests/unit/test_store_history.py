"""`store.history` and `store.changes`: comparable figures form a series, and its changes are marked."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from large_store import MACHINE, count, name_of, run, subject, timing

from layermatrix.store import changes, comparable, database, history, recording
from layermatrix.store.entries import Figure, Measurement, Run, Subject
from layermatrix.store.history import History, Point

SMALL = subject("small")
NEEDS_RUPTURES = pytest.mark.skipif(
    importlib.util.find_spec("ruptures") is None, reason="the extra history (ruptures) is not installed"
)


def history_of(
    path: Path, entries: Sequence[tuple[Run, Figure]], *, build: Subject = SMALL, figure: str = "instructions"
) -> History:
    """The history of the load churn in a store with these runs."""
    with database.writable(path / "store.sqlite") as store:
        for one, measured in entries:
            recording.add(store, one, [Measurement(build, (measured,))])
        return history.history(store, load="churn", subject=build.name, figure=figure)


def points(medians: Sequence[float], spread: float = 0.001) -> list[Point]:
    return [
        Point(f"c{place}", "", value, value * (1 - spread), value * (1 + spread))
        for place, value in enumerate(medians)
    ]


def test_a_series_is_in_the_order_of_the_commits_not_of_the_runs(tmp_path: Path) -> None:
    found = history_of(tmp_path, [(run(number), count(10.0 + number)) for number in (3, 1, 2)])
    assert [point.median for point in found.points] == [11.0, 12.0, 13.0]
    assert found.points[0].when == "2026-01-31T13:00:00Z"
    assert found.points[0].commit == name_of(1)


def test_commits_of_one_second_are_in_the_order_of_their_ancestors(tmp_path: Path) -> None:
    same = [replace(run(number), revision=replace(run(number).revision, time=7)) for number in (2, 1)]
    found = history_of(tmp_path, [(one, count(float(one.revision.order))) for one in same])
    assert [point.median for point in found.points] == [1.0, 2.0]


def test_the_latest_run_of_a_commit_counts(tmp_path: Path) -> None:
    found = history_of(tmp_path, [(run(1, "c"), count(1.0)), (run(2, "c"), count(2.0))])
    assert [point.median for point in found.points] == [2.0]


def test_every_change_of_a_count_is_marked_with_its_size_and_the_commit_before(tmp_path: Path) -> None:
    values = [20.0, 20.001, 18.0, 18.05, 19.8275]
    found = history_of(tmp_path, [(run(number), count(value)) for number, value in enumerate(values)])
    changed = {place: point.change for place, point in enumerate(found.points) if point.change}
    assert list(changed) == [2, 4]
    assert changed[2] is not None
    assert changed[2].before == pytest.approx(20.0005)
    assert changed[2].after == 18.0
    assert changed[2].since == found.points[1].commit
    assert changed[4] is not None
    assert changed[4].relative == pytest.approx(0.1)


def test_what_cannot_be_compared_is_apart_with_the_reason(tmp_path: Path) -> None:
    other = replace(MACHINE, cpu_flags="f2")
    own = [(run(number), count(20.0)) for number in range(3)]
    foreign = [
        (run(10, machine=other), count(21.0)),
        (run(11), replace(count(22.0), load_digest="l2")),
        (run(12, dirty=True), count(23.0)),
        (replace(run(13), revision=replace(run(13).revision, commit="")), count(24.0)),
    ]
    found = history_of(tmp_path, [*own, *foreign])
    assert [point.median for point in found.points] == [20.0] * 3
    assert [(one.count, one.reason.partition(":")[0]) for one in found.apart] == [
        (1, "measured on another kind of host"),
        (1, "the load had another program or other arguments"),
        (1, "no commit is known"),
        (1, "the files differed from the commit"),
    ]
    with database.writable(tmp_path / "store.sqlite") as store:
        newer = replace(SMALL, compiler_version="gcc 13")
        recording.add(store, run(14), [Measurement(newer, (count(25.0),))])
        again = history.history(store, load="churn", subject=SMALL.name, figure="instructions")
    assert history.Apart(1, "built by another compiler: gcc 13") in again.apart


def test_counts_of_another_processor_with_equal_features_are_in_the_series_and_timings_are_not(
    tmp_path: Path,
) -> None:
    other = replace(MACHINE, cpu="another CPU", identity="m2")
    counts = history_of(tmp_path, [(run(1), count(1.0)), (run(2, machine=other), count(2.0))])
    assert len(counts.points) == 2
    timings = history_of(
        tmp_path, [(run(3), timing(1.0)), (run(4, machine=other), timing(2.0))], figure="speed"
    )
    assert len(timings.points) == 1
    assert [one.reason for one in timings.apart] == [
        "measured on another machine: processor A CPU, not another CPU"
    ]


def test_timings_of_two_machines_of_one_model_are_apart(tmp_path: Path) -> None:
    alike = replace(MACHINE, identity="m2")
    found = history_of(
        tmp_path, [(run(1, machine=alike), timing(9.0)), (run(2), timing(1.0)), (run(3), timing(1.0))],
        figure="speed",
    )  # fmt: skip
    assert [point.median for point in found.points] == [1.0, 1.0]
    assert [one.reason for one in found.apart] == [comparable.ONE_MODEL]


def test_a_machine_that_gets_another_kernel_or_python_stays_the_same(tmp_path: Path) -> None:
    newer = replace(MACHINE, kernel="Linux 6.6", python="3.12.0")
    found = history_of(
        tmp_path, [(run(1), timing(1.0)), (run(2, machine=newer), timing(1.0))], figure="speed"
    )
    assert (len(found.points), found.apart) == (2, ())


def test_two_binaries_of_one_commit_from_two_machines_are_not_one_series(tmp_path: Path) -> None:
    other = replace(MACHINE, identity="m2")
    with database.writable(tmp_path / "store.sqlite") as store:
        for number in (0, 1, 2, 4):
            recording.add(store, run(number), [Measurement(SMALL, (count(20.0),))])
        for number, library in ((1, "d2"), (2, "d1"), (3, "d3")):
            one = replace(run(number, machine=other), started="2026-05-01T00:00:00Z")
            recording.add(store, one, [Measurement(subject("small", library), (count(21.0),))])
        found = history.history(store, load="churn", subject=SMALL.name, figure="instructions")
    # commit 1: the machine with more commits counts; commit 2: equal binaries, the later run; commit 3: alone
    assert [point.median for point in found.points] == [20.0, 20.0, 21.0, 21.0, 20.0]
    assert found.apart == (
        history.Apart(1, "measured on another machine, with another binary of the same build"),
    )


def test_what_is_not_recorded_has_no_points(tmp_path: Path) -> None:
    found = history_of(tmp_path, [(run(1), count(1.0))], figure="speed")
    assert (found.points, found.apart) == ((), ())


def test_the_catalogue_names_every_series_once(tmp_path: Path) -> None:
    history_of(tmp_path, [(run(1), count(1.0)), (run(2), count(2.0)), (run(3), timing(3.0))])
    with database.readable(tmp_path / "store.sqlite") as store:
        assert history.catalogue(store) == (
            history.Entry(
                "small-release-gcc", "churn", "instructions", "per op", "lower", "deterministic", 2
            ),
            history.Entry("small-release-gcc", "churn", "speed", "M/s", "higher", "timed", 1),
        )


@NEEDS_RUPTURES
def test_a_step_of_timings_is_found_where_it_is() -> None:
    chance = random.Random(14)
    medians = [100 * chance.gauss(1, 0.004) for _ in range(12)]
    medians += [97 * chance.gauss(1, 0.004) for _ in range(8)]
    found = changes.of_timings("speed", points(medians, spread=0.008))
    assert list(found) == [12]
    assert found[12].relative == pytest.approx(-0.03, abs=0.005)
    assert found[12].since == "c11"


@NEEDS_RUPTURES
def test_noise_is_no_change() -> None:
    chance = random.Random(7)
    found = [
        bool(
            changes.of_timings("speed", points([100 * chance.gauss(1, 0.01) for _ in range(20)], spread=0.02))
        )
        for _ in range(40)
    ]
    assert sum(found) <= 3
    assert changes.of_timings("speed", points([100.0] * 20)) == {}


def test_too_few_timings_show_no_change() -> None:
    assert changes.of_timings("speed", points([100.0, 50.0, 50.0])) == {}


def test_without_ruptures_timings_have_no_changes_and_the_reason_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert changes.of_timings("speed", points([100.0] * 5 + [50.0] * 5)) == {}
    assert changes.missing_package() == (
        "change points of timings need the package ruptures: pip install 'layermatrix[history]'"
    )
