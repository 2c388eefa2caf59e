"""`steps`: what a step writes, and when it counts as failed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from layermatrix.core import interrupt, records
from layermatrix.evidence import steps
from layermatrix.model.matrix import Cell
from layermatrix.spec.loader import load_project

Make = Callable[..., steps.Task]


@pytest.fixture
def task(project: Callable[..., Path]) -> Make:
    """A task of the small project: names of targets, names and contents of scripts as sources."""
    root = project()
    loaded = load_project(root)

    def make(targets: list[str], sources: dict[str, str], soak: int | None = None) -> steps.Task:
        for name, text in sources.items():
            (root / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
            (root / name).chmod(0o755)
        made, used = (tuple(root / name for name in names) for names in (targets, sources))
        return steps.Task(root, loaded, Cell(loaded.variants["base"], "release", "gcc"), made, used, soak)

    return make


def test_a_suite_that_passes_writes_its_stamp(task: Make) -> None:
    made = task(["tests.json", "tests.passed"], {"test_a": "exit 0", "test_b": "echo no such tool; exit 77"})
    steps.run_tests(made)
    assert made.targets[1].exists()
    statuses = [program["status"] for program in records.load(made.targets[0], "tests")["programs"]]
    assert statuses == ["passed", "not run"]


def test_a_suite_that_fails_writes_its_record_but_no_stamp(task: Make) -> None:
    made = task(["tests.json", "tests.passed"], {"test_a": "exit 0", "test_b": "exit 1"})
    with pytest.raises(steps.StepError, match="1 of 2 failed: test_b") as failure:
        steps.run_tests(made)
    assert failure.value.recorded
    assert records.load(made.targets[0], "tests")["programs"][1]["status"] == "failed"
    assert not made.targets[1].exists()


def test_only_the_soak_test_is_told_how_long(task: Make) -> None:
    sources = {"test_soak": 'test "$*" = "--for 60"', "test_other": 'test -z "$*"'}
    steps.run_tests(task(["tests.json", "tests.passed"], sources, soak=60))


def test_without_a_soak_no_test_is_told_anything(task: Make) -> None:
    steps.run_tests(task(["tests.json", "tests.passed"], {"test_soak": 'test -z "$*"'}))


def test_a_test_finds_its_cell(task: Make) -> None:
    made = task(["cell/evidence/tests.json", "cell/evidence/tests.passed"], {"test_a": "echo $LAYERED_CELL"})
    steps.run_tests(made)
    (result,) = records.load(made.targets[0], "tests")["programs"]
    assert result["log"] == str(made.root / "cell")


def test_an_interrupted_suite_writes_nothing(task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupt, "interrupted", lambda: True)
    made = task(["tests.json", "tests.passed"], {"test_a": "exit 1"})
    with pytest.raises(steps.StepError, match="interrupted"):
        steps.run_tests(made)
    assert not made.targets[0].exists()


RESULT = ["cell/evidence/programs/a.json", "cell/evidence/programs/a.passed"]


@pytest.mark.parametrize(
    ("text", "status"), [("exit 0", "passed"), ("exit 1", "failed"), ("echo no tool; exit 77", "not run")]
)
def test_only_a_pass_of_a_script_writes_its_stamp(task: Make, library: Path, text: str, status: str) -> None:
    made = task(RESULT, {"libtoy.so": "", "a.sh": f'env LD_PRELOAD="$PRELOAD" true; {text}'})
    shutil.copy(library, made.sources[0])
    steps.run_program(made)
    (result,) = records.load(made.targets[0], "programs")["programs"]
    assert (result["name"], result["status"]) == ("a", status)
    assert made.targets[1].exists() == (status == "passed")


def test_a_script_finds_its_cell_and_the_length_of_a_soak(
    task: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAYERED_SOAK", "9")
    for soak, told in ((None, ""), (60, "60")):
        made = task(RESULT, {"libtoy.so": "", "a.sh": "echo $LAYERED_CELL $LAYERED_SOAK"}, soak=soak)
        steps.run_program(made)
        (result,) = records.load(made.targets[0], "programs")["programs"]
        assert result["log"].split() == [str(made.root / "cell"), *told.split()]


def test_a_script_that_was_interrupted_leaves_no_result(task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupt, "interrupted", lambda: True)
    made = task(RESULT, {"libtoy.so": "", "a.sh": "exit 1"})
    with pytest.raises(steps.StepError, match="interrupted"):
        steps.run_program(made)
    assert not made.targets[0].exists()


def test_a_failed_script_fails_when_all_are_gathered(task: Make) -> None:
    parts = ["cell/evidence/programs/a.json", "cell/evidence/programs/b.json"]
    for part, status in zip(parts, ("failed", "passed"), strict=True):
        result = {"name": Path(part).stem, "status": status}
        records.write(task([part], {}).targets[0], records.measured("programs", programs=[result]))
    gathering = task(["cell/evidence/programs.json", "cell/evidence/programs.passed"], {})
    with pytest.raises(steps.StepError, match="1 of 2 failed: a"):
        steps.gather_programs(replace(gathering, sources=task(parts, {}).targets))
    record = records.load(gathering.targets[0], "programs")
    assert [result["name"] for result in record["programs"]] == ["a", "b"]
    assert not gathering.targets[1].exists()


def test_a_template_that_cannot_be_printed_fails_with_its_place(task: Make) -> None:
    made = task(["toy_gen.h"], {})
    with pytest.raises(steps.StepError, match=r"toy\.h\.j2"):
        steps.print_header(made)


def test_a_load_without_its_program_is_named(task: Make) -> None:
    with pytest.raises(steps.StepError, match="load mixed: no benchmark program is called bench"):
        steps.take_baseline_counters(task(["counters.json"], {"other": ""}))


def test_what_is_left_out_says_why(task: Make) -> None:
    for step in (steps.leave_out_asm, steps.leave_out_counters, steps.leave_out_programs):
        made = task(["record.json"], {})
        step(made)
        record = json.loads(made.targets[0].read_text(encoding="utf-8"))
        assert record["status"] == "not measured"
        assert record["reason"]


def test_the_counters_depend_on_the_tool_as_on_the_load(task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = task([], {"valgrind": ""})
    monkeypatch.setenv("PATH", "/nowhere")
    without = steps.counted(made.project.matrix)
    monkeypatch.setenv("PATH", str(made.root))
    assert steps.counted(made.project.matrix) != without
