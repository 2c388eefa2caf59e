"""The order of timed runs and their records, without programs and without a clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from layermatrix.core import process
from layermatrix.core.records import NotMeasured
from layermatrix.evidence.bench import KIND, UNREPORTED, Bench, Ratio, Timing, Verdict
from layermatrix.measure import runner
from layermatrix.measure.runner import Load, Subject
from layermatrix.model.catalogue import Better, Unit

UNIT = Unit("op", "Mops/s")
MIXED = Load("mixed", ("--ops", "100"), UNIT)
CHAIN = Load("chain", ("--ops", "7", "--threads", "1"), UNIT)
Answer = Callable[[str, str, int], object]  # subject, load, number of earlier runs -> speed


class Machine:
    """Replaces all benchmark programs. If a speed is text, the run fails with it as its last line."""

    def __init__(self, answer: Answer, used: str | None = None, peak: int | None = 100) -> None:
        self.answer, self.used, self.peak = answer, used, peak
        self.runs: list[tuple[str, str]] = []
        self.commands: list[tuple[str, ...]] = []
        self.preloads: list[str] = []  # the preloaded file of each run, "" for none

    def __call__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        timeout: float,
        folder: Path | None = None,
    ) -> process.Finished:
        subject, load = Path(command[0]).parts[-2:]
        before = self.runs.count((load, subject))
        self.runs.append((load, subject))
        self.commands.append(tuple(command))
        link = environment.get("LD_PRELOAD")
        self.preloads.append(str(Path(link).readlink()) if link else "")
        speed = self.answer(subject, load, before)
        if isinstance(speed, str):
            return process.Finished(tuple(command), 1, b"", speed.encode(), 0.1)
        ops = speed * 1e6 if isinstance(speed, (int, float)) and not isinstance(speed, bool) else speed
        line = {"bench": load, "ops": ops, "seconds": 1, "library": self.used or link}
        line |= {} if self.peak is None else {"peak_kib": self.peak + before, "cpu_seconds": 2 + before}
        line |= {"after_kib": 50} if "--quiet" in command else {}
        return process.Finished(tuple(command), 0, json.dumps(line).encode(), b"", 0.1)


def subject(
    name: str, folder: Path, preload: str | None = None, loads: Sequence[Load] = (MIXED, CHAIN)
) -> Subject:
    programs = {load.name: folder / name / load.name for load in loads}
    return Subject(
        name, programs, folder / preload if preload else None, folder / name / "evidence" / "bench.json"
    )


def timing(record: Bench | NotMeasured, load: str) -> Timing:
    assert isinstance(record, Bench)
    found = record.load(load)
    assert isinstance(found, Timing)
    return found


def reason(record: Bench | NotMeasured, load: str) -> str:
    assert isinstance(record, Bench)
    found = record.load(load)
    assert isinstance(found, NotMeasured)
    return found.reason


def steady(name: str, load: str, before: int) -> float:
    return {"system": 10.0, "quick": 20.0, "slow": 5.0}[name]


def test_each_round_runs_everyone_load_by_load_and_the_first_place_moves_on(tmp_path: Path) -> None:
    machine = Machine(steady)
    runner.measure(
        [MIXED, CHAIN],
        [subject("quick", tmp_path), subject("slow", tmp_path)],
        2,
        subject("system", tmp_path),
        run=machine,
    )
    turns = [("system", "quick", "slow"), ("quick", "slow", "system"), ("slow", "system", "quick")]
    assert machine.runs == [(load, name) for turn in turns for load in ("mixed", "chain") for name in turn]


def test_each_subject_has_its_own_library_preloaded_and_gets_the_arguments_of_the_load(
    tmp_path: Path,
) -> None:
    machine = Machine(steady)
    runner.measure(
        [CHAIN], [subject("quick", tmp_path, "lib.so")], 1, subject("system", tmp_path), run=machine
    )
    library = str(tmp_path / "lib.so")
    assert machine.preloads == ["", library, library, ""]
    assert machine.commands[0] == (str(tmp_path / "system" / "chain"), "--ops", "7", "--threads", "1")


def test_samples_are_paired_with_the_baseline_of_the_same_round_and_the_warm_up_is_left_out(
    tmp_path: Path,
) -> None:
    machine = Machine(lambda name, load, before: (before + 1) * (2.0 if name == "quick" else 1.0))
    results = runner.measure(
        [MIXED], [subject("quick", tmp_path)], 6, subject("system", tmp_path), run=machine
    )
    assert timing(results["quick"], "mixed") == Timing(
        unit="Mops/s",
        samples=(4, 6, 8, 10, 12, 14),
        median=9,
        low=4,
        high=14,
        interval="95 %",
        peak_kib=106,
        baseline=(2, 3, 4, 5, 6, 7),
        baseline_peak_kib=106,
        ratio=Ratio(2, 2, 2, Verdict.FASTER),
        cpu_ns=612.5,
    )
    own = timing(results["system"], "mixed")
    assert (own.median, own.ratio) == (4.5, None)


def test_every_record_is_stored_and_complete(tmp_path: Path) -> None:
    everyone = [subject("quick", tmp_path), subject("system", tmp_path)]
    results = runner.measure([MIXED, CHAIN], everyone[:1], 3, everyone[1], run=Machine(steady))
    for one in everyone:
        found = results[one.name]
        assert KIND.format.read(one.store) == found
        assert isinstance(found, Bench)
        assert found.rounds == 3


def test_a_program_that_fails_costs_its_subject_that_load_and_no_one_else_anything(tmp_path: Path) -> None:
    machine = Machine(
        lambda name, load, before: "out of memory" if (name, load, before) == ("slow", "mixed", 2) else 5.0
    )
    everyone = [subject("quick", tmp_path), subject("slow", tmp_path)]
    results = runner.measure([MIXED, CHAIN], everyone, 4, subject("system", tmp_path), run=machine)
    assert reason(results["slow"], "mixed") == "mixed: exit status 1: out of memory"
    assert len(timing(results["slow"], "chain").samples) == 4
    assert len(timing(results["quick"], "mixed").samples) == 4
    assert machine.runs.count(("mixed", "slow")) == 3


def test_a_subject_that_can_run_nothing_is_not_measured(tmp_path: Path) -> None:
    machine = Machine(lambda name, load, before: "cannot be preloaded" if name == "slow" else 5.0)
    results = runner.measure(
        [MIXED, CHAIN], [subject("slow", tmp_path)], 1, subject("system", tmp_path), run=machine
    )
    assert results["slow"] == NotMeasured("mixed: exit status 1: cannot be preloaded")
    assert KIND.format.read(subject("slow", tmp_path).store) == results["slow"]


def test_without_a_baseline_speeds_stand_alone_with_the_reason(tmp_path: Path) -> None:
    machine = Machine(lambda name, load, before: "broken" if (name, before) == ("system", 1) else 5.0)
    results = runner.measure(
        [MIXED], [subject("quick", tmp_path)], 2, subject("system", tmp_path), run=machine
    )
    load = timing(results["quick"], "mixed")
    assert load.median == 5.0
    assert load.ratio == NotMeasured("the baseline has no figure: mixed: exit status 1: broken")


def test_a_project_may_have_no_baseline(tmp_path: Path) -> None:
    results = runner.measure([MIXED], [subject("quick", tmp_path)], 2, None, run=Machine(steady))
    load = timing(results["quick"], "mixed")
    assert (load.median, load.ratio) == (20.0, NotMeasured("there is no baseline"))


def test_a_program_that_is_linked_with_the_library_has_nothing_preloaded_and_has_to_use_it(
    tmp_path: Path,
) -> None:
    inlined = replace(MIXED, linked=True)
    used = [str(tmp_path / "lib.so"), "/lib/another.so"]
    for library in used:
        machine = Machine(steady, library)
        quick = subject("quick", tmp_path, "lib.so")
        found = runner.measure([inlined], [quick], 1, None, run=machine)["quick"]
        assert machine.preloads == ["", ""][: len(machine.preloads)]
        if library == used[0]:
            assert timing(found, "mixed").samples == (20.0,)
        else:
            assert found == NotMeasured(f"mixed used {library} instead of {used[0]}")


def test_where_less_is_better_the_figure_is_nanoseconds_an_operation(tmp_path: Path) -> None:
    load = replace(MIXED, unit=Unit("op", "ns/op", Better.LOWER))
    results = runner.measure(
        [load], [subject("quick", tmp_path)], 1, subject("system", tmp_path), run=Machine(steady)
    )
    found = timing(results["quick"], "mixed")
    assert (found.samples, found.unit) == ((50.0,), "ns/op")
    assert isinstance(found.ratio, Ratio)
    assert found.ratio.median == 2.0


def test_a_peak_that_the_program_does_not_report_is_not_measured(tmp_path: Path) -> None:
    machine = Machine(steady, peak=None)
    results = runner.measure([MIXED], [subject("quick", tmp_path)], 1, None, run=machine)
    assert timing(results["quick"], "mixed").peak_kib == NotMeasured("the program does not report it")


@pytest.mark.parametrize("speed", [0, -1.0, None, True, [], float("inf"), float("nan")], ids=str)
def test_a_speed_that_is_no_number_above_zero_is_not_measured(tmp_path: Path, speed: object) -> None:
    machine = Machine(lambda name, load, before: speed if name == "quick" else 5.0)
    results = runner.measure(
        [MIXED], [subject("quick", tmp_path)], 1, subject("system", tmp_path), run=machine
    )
    found = results["quick"]
    assert isinstance(found, NotMeasured)
    assert found.reason.startswith("mixed: 'ops' in its JSON line is ")


def test_a_load_without_a_program_is_not_measured(tmp_path: Path) -> None:
    quick = subject("quick", tmp_path, loads=[MIXED])
    results = runner.measure([MIXED, CHAIN], [quick], 1, subject("system", tmp_path), run=Machine(steady))
    assert reason(results["quick"], "chain") == "there is no program for chain"


def test_an_interrupt_keeps_the_rounds_that_are_complete(tmp_path: Path) -> None:
    def interrupted(name: str, load: str, before: int) -> float:
        if (name, load, before) == ("quick", "chain", 3):
            raise KeyboardInterrupt
        return 5.0

    quick = subject("quick", tmp_path)
    with pytest.raises(KeyboardInterrupt):
        runner.measure([MIXED, CHAIN], [quick], 7, subject("system", tmp_path), run=Machine(interrupted))
    stored = KIND.format.read(quick.store)
    assert isinstance(stored, Bench)
    assert stored.rounds == 2
    assert [len(timing(stored, load.name).samples) for load in (MIXED, CHAIN)] == [2, 2]


def test_progress_counts_every_run_against_the_given_clock(tmp_path: Path) -> None:
    seconds = iter(range(100))
    steps: list[runner.Step] = []
    runner.measure(
        [MIXED], [subject("quick", tmp_path)], 1, subject("system", tmp_path),
        run=Machine(steady), clock=lambda: float(next(seconds)), on_progress=steps.append,
    )  # fmt: skip
    assert [(step.done, step.total, step.round, step.subject, step.seconds) for step in steps] == [
        (1, 4, 0, "system", 1), (2, 4, 0, "quick", 2), (3, 4, 1, "quick", 3), (4, 4, 1, "system", 4),
    ]  # fmt: skip


def test_the_time_that_is_left_is_what_each_run_took_before(tmp_path: Path) -> None:
    seconds = iter([0, 1, 1, 11, 11, 11, 12, 12, 22])  # `chain` takes ten times as long as `mixed`
    steps: list[runner.Step] = []
    runner.measure(
        [MIXED, CHAIN], [subject("quick", tmp_path)], 1, subject("system", tmp_path),
        run=Machine(lambda name, load, before: "it crashed" if name == "quick" else 1.0),
        clock=lambda: float(next(seconds)), on_progress=steps.append,
    )  # fmt: skip
    # a load that has not run yet counts with the average of the others; one that crashed is not run again
    assert [step.left for step in steps] == [7, 5, 22, 11, 11, 10, 10, 0]


def test_the_run_that_is_not_timed_tells_the_memory_after_all_was_freed(tmp_path: Path) -> None:
    quiet = replace(MIXED, quiet=("--quiet", "5"))
    machine = Machine(steady)
    results = runner.measure(
        [quiet], [subject("quick", tmp_path)], 2, subject("system", tmp_path), run=machine
    )
    assert ["--quiet" in command for command in machine.commands] == [True, True, False, False, False, False]
    assert timing(results["quick"], "mixed").after_kib == 50
    machine.commands.clear()
    results = runner.measure(
        [MIXED], [subject("quick", tmp_path)], 1, subject("system", tmp_path), run=machine
    )
    assert timing(results["quick"], "mixed").after_kib is None


def test_cpu_time_is_the_median_of_the_rounds_for_one_operation(tmp_path: Path) -> None:
    results = runner.measure(
        [MIXED], [subject("quick", tmp_path)], 3, subject("system", tmp_path), run=Machine(steady)
    )
    assert timing(results["quick"], "mixed").cpu_ns == pytest.approx(4 / 20e6 * 1e9)  # median of 3, 4 and 5 s
    results = runner.measure(
        [MIXED], [subject("quick", tmp_path)], 1, subject("system", tmp_path), run=Machine(steady, peak=None)
    )
    assert timing(results["quick"], "mixed").cpu_ns == UNREPORTED


def test_senseless_sessions_are_refused(tmp_path: Path) -> None:
    system = subject("system", tmp_path)
    with pytest.raises(ValueError, match="at least one"):
        runner.measure([MIXED], [], 0, system)
    with pytest.raises(ValueError, match="same name"):
        runner.measure([MIXED], [system], 1, system)
