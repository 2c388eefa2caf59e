"""The order of timed runs and their records, without programs and without a clock."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from layermatrix.core import process
from layermatrix.core.records import NotMeasured
from layermatrix.evidence.bench import KIND, UNREPORTED, Bench, Hardware, Ratio, Timing, Usage, Verdict
from layermatrix.evidence.conditions import Conditions
from layermatrix.measure import pinning, runner
from layermatrix.measure.hardware import Perf
from layermatrix.measure.machine import BusyError, Watch
from layermatrix.measure.method import Method
from layermatrix.measure.one_run import Load, Subject
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


class Clock:
    """Seconds that pass only while a program runs: those of its load."""

    def __init__(self, seconds: Mapping[str, float]) -> None:
        self.now, self.seconds = 0.0, seconds

    def __call__(self) -> float:
        return self.now

    def timed(self, machine: Machine) -> process.Run:
        def run(command: Sequence[str], **how: Any) -> process.Finished:
            self.now += self.seconds[Path(command[0]).name]
            return machine(command, **how)

        return run


class Quiet(Watch):
    """A machine on which nothing else runs, or on which other processes use `others` CPUs."""

    others = 0.0

    def conditions(self) -> Conditions:
        return replace(super().conditions(), others=self.others, steal=0.0, throttled=0)


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


def test_each_block_runs_everyone_once_in_a_random_order_that_the_seed_repeats(tmp_path: Path) -> None:
    def order(seed: int) -> list[tuple[str, str]]:
        machine = Machine(steady)
        everyone = [subject("quick", tmp_path), subject("slow", tmp_path)]
        results = runner.measure(
            [MIXED, CHAIN], everyone, 20, subject("system", tmp_path), run=machine, method=Method(seed)
        )
        record = results["quick"]
        assert isinstance(record, Bench)
        assert record.seed == seed
        return machine.runs

    runs = order(14)
    blocks = [tuple(runs[start : start + 3]) for start in range(0, len(runs), 3)]
    assert len(blocks) == 21 * 2
    for index, block in enumerate(blocks):
        assert {load for load, _ in block} == {("mixed", "chain")[index % 2]}
        assert {name for _, name in block} == {"system", "quick", "slow"}
    assert len({tuple(name for _, name in block) for block in blocks}) == 6  # every order occurs
    assert order(14) == runs
    assert order(15) != runs


def test_two_runs_without_a_seed_have_different_ones() -> None:
    assert Method() != Method()


def test_each_subject_has_its_own_library_preloaded_and_gets_the_arguments_of_the_load(
    tmp_path: Path,
) -> None:
    machine = Machine(steady)
    runner.measure(
        [CHAIN], [subject("quick", tmp_path, "lib.so")], 1, subject("system", tmp_path), run=machine
    )
    preloaded = {"quick": str(tmp_path / "lib.so"), "system": ""}
    assert machine.preloads == [preloaded[name] for _, name in machine.runs]
    program, *arguments = machine.commands[0]
    assert program == str(tmp_path / machine.runs[0][1] / "chain")
    assert arguments == ["--ops", "7", "--threads", "1"]


def test_samples_are_paired_with_the_baseline_of_the_same_round_and_the_warm_up_is_left_out(
    tmp_path: Path,
) -> None:
    machine = Machine(lambda name, load, before: (before + 1) * (2.0 if name == "quick" else 1.0))
    results = runner.measure(
        [MIXED], [subject("quick", tmp_path)], 6, subject("system", tmp_path), run=machine
    )
    found = timing(results["quick"], "mixed")
    assert isinstance(found.ratio, Ratio)
    assert (found.ratio.median, found.ratio.low, found.ratio.high) == pytest.approx((2, 2, 2))
    assert (found.ratio.verdict, found.ratio.rounds) == (Verdict.FASTER, 6)
    assert replace(found, ratio=None) == Timing(
        unit="Mops/s",
        samples=(4, 6, 8, 10, 12, 14),
        median=9,
        low=4,
        high=14,
        interval="95 %",
        peak_kib=106,
        baseline=(2, 3, 4, 5, 6, 7),
        baseline_peak_kib=106,
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
        run=Machine(steady), clock=lambda: float(next(seconds)), on_progress=steps.append, method=Method(1),
        look=Quiet,
    )  # fmt: skip
    order = [name for number in (0, 1) for name in Method(1).order(["system", "quick"], "mixed", number)]
    assert [(step.done, step.total, step.round, step.subject, step.seconds) for step in steps] == [
        (1, 4, 0, order[0], 1), (2, 4, 0, order[1], 2), (3, 4, 1, order[2], 3), (4, 4, 1, order[3], 4),
    ]  # fmt: skip


def test_the_time_that_is_left_is_what_each_run_took_before(tmp_path: Path) -> None:
    clock = Clock({"mixed": 1, "chain": 10})
    steps: list[runner.Step] = []
    runner.measure(
        [MIXED, CHAIN], [subject("quick", tmp_path)], 1, subject("system", tmp_path),
        run=clock.timed(Machine(lambda name, load, before: "it crashed" if name == "quick" else 1.0)),
        clock=clock, on_progress=steps.append, look=Quiet,
    )  # fmt: skip
    # a load that has not run yet counts with the average of the others; one that crashed is not run again
    left = {(step.round, step.load): step.left for step in steps}
    assert (left[0, "chain"], left[1, "mixed"], left[1, "chain"]) == (11, 10, 0)
    assert steps[-1].done == steps[-1].total == 8


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


# --- the early end


def test_a_load_that_is_exact_enough_is_not_run_again_and_the_others_go_on(tmp_path: Path) -> None:
    machine = Machine(lambda name, load, before: 10.0 if load == "mixed" else 10.0 + before % 3)
    quick = subject("quick", tmp_path)
    results = runner.measure(
        [MIXED, CHAIN], [quick], 9, subject("system", tmp_path), run=machine, method=Method(1, precision=0.01)
    )
    counts = [len(timing(results["quick"], load.name).samples) for load in (MIXED, CHAIN)]
    assert counts == [6, 6]  # equal sides: the ratio of `chain` is exact, too
    record = KIND.format.read(quick.store)
    assert isinstance(record, Bench)
    assert (record.rounds, record.planned) == (6, 9)
    assert record.stopped == "every load was exact to 1% after 6 of 9 rounds"
    machine.answer = lambda name, load, before: (
        10.0 if load == "mixed" or name == "system" else 10.0 + before % 3
    )
    results = runner.measure(
        [MIXED, CHAIN], [quick], 9, subject("system", tmp_path), run=machine, method=Method(1, precision=0.01)
    )
    counts = [len(timing(results["quick"], load.name).samples) for load in (MIXED, CHAIN)]
    assert counts == [6, 9]
    record = results["quick"]
    assert isinstance(record, Bench)
    assert (record.rounds, record.stopped) == (9, "")


def test_a_budget_ends_the_run_after_the_last_round_that_fits_and_the_first_always_does(
    tmp_path: Path,
) -> None:
    def rounds(budget: float) -> tuple[int, str]:
        clock = Clock({"mixed": 1, "chain": 4})
        results = runner.measure(
            [MIXED, CHAIN], [subject("quick", tmp_path)], 7, subject("system", tmp_path),
            run=clock.timed(Machine(steady)), clock=clock, method=Method(1, budget=budget), look=Quiet,
        )  # fmt: skip
        record = results["quick"]
        assert isinstance(record, Bench)
        assert clock.now <= max(budget, 20)
        return record.rounds, record.stopped

    # the untimed run and each round take ten seconds
    why = "another round would have exceeded the budget of 39 s after 2 of 7 rounds"
    assert rounds(39) == (2, why)
    assert rounds(40)[0] == 3
    assert rounds(1) == (
        1, "the untimed run and the first round took 20 s, more than the budget of 1 s"
    )  # fmt: skip
    assert rounds(1000) == (7, "")


@pytest.mark.parametrize("slow", [9, 1000])
def test_a_round_that_lasts_longer_than_the_budget_is_given_up(tmp_path: Path, slow: float) -> None:
    """The budget is 50 s, and a round takes ten: in the fourth, a program becomes slow, or hangs."""
    clock, machine, limits, left = Clock({"mixed": 1, "chain": 4}), Machine(steady), [], []

    def run(command: Sequence[str], *, timeout: float, **how: Any) -> process.Finished:
        limits.append(timeout)
        seconds = slow if len(machine.runs) == 16 else clock.seconds[Path(command[0]).name]
        clock.now += min(seconds, timeout)
        answer = machine(command, timeout=timeout, **how)
        return replace(answer, timed_out=seconds > timeout)

    results = runner.measure(
        [MIXED, CHAIN], [subject("quick", tmp_path)], 9, subject("system", tmp_path), run=run, clock=clock,
        method=Method(1, budget=50), look=Quiet, on_progress=lambda step: left.append(step.left),
    )  # fmt: skip
    record = results["quick"]
    assert isinstance(record, Bench)
    assert clock.now <= 50 + 4
    assert record.rounds == 3
    assert record.stopped == "the budget of 50 s was over in round 4 of 9, which is left out"
    assert all(isinstance(load, Timing) and len(load.samples) == 3 for load in record.loads.values())
    assert limits[0] == 300
    assert max(limits[8:]) <= 31
    assert min(left) >= 0


def test_the_time_that_is_left_includes_the_first_round_though_the_budget_is_over(tmp_path: Path) -> None:
    clock, left = Clock({"mixed": 1, "chain": 4}), []
    runner.measure(
        [MIXED, CHAIN], [subject("quick", tmp_path)], 9, subject("system", tmp_path),
        run=clock.timed(Machine(steady)), clock=clock, method=Method(1, budget=3), look=Quiet,
        on_progress=lambda step: left.append(step.left),
    )  # fmt: skip
    assert left[3:] == [10, 9, 8, 4, 0]


# --- the machine


def test_a_strict_run_is_refused_on_a_busy_machine_before_its_first_program(tmp_path: Path) -> None:
    machine = Machine(steady)
    busy = type("Busy", (Quiet,), {"others": 1.5})
    system = subject("system", tmp_path)
    with pytest.raises(BusyError, match=r"strict=1: the machine was busy before the first run: .*1\.5 of"):
        runner.measure(
            [MIXED],
            [],
            3,
            system,
            run=machine,
            method=Method(1, strict=True),
            look=busy,
            pause=lambda _seconds: None,
        )
    assert machine.runs == []
    results = runner.measure([MIXED], [], 3, system, run=machine, look=busy)
    record = results["system"]
    assert isinstance(record, Bench)
    assert record.conditions is not None
    assert record.conditions.mark.startswith("busy: load ")


def test_a_strict_run_ends_without_the_round_in_which_the_machine_became_busy(tmp_path: Path) -> None:
    system = subject("system", tmp_path)
    watches: list[Quiet] = []

    def look() -> Quiet:
        watches.append(Quiet())
        return watches[-1]

    def answer(name: str, load: str, before: int) -> float:
        if before == 3:
            watches[-1].others = 0.9
        return 10.0

    with pytest.raises(BusyError, match="busy until the end of round 3"):
        runner.measure(
            [MIXED],
            [],
            9,
            system,
            run=Machine(answer),
            method=Method(1, strict=True),
            look=look,
            pause=lambda _seconds: None,
        )
    record = KIND.format.read(system.store)
    assert isinstance(record, Bench)
    assert record.rounds == 2


def test_programs_of_one_thread_run_on_one_cpu_and_others_on_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, bool]] = []
    allowed = os.sched_getaffinity(0)
    machine = Machine(steady, peak=None)

    def run(command: Sequence[str], **how: Any) -> process.Finished:
        seen.append((Path(command[0]).name, os.sched_getaffinity(0) == {max(allowed)} != allowed))
        finished = machine(command[1:] if "nice" in command[0] else command, **how)
        cpu = 1.9 if "busy_threads" in command[0] else 0.9
        usage = process.Usage(cpu, 1, 1, 0, 1, 0)
        return replace(finished, seconds=1.0, usage=usage)

    loads = [
        MIXED, replace(CHAIN, name="declared", parallel=True), replace(CHAIN, name="busy_threads"),
        replace(CHAIN, name="own", before=("/usr/bin/nice",)),
    ]  # fmt: skip
    system = subject("system", tmp_path, loads=loads)
    monkeypatch.setattr(pinning, "usual_cpu", lambda: max(allowed))
    results = runner.measure(loads, [], 1, system, run=run, look=Quiet)
    timed = dict(seen[len(loads) :])
    assert timed["mixed"] == (len(allowed) > 1)
    assert not timed["declared"]
    assert not timed["busy_threads"]
    assert [timing(results["system"], load.name).cpu for load in loads] == [max(allowed), None, None, None]
    assert os.sched_getaffinity(0) == allowed


def test_what_a_run_used_is_the_median_of_the_rounds(tmp_path: Path) -> None:
    machine = Machine(steady, peak=None)

    def run(command: Sequence[str], **how: Any) -> process.Finished:
        count = len(machine.runs)
        usage = process.Usage(0.5, 2**30 + count, 100 * count, count, 10 * count, 0)
        return replace(machine(command, **how), usage=usage)

    found = timing(runner.measure([MIXED], [], 3, subject("system", tmp_path), run=run)["system"], "mixed")
    assert found.usage == Usage(0.5, 200, 2, 20, 0)  # of the runs 1, 2 and 3; 0 is the untimed one
    assert found.peak_kib == 2**30 + 3  # by the kernel, because the program does not report it


def test_events_of_the_processor_are_counted_in_the_untimed_run(tmp_path: Path) -> None:
    out = tmp_path / "perf.csv"
    machine = Machine(steady)

    def run(command: Sequence[str], **how: Any) -> process.Finished:
        if command[0] == "perf":
            out.write_text("2000000,,cycles:u,1,100.00,,\n<not supported>,,cache-misses:u,0,100.00,,\n")
            return machine(command[1:], **how)
        return machine(command, **how)

    perf = Perf(("perf",), out, "")
    found = runner.measure([MIXED], [], 2, subject("system", tmp_path), run=run, perf=perf)
    hardware = timing(found["system"], "mixed").hardware
    assert isinstance(hardware, Hardware)
    assert hardware.cycles == pytest.approx(2e6 / 10e6)
    assert hardware.cache_misses == NotMeasured("cache-misses: not supported")
    none = runner.measure([MIXED], [], 1, subject("system", tmp_path), run=Machine(steady), perf=Perf())
    assert timing(none["system"], "mixed").hardware == NotMeasured(
        "perf is not installed (Debian: linux-perf)"
    )
