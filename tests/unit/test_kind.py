"""`Kind`: the files that a step writes, and the only code that decides what failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from layermatrix.build import printing
from layermatrix.build.step import StepError, Task
from layermatrix.core.records import Measured, Missing, NotMeasured
from layermatrix.evidence import asm, counters, programs, registry, tests
from layermatrix.evidence.kind import Check, Kind, Status
from layermatrix.evidence.tools import load_commands
from layermatrix.model.cells import Cell
from layermatrix.spec.loader import load_project

Make = Callable[..., Task]


@pytest.fixture
def task(project: Callable[..., Path]) -> Make:
    """A task of the small project. targets: names; sources: names and contents of scripts."""
    root = project()
    loaded = load_project(root)

    def make(targets: list[str], sources: dict[str, str], soak: int | None = None) -> Task:
        for name, text in sources.items():
            (root / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
            (root / name).chmod(0o755)
        made, used = (tuple(root / name for name in names) for names in (targets, sources))
        cell = Cell(loaded.variants["base"], "release", "gcc")
        return Task(root, loaded, cell, root / "cell", made, used, soak)

    return make


def checks(kind: Kind[tests.Tests] | Kind[programs.Programs], path: Path) -> Sequence[Check]:
    record = kind.format.read(path)
    assert not isinstance(record, NotMeasured), record
    return record.programs


SUITE = ["tests.json", "tests.passed"]


def test_a_suite_that_passes_writes_its_stamp(task: Make) -> None:
    made = task(SUITE, {"test_a": "exit 0", "test_b": "echo no such tool; exit 77"})
    tests.KIND.establish(made)
    assert made.targets[1].exists()
    assert [one.status for one in checks(tests.KIND, made.targets[0])] == [Status.PASSED, Status.NOT_RUN]


def test_a_suite_that_fails_writes_its_record_but_no_stamp(task: Make) -> None:
    made = task(SUITE, {"test_a": "exit 0", "test_b": "exit 1"})
    with pytest.raises(StepError, match="1 of 2 failed: test_b") as failure:
        tests.KIND.establish(made)
    assert failure.value.recorded
    assert checks(tests.KIND, made.targets[0])[1].status is Status.FAILED
    assert not made.targets[1].exists()


def test_only_the_soak_test_gets_a_duration(task: Make) -> None:
    sources = {"test_soak": 'test "$*" = "--for 60"', "test_other": 'test -z "$*"'}
    tests.KIND.establish(task(SUITE, sources, soak=60))


def test_without_a_soak_no_test_gets_arguments(task: Make) -> None:
    tests.KIND.establish(task(SUITE, {"test_soak": 'test -z "$*"'}))


def test_a_test_finds_its_cell(task: Make) -> None:
    made = task(SUITE, {"test_a": 'test "$LAYERED_CELL" = "${0%/*}/cell"'})
    tests.KIND.establish(made)
    (result,) = checks(tests.KIND, made.targets[0])
    assert result.status is Status.PASSED


def test_a_record_has_no_folder_of_this_machine(task: Make) -> None:
    made = task(SUITE, {"test_a": 'echo "$LAYERED_CELL of $0"', "test_b": 'echo "$0: in $PWD" >&2; exit 1'})
    with pytest.raises(StepError):
        tests.KIND.establish(made)
    good, bad = checks(tests.KIND, made.targets[0])
    assert (good.command, good.log) == ("test_a", "cell of test_a")
    assert bad.reason == "exit status 1: test_b: in $TMPDIR"


def test_an_interrupted_suite_writes_nothing(task: Make) -> None:
    made = replace(task(SUITE, {"test_a": "exit 1"}), interrupted=lambda: True)
    with pytest.raises(StepError, match="interrupted"):
        tests.KIND.establish(made)
    assert not made.targets[0].exists()


RESULT = ["cell/evidence/programs/a.json", "cell/evidence/programs/a.passed"]
USES_IT = 'env LD_PRELOAD="$PRELOAD" true'


@pytest.fixture
def script(task: Make, library: Path) -> Make:
    """A task of one script, which runs a program with the library and then executes this text."""

    def make(text: str, soak: int | None = None) -> Task:
        made = task(RESULT, {"a.sh": f"{USES_IT}\n{text}"}, soak=soak)
        return replace(made, sources=(library, *made.sources))

    return make


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("exit 0", Status.PASSED),
        ("exit 1", Status.FAILED),
        ("echo no tool; exit 77", Status.NOT_RUN),
    ],
)
def test_only_a_pass_of_a_script_writes_its_stamp(script: Make, text: str, status: Status) -> None:
    made = script(text)
    programs.take_script(made)
    (result,) = checks(programs.KIND, made.targets[0])
    assert (result.name, result.status) == ("a", status)
    assert made.targets[1].exists() == (status is Status.PASSED)


def test_a_script_finds_its_cell_and_the_length_of_a_soak(
    script: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAYERED_SOAK", "9")
    for soak, message in ((None, ""), (60, "60")):
        made = script("echo $LAYERED_CELL $LAYERED_SOAK", soak=soak)
        programs.take_script(made)
        (result,) = checks(programs.KIND, made.targets[0])
        assert result.log.split() == ["cell", *message.split()]


def test_a_script_that_was_interrupted_leaves_no_result(script: Make) -> None:
    made = replace(script("exit 1"), interrupted=lambda: True)
    with pytest.raises(StepError, match="interrupted"):
        programs.take_script(made)
    assert not made.targets[0].exists()


def test_a_failed_script_fails_when_all_are_gathered(task: Make) -> None:
    parts = ["cell/evidence/programs/a.json", "cell/evidence/programs/b.json"]
    for part, status in zip(parts, (Status.FAILED, Status.PASSED), strict=True):
        record = programs.Programs((Check(Path(part).stem, status),))
        programs.KIND.format.write(task([part], {}).targets[0], record)
    gathering = task(["cell/evidence/programs.json", "cell/evidence/programs.passed"], {})
    with pytest.raises(StepError, match="1 of 2 failed: a"):
        programs.KIND.establish(replace(gathering, sources=task(parts, {}).targets))
    assert [one.name for one in checks(programs.KIND, gathering.targets[0])] == ["a", "b"]
    assert not gathering.targets[1].exists()


def test_a_template_that_cannot_be_printed_fails_with_its_place(task: Make) -> None:
    with pytest.raises(StepError, match=r"toy\.h\.j2"):
        printing.print_header(task(["toy_gen.h"], {}))


def test_a_load_without_its_program_is_named(task: Make) -> None:
    made = replace(task(["counters.json"], {"empty.so": "", "other": ""}), of_baseline=True)
    with pytest.raises(StepError, match="load mixed: there is no benchmark program bench"):
        counters.KIND.establish(made)


def test_what_is_left_out_gives_the_reason(task: Make) -> None:
    for kind in (asm.KIND, counters.KIND, programs.KIND):
        made = task(["record.json"], {})
        made = replace(made, cell=replace(made.cell, mode="debug", sanitizer="asan"))
        kind.leave_out(made)
        record = kind.format.read(made.targets[0])
        assert record == NotMeasured(kind.left_out(made.cell, made.project) or "")
        assert record.reason


def test_the_counters_depend_on_the_tool_as_on_the_load(task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = task([], {"valgrind": ""})
    monkeypatch.setenv("PATH", "/nowhere")
    assert load_commands.state("valgrind") is None
    monkeypatch.setenv("PATH", str(made.root))
    assert load_commands.state("valgrind") == (made.root / "valgrind").stat().st_mtime_ns


# --- what failed


@dataclass(frozen=True)
class Toy(Measured):
    checks: tuple[Check, ...] = ()


def a_kind(*, gate: bool = True, required: bool = False) -> Kind[Toy]:
    return Kind(
        name="toy",
        title="Toy",
        doc="nothing",
        record=Toy,
        columns=lambda records, view: [],
        checks=(lambda record: record.checks) if gate else None,
        required=required,
    )


def test_a_gate_that_was_not_measured_has_not_run() -> None:
    assert a_kind().judge(NotMeasured("no tool")) == (Check("toy", Status.NOT_RUN, "no tool"),)
    assert a_kind(required=True).judge(NotMeasured("no tool"))[0].status is Status.NOT_RUN


def test_only_a_kind_that_is_required_fails_where_its_file_is_missing() -> None:
    assert a_kind().judge(Missing("no file"))[0].status is Status.NOT_RUN
    assert a_kind(required=True).judge(Missing("no file"))[0].status is Status.FAILED


def test_what_is_no_gate_never_fails() -> None:
    assert a_kind(gate=False).judge(Missing("no file")) == ()


def test_every_kind_is_named_once_and_described() -> None:
    names = [kind.name for kind in registry.KINDS]
    assert len(set(names)) == len(names)
    assert all(kind.title and kind.doc for kind in registry.KINDS)
    assert all((kind.declare is None) == (kind.take is None) for kind in registry.KINDS)
