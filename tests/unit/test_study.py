"""`study`: the calibration of a planted slowdown, and what has to hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from layermatrix.core.records import NotMeasured
from layermatrix.evidence.bench import Ratio, Verdict
from layermatrix.evidence.conditions import UNREADABLE, Conditions, Machine
from layermatrix.measure import study
from layermatrix.measure.method import Method
from layermatrix.measure.study import Calibration, Planted, Study, Trial
from layermatrix.report import study_page

ROOT = Path(__file__).resolve().parents[2]
QUIET = Conditions(Machine("Made-up CPU", 2, "6.1"), 0.1, 1.0, 0.02, 0.0, UNREADABLE, UNREADABLE, 600.0)


def ratio(slowdown: float, verdict: Verdict = Verdict.SAME) -> Ratio:
    middle = 1 / (1 + slowdown)
    return Ratio(middle, middle * 0.99, middle * 1.01, verdict, "95 %", 0.5, 20)


def trials(verdicts: dict[Verdict, int]) -> tuple[Trial, ...]:
    return tuple(
        Trial(7, ratio(0.0, one), busy=False) for one, count in verdicts.items() for _ in range(count)
    )


def made(equal: int = 20, found: int = 10) -> Study:
    """A study in which so many of 20 and of 10 trials gave the expected verdict."""
    planted = Planted(
        nops=12,
        flag="-fpatchable-function-entry=12",
        calibration=(Calibration(12, ratio(0.03)),),
        plain=40.0,
        slower=52.0,
        trials=trials({Verdict.SLOWER: found, Verdict.SAME: 10 - found}),
    )
    equals = trials({Verdict.SAME: equal, Verdict.FASTER: 20 - equal})
    return Study(
        command="./sconsw study",
        date="2026-11-29",
        cell="a-release-gcc",
        compiler="gcc 12.2",
        load="mixed --ops 7",
        rounds=20,
        seed=7,
        smallest=0.01,
        trials=equals,
        planted=planted,
        conditions=QUIET,
    )


@pytest.mark.parametrize(
    ("free", "each", "steps"),
    [
        (0, 0.03 / 16, [16]),  # right at once
        (0, 0.001, [16, 32]),
        (20, 0.001, [16, 32, 64, 50]),  # the processor executes 20 of them for free
        (0, 0.03, [16, 8, 4, 2, 1]),
        (0, 0.0, [16, 32, 64, 128, 256, 512]),  # they cost nothing at all
    ],
)
def test_the_calibration_doubles_halves_and_then_goes_along_the_line(
    free: int, each: float, steps: list[int]
) -> None:
    found = study.calibrate(lambda nops, _index: ratio(max(0, nops - free) * each))
    assert [step.nops for step in found][: len(steps)] == steps
    if each:
        assert found[-1].slowdown == pytest.approx(study.TARGET, abs=study.NEAR)


def test_a_slowdown_that_cannot_be_planted_is_not_measured() -> None:
    class Comparer(study.Comparer):
        def trial(self, *_words: object) -> Trial:
            return Trial(1, ratio(0.0), busy=False)

    comparer = Comparer(None, Path("bench"), 6, Method(1), print)  # type: ignore[arg-type]
    found = study.planted_trials(
        comparer, Path("plain"), lambda nops: Path(f"{nops}"), lambda _library: 1.0, 5
    )
    assert isinstance(found, NotMeasured)
    assert found.reason.startswith("no number of nops slowed this load down by about 3% (16: 0.0%, 32: ")


def test_a_slowdown_that_drowns_in_noise_is_not_measured() -> None:
    class Comparer(study.Comparer):
        def trial(self, *_words: object) -> Trial:
            return Trial(1, replace(ratio(0.03), low=0.8, high=1.1), busy=True)

    comparer = Comparer(None, Path("bench"), 6, Method(1), print)  # type: ignore[arg-type]
    found = study.planted_trials(
        comparer, Path("plain"), lambda nops: Path(f"{nops}"), lambda _library: 1.0, 5
    )
    assert found == NotMeasured(
        "the machine is too noisy to plant a slowdown of 3%: \u00b117.3% in 20 rounds"
    )


def test_it_holds_if_19_of_20_and_9_of_10_are_right() -> None:
    assert made().holds
    assert made(equal=19, found=9).holds
    assert not made(equal=18).holds
    assert not made(found=8).holds
    assert not replace(made(), planted=NotMeasured("no compiler")).holds


def test_a_study_is_stored_and_read_as_it_was(tmp_path: Path) -> None:
    study.FORMAT.write(tmp_path / "study.json", made())
    assert study.FORMAT.read(tmp_path / "study.json") == made()


def test_the_page_has_the_figures_and_every_trial() -> None:
    page = study_page.page(made(equal=19))
    for words in (
        "| command | `./sconsw study` |",
        "## Equal libraries",
        "## A planted slowdown",
        "19 trials found no difference",
        "10 of 10 trials found the copy slower",
        "52.00 instructions with them and 40.00 without: 12.00 or 30% more",
        "| state of the machine | quiet |",
        "the study holds",
        "| 20 | faster | 1.0000 |",
    ):
        assert words in page
    busy = replace(made(), conditions=replace(QUIET, others=1.5))
    assert "| state of the machine | busy: load 1.0 on 2 CPUs, other processes used 1.5 of 2 CPUs |" in (
        study_page.page(busy)
    )


def test_the_checked_in_page_is_that_of_the_checked_in_record() -> None:
    found = study.FORMAT.read(ROOT / "docs/study.json")
    assert isinstance(found, Study), found
    assert (ROOT / "docs/study.md").read_text(encoding="utf-8") == study_page.page(found)
