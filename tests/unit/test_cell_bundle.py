"""The bundle of a cell, written from what the build declares; and the result that the cell uses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from layermatrix.build.step import StepError, Task
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import programs, tests
from layermatrix.evidence.check import Status
from layermatrix.hosts import bundle, cell_bundle, cell_result, results, run_bundle
from layermatrix.hosts.cell_result import Declared
from layermatrix.model.cells import Cell
from layermatrix.spec.loader import load_project

PROGRAM = "#!/bin/sh\necho $LAYERED_CELL\n"


@dataclass(frozen=True)
class File:
    """A node of the build."""

    abspath: str
    sources: tuple[File, ...] = ()

    @property
    def path(self) -> str:
        return self.abspath


@pytest.fixture
def task(project: Callable[..., Path]) -> Task:
    """A cell with one test and a script that is not carried as a program."""
    root = project()
    cell = Cell(load_project(root).variants["base"], "release", "gcc")
    folder = root / cell.build_dir
    (folder / "bin").mkdir(parents=True)
    for path in (folder / "bin/test_a", root / "real.sh"):
        path.write_text(PROGRAM, encoding="utf-8")
        path.chmod(0o755)
    shutil.copy("/bin/true", folder / Path(cell.library).name)
    (folder / "liba.a").write_text("", encoding="utf-8")
    targets = (folder / cell_result.BUNDLE, folder / cell_result.SUM)
    return Task(root, load_project(root), cell, folder, targets, ())


def declared(task: Task) -> list[Declared]:
    test, library, static = (
        File(str(task.folder / name)) for name in ("bin/test_a", Path(task.cell.library).name, "liba.a")
    )
    script = File(str(task.root / "real.sh"))
    assert tests.KIND.hosted is not None
    return [
        Declared("tests", tests.KIND.hosted, (test,), (library, static), ()),
        Declared("programs/real", programs.PART, (library, script), (), ()),
    ]


def write(task: Task) -> Path:
    cell_bundle.Writer(declared(task)).write(task)
    return task.targets[0]


def test_it_holds_the_files_of_its_steps_and_no_others(task: Task) -> None:
    found = bundle.check(write(task))
    cell = task.cell.build_dir
    assert sorted(found.files) == sorted([f"{cell}/bin/test_a", task.cell.library, "real.sh"])
    assert [step.name for step in found.steps] == ["tests", "programs/real"]
    assert found.cells == (task.cell.id,)
    assert cell_result.digest_of(task.folder) == bundle.digest(task.targets[0])


def test_the_needed_c_library_is_read_from_the_files(task: Task) -> None:
    needs = bundle.check(write(task)).host
    if needs.libc == "glibc":  # of /bin/true
        assert [int(part) for part in needs.libc_least.split(".")] >= [2, 2]
    assert cell_bundle.native_host([task.root / "real.sh"]).libc == ""


def test_the_bundle_of_another_target_is_for_its_machine(task: Task) -> None:
    cell = replace(task.cell, target="aarch64-linux-gnu")
    assert cell_bundle.host_needs(cell, []).architecture == "aarch64"


def test_a_cell_without_a_result_takes_nothing_from_one(task: Task) -> None:
    write(task)
    assert not cell_result.is_hosted(task.root, task.folder)
    assert cell_result.recorded(task.folder)("tests") is None
    assert cell_result.stamp(task.root, task.folder) == "no result"


def collected(task: Task) -> Task:
    """The task with the records of the result that the cell uses."""
    made = replace(task, sources=(task.targets[0],), targets=(task.folder / cell_result.RESULT,))
    cell_result.collect(made)
    results_of = cell_result.recorded(task.folder)
    return replace(task, sources=(task.folder / "bin/test_a",), results=results_of)


def test_a_step_takes_its_record_from_the_result(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(task.root)
    lines = run_bundle.run(write(task))
    assert lines[0] == "tests: 1 passed"
    assert cell_result.is_hosted(task.root, task.folder)
    (task.folder / "bin/test_a").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")  # it must not run
    assert tests.KIND.take is not None
    record = tests.KIND.take(collected(task))
    assert isinstance(record, tests.Tests)
    (check,) = record.programs
    assert (check.status, check.log) == (Status.PASSED, task.cell.build_dir)


def test_a_damaged_result_is_reported_and_not_used(task: Task, capsys: pytest.CaptureFixture[str]) -> None:
    file = results.path(task.root, bundle.digest(write(task)))
    run_bundle.run(task.targets[0], file)
    file.write_text(file.read_text(encoding="utf-8").replace('"passed"', '"failed"'), encoding="utf-8")
    done = collected(task)
    message = capsys.readouterr().err
    assert message.startswith("build/results/")
    assert "does not match its sum; run the bundle again" in message
    assert message.endswith(f"; {task.cell.id} is checked here instead\n")
    assert done.results("tests") is None
    assert (task.folder / cell_result.RESULT).read_text(encoding="utf-8") == cell_result.NONE


def test_the_result_of_another_bundle_is_not_used(task: Task) -> None:
    file = results.path(task.root, bundle.digest(write(task)))
    run_bundle.run(task.targets[0], file)
    (task.folder / "bin/test_a").write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    write(task)
    assert not cell_result.is_hosted(task.root, task.folder)
    assert collected(task).results("tests") is None


def test_a_record_that_is_none_fails_the_step(task: Task) -> None:
    made = replace(task, results=lambda name: json.dumps({"kind": "tests", "version": 99}))
    with pytest.raises(StepError, match="the result of another host for tests cannot be used: version is 99"):
        made.from_host("tests", tests.FORMAT)


def test_a_record_that_was_not_measured_there_says_why(task: Task) -> None:
    text = json.dumps({"kind": "tests", "version": 1, "status": "not measured", "reason": "no shell"})
    made = replace(task, results=lambda name: text)
    assert made.from_host("tests", tests.FORMAT) == NotMeasured("no shell")
