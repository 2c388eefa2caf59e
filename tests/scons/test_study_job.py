"""The timing itself, through the command: the order, the early end, the budget, a busy machine, and `study`.

The benchmark of foreign/ reports a made-up time, so that these tests are exact on a machine that does other
work: each instruction without effect at the entry of `pool_take` makes it 0.2% longer.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.scons.conftest import Project

BENCH = "src/bench/bench_churn.c"
COUNTED = """    const unsigned char *code = (const unsigned char *)take;
    unsigned nops = 0;
    if (code != NULL && code[0] == 0xf3) code += 4; // a landing pad of control-flow protection
    while (code != NULL && code[nops] == 0x90) nops++;
    printf("{\\"bench\\":\\"churn\\",\\"ops\\":%lu,\\"seconds\\":%.9f,\\"cpu_seconds\\":0.0005}\\n", ops,
           0.001 * (1 + 0.002 * nops));
"""
PRESET = """presets:
  timed: {doc: until exact, set: {variant: small, mode: release, rounds: 30, precision: 1%, budget: 1m}}
"""


@pytest.fixture
def pool(foreign: Project) -> Project:
    """The project with such a benchmark."""
    text = foreign.read(BENCH)
    begin = text.index("    printf(")
    foreign.write(BENCH, text[:begin] + COUNTED + text[text.index("    return 0;") :])
    return foreign


def bench(pool: Project, cc: str) -> Any:
    return pool.record(f"small-release-{cc}", "bench")


def test_a_preset_times_until_the_figures_are_exact_and_the_record_shows_how(pool: Project, cc: str) -> None:
    pool.edit("variants/matrix.yaml", "tests:", f"{PRESET}tests:")
    run = pool.build("bench", "preset=timed", "seed=7")
    record = bench(pool, cc)
    assert (record["rounds"], record["planned"], record["seed"]) == (6, 30, 7)
    assert "ended early: every load was exact to 1% after 6 of 30 rounds" in run.stdout
    assert "random order of each round: seed=7 repeats it" in run.stdout
    assert record["conditions"]["seconds"] > 0
    churn = record["loads"]["churn"]
    assert churn["ratio"]["verdict"] == "no difference"
    assert churn["usage"]["minor_faults"] > 0
    assert churn["hardware"]["status"] in ("measured", "not measured")
    assert pool.scons("bench", "preset=timed", "precision=2").stderr == (
        "precision=2: expected a share between 0 and 1, such as 1% or 0.01\n"
    )
    run = pool.build("bench", "variant=small", "rounds=9", "budget=0.01s")
    assert "the untimed run and the first round took" in run.stdout
    assert "more than the budget of 0.01 s" in run.stdout


def test_a_strict_run_is_refused_while_something_else_runs_and_stores_nothing(
    foreign: Project, cc: str
) -> None:
    foreign.build("variant=small", "libs", "benches")
    with subprocess.Popen(["sh", "-c", "while :; do :; done"]) as other:
        try:
            run = foreign.scons("bench", "variant=small", "rounds=1", "strict=1")
        finally:
            other.kill()
    assert run.status == 1
    assert "strict=1: the machine was busy before the first run: load " in run.stderr
    assert "(busiest: " in run.stderr
    assert not foreign.path(f"build/small-release-{cc}/evidence/bench.json").exists()


def test_equal_libraries_are_called_equal_and_a_planted_slowdown_is_found(pool: Project, cc: str) -> None:
    words = ("study", "variant=small", "runs=2", "planted=1", "rounds=6", "seed=3")
    before = (
        pool.build("variant=small", "libs") and pool.path(f"build/small-release-{cc}/libpool.so").read_bytes()
    )
    run = pool.build(*words, "--accept")
    found = json.loads(pool.read("build/report/study.json"))
    assert [trial["ratio"]["verdict"] for trial in found["trials"]] == ["no difference"] * 2
    planted = found["planted"]
    assert (planted["nops"], planted["flag"]) == (16, "-fpatchable-function-entry=16")
    assert [trial["ratio"]["verdict"] for trial in planted["trials"]] == ["slower"]
    assert planted["trials"][0]["ratio"]["median"] == pytest.approx(1 / 1.032)
    for figure in (planted["plain"], planted["slower"]):
        assert isinstance(figure, float) or "valgrind" in figure["reason"]
    if isinstance(planted["plain"], float):
        assert planted["slower"] - planted["plain"] == pytest.approx(32, abs=1)  # `take` and `give`
    assert "The study holds." in run.stdout
    assert pool.path(f"build/small-release-{cc}/libpool.so").read_bytes() == before
    page = pool.read("docs/study.md")
    assert "# A study of the timing itself" in page
    assert "scons study variant=small runs=2 planted=1 load=churn rounds=6 seed=3" in page
    assert json.loads(pool.read("docs/study.json")) == found


def test_a_study_of_several_builds_or_of_an_unknown_load_is_refused(foreign: Project, cc: str) -> None:
    run = foreign.scons("study", "variant=all")
    assert (run.status, "study takes one native release build" in run.stderr) == (2, True)
    run = foreign.scons("study", "load=chrn")
    assert run.stderr.startswith("load=chrn: study cannot time 'chrn': did you mean 'churn'?")
