"""One comparison as one bundle: the host returns samples, and the records are those of a timing here."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from layermatrix.core.errors import RefusedError
from layermatrix.core.host import Host
from layermatrix.core.records import NotMeasured
from layermatrix.evidence.bench import Bench, Timing
from layermatrix.hosts import bundle, comparison, results
from layermatrix.hosts.comparison import HostTimer
from layermatrix.hosts.results import Result
from layermatrix.measure import hosted_timing, runner
from layermatrix.measure.method import Method
from layermatrix.measure.one_run import Load, Subject
from layermatrix.measure.runner import Timed
from layermatrix.model.catalogue import Unit

ANSWER = 'test "$(cat "$2")" = calls && echo \'{"ops": 1000, "seconds": %s}\''


@pytest.fixture
def plan(tmp_path: Path) -> Timed:
    """Two programs that report fixed speeds, and read a file that their arguments name."""
    subjects = []
    for name, seconds in (("slow", "0.002"), ("fast", "0.001")):
        program = tmp_path / "build" / name / "bench"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\n{ANSWER % seconds}\n", encoding="utf-8")
        program.chmod(0o755)
        subjects.append(Subject(name, {"loop": program}, None, Path(name)))
    (tmp_path / "traces").mkdir()
    (tmp_path / "build/traces").mkdir()
    (tmp_path / "build/traces/short.trace").write_text("calls\n", encoding="utf-8")
    (tmp_path / "traces/a.trace").write_text("calls\n", encoding="utf-8")
    load = Load("loop", ("--trace", "traces/a.trace", "short"), Unit())
    return Timed([load], subjects[1:], 2, subjects[0], Method(seed=7))


def run(path: Path) -> Result:
    """Run a bundle in a folder of its own, as another host does."""
    out = path.with_suffix(".json")
    command = [sys.executable, "-I", "-S", str(path), str(out)]
    subprocess.run(command, cwd="/", env={}, check=True, timeout=60)
    found = results.read(out, bundle.digest(path))
    assert found is not None
    return found


def test_the_records_are_those_of_a_timing_here(
    plan: Timed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored: dict[Path, object] = {}
    there = HostTimer(tmp_path, "bench", run, fixed_seed=True)(plan, stored.__setitem__)
    monkeypatch.chdir(tmp_path)
    here = runner.measure(
        plan.loads, plan.subjects, 2, plan.baseline, method=plan.method, store=lambda path, record: None
    )
    for name in ("slow", "fast"):
        far, near = there[name], here[name]
        assert isinstance(far, Bench)
        assert isinstance(near, Bench)
        assert (far.host, near.host) == (Host.of_this_machine(), None)
        assert (far.rounds, far.planned, far.seed) == (near.rounds, near.planned, near.seed) == (2, 2, 7)
        (one, other) = (record.loads["loop"] for record in (far, near))
        assert isinstance(one, Timing)
        assert isinstance(other, Timing)
        assert (one.samples, one.ratio, one.median) == (other.samples, other.ratio, other.median)
    assert stored == {Path("slow"): there["slow"], Path("fast"): there["fast"]}


def test_the_bundle_asks_for_a_worker_of_its_own_and_carries_what_it_reads(
    plan: Timed, tmp_path: Path
) -> None:
    file = HostTimer(tmp_path, "bench", run).write(plan)
    found = bundle.check(file)
    assert found.resources == {"bench": 1}
    assert sorted(found.files) == [
        "build/fast/bench",
        "build/slow/bench",
        "build/traces/short.trace",
        "traces/a.trace",
    ]
    assert found.cells == ("slow", "fast")
    assert file == tmp_path / "build/comparisons/bench.pyz"


def test_without_a_seed_of_the_user_equal_comparisons_are_one_bundle(plan: Timed, tmp_path: Path) -> None:
    timer = HostTimer(tmp_path, "bench", run)
    first = bundle.digest(timer.write(plan))
    again = bundle.digest(timer.write(replace(plan, method=Method(seed=8))))
    assert first == again
    assert first != bundle.digest(HostTimer(tmp_path, "bench", run, fixed_seed=True).write(plan))


def test_a_library_from_elsewhere_is_carried_too(plan: Timed, tmp_path: Path, system_library: Path) -> None:
    (fast,) = plan.subjects
    timer = HostTimer(tmp_path, "peers", run)
    found = bundle.check(timer.write(replace(plan, subjects=[replace(fast, library=system_library)])))
    (path,) = (name for name in found.files if name.startswith("others/"))
    assert Path(path).name == system_library.name


def test_a_timing_that_statistics_end_is_refused(plan: Timed, tmp_path: Path) -> None:
    exact = replace(plan, method=Method(precision=0.01))
    with pytest.raises(RefusedError, match="precision= ends a timing by its statistics"):
        HostTimer(tmp_path, "bench", run).write(exact)


def test_what_a_host_refuses_is_refused_here(plan: Timed) -> None:
    with pytest.raises(RefusedError, match="the machine was busy"):
        hosted_timing.analyse(plan, NotMeasured("strict=1: the machine was busy"), lambda path, record: None)


def test_samples_of_something_else_are_refused(plan: Timed, tmp_path: Path) -> None:
    def other(path: Path) -> Result:
        found = run(path)
        (step,) = found.steps
        record = json.loads(json.dumps(step["record"]))
        record["series"].pop("slow")
        return replace(found, steps=[{**step, "record": record}])

    with pytest.raises(RefusedError, match="the samples are of fast, not of fast, slow"):
        HostTimer(tmp_path, "bench", other)(plan, lambda path, record: None)
    broken = Result("d", {}, [{"name": comparison.STEP, "record": {}}], "", "")
    with pytest.raises(RefusedError, match="the samples of bench cannot be used: kind is None"):
        HostTimer(tmp_path, "bench", lambda path: broken)(plan, lambda path, record: None)
