"""`hosting`: what a job does with `executor=`, from the cells to the notes at the end of the run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import toy_bundles

from layermatrix.build.request import Request, RequestError, Selection
from layermatrix.hosts import driver
from layermatrix.hosts.executors.base import ExecutorError
from layermatrix.jobs import evidence, hosting
from layermatrix.jobs.base import FAILED, INTERRUPTED, Build, Outcome, Plan
from layermatrix.spec.loader import load_project


def plan(root: Path, executor: str | None = None) -> Plan:
    given = {} if executor is None else {"executor": executor}
    request = Request(targets=(evidence.JOB,), given=given)
    project = load_project(Path(__file__).parents[1] / "scons/foreign")
    return Plan(root, project, request, {}, ("false",), job="evidence")


def test_without_an_executor_or_with_local_the_build_takes_the_evidence(tmp_path: Path) -> None:
    build = Build(Selection((), ()), ("checks",))
    for value in (None, "local"):
        hosts = hosting.of(plan(tmp_path, value))
        assert hosts is None
        assert hosting.builds(hosts, build) == (build,)
        assert hosting.described(hosts, "show it") == "show it"
        assert hosting.run(plan(tmp_path, value), hosts, build.chosen, Outcome())
        assert hosting.timer(plan(tmp_path, value), hosts, 1) is None


def test_other_hosts_get_bundles_before_the_build(tmp_path: Path) -> None:
    build = Build(Selection((), ()), ("checks",))
    hosts = hosting.of(plan(tmp_path, "local:2"))
    assert [one.targets for one in hosting.builds(hosts, build)] == [("bundles",), ("checks",)]
    assert hosting.described(hosts, "show it") == (
        "run the bundles that have no result on local:2, take the evidence from the results, and show it"
    )


def test_a_wrong_executor_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="unknown executor 'locl'; did you mean 'local'"):
        hosting.of(plan(tmp_path, "locl:2"))


@pytest.mark.parametrize(
    ("error", "status", "note"),
    [
        (ExecutorError("no scheduler answers"), FAILED, "no scheduler answers"),
        (
            KeyboardInterrupt(),
            INTERRUPTED,
            "interrupted: the results so far are kept, and the same command goes on",
        ),
    ],
)
def test_an_executor_that_cannot_be_used_ends_the_job_with_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, note: str
) -> None:
    def fail(*_: object) -> driver.Summary:
        raise error

    monkeypatch.setattr(hosting, "_run", fail)
    outcome = Outcome()
    assert not hosting.run(plan(tmp_path), hosting.of(plan(tmp_path, "local:2")), Selection((), ()), outcome)
    assert (outcome.status, outcome.notes) == (status, [note])


def test_the_notes_name_what_did_not_run_and_what_differs() -> None:
    summary = driver.Summary(
        total=9,
        not_run={f"cell{number}": "it was killed" for number in range(7)},
        lacking={"a": "no valgrind"},
        differing=["b"],
    )
    assert hosting._notes(summary) == [
        "7 bundles ran on no host, so their steps ran here: "
        + "; ".join([f"cell{number}: it was killed" for number in range(5)])
        + "; and 2 more",
        "1 bundle found a tool on no host, so some steps are not run: a: no valgrind",
        "two hosts returned different results, of which the first one counts: b",
    ]
    assert hosting._notes(driver.Summary(total=9, known=9)) == []


def test_a_comparison_is_run_again_although_it_has_a_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = toy_bundles.bundle(tmp_path, "bench")
    monkeypatch.setattr(hosting, "_work", lambda *_: replace(work, name="bench"))
    hosts = hosting.of(plan(tmp_path, "local:1"))
    assert hosts is not None
    place = tmp_path / "build/results" / f"{work.digest}.json"
    for _ in range(2):
        assert hosting._compared(plan(tmp_path), hosts, work.file, 1).bundle == work.digest
        assert "was changed" not in place.read_text(encoding="utf-8")
        place.write_text("was changed", encoding="utf-8")
