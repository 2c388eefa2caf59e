"""The job `counters` compares the cost of an operation with the accepted cost, and fails if it has grown."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from layermatrix.jobs import registry

if TYPE_CHECKING:
    from tests.scons.conftest import Project

LOCK = "variants/counters.lock"
OTHER_MACHINE = """\
- compiler: "another 1.0, elsewhere"
  libc: "glibc 1.0"
  valgrind: "valgrind-1.0"
  caches: "I1 32768/8/64, D1 32768/8/64, LL 8388608/16/64"
  variants:
    small:
      release:
        churn: {args: "01234567", instructions: 1.000, i1_misses: 0.000, d1_misses: 0.000, ll_misses: 0.000, \
branches: 1.000, mispredicted: 0.000}
"""

pytestmark = pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")


@pytest.fixture
def pool(foreign: Project) -> Project:
    """The buffer pool with a limit for instructions."""
    limits = "], limits: {instructions: {percent: 1, soft: 0.1, hard: 0.5}}}"
    foreign.edit("variants/matrix.yaml", "LL: [8388608, 16, 64]}", f"LL: [8388608, 16, 64{limits}")
    return foreign


def test_what_was_accepted_passes_until_a_layer_becomes_slower(pool: Project, cc: str) -> None:
    cell = f"small-release-{cc}"
    run = pool.build("counters", "variant=small")
    assert f"new: {cell}, churn: no reference for this machine" in run.stdout
    assert run.made("EVIDENCE") == [f"{cell}/evidence/counters.json"]
    assert not pool.path(LOCK).exists()

    run = pool.build("counters", "variant=small", "--accept")
    assert "+++ b/variants/counters.lock" in run.stdout
    assert "+        churn: {args: " in run.stdout
    assert run.actions == []
    run = pool.build("counters", "variant=small")
    assert "variants/counters.lock: 1 within limits" in run.stdout

    count = "    return shelf_used[class] > 0 ?"
    pool.edit(
        "templates/layers/shelf.h.j2",
        count,
        f"    for (volatile int i = 0; i < 4; i++) continue;\n{count}",
    )
    accepted = pool.read(LOCK)
    run = pool.scons("counters", "variant=small")
    assert run.status == 1
    (worse,) = [line for line in run.stdout.splitlines() if line.startswith("worse:")]
    assert worse.startswith(f"worse: {cell}, churn: instructions ")
    assert "may change by" in worse
    assert pool.read(LOCK) == accepted

    run = pool.build("counters", "variant=small", "--accept")
    old, new = (
        next(line for line in run.stdout.splitlines() if line.startswith(f"{sign}        churn:"))
        for sign in "-+"
    )
    assert instructions(new) > instructions(old) + 10
    assert pool.build("counters", "variant=small").stdout.endswith(
        "variants/counters.lock: 1 within limits\n"
    )


def instructions(line: str) -> float:
    return float(line.partition("instructions: ")[2].partition(",")[0])


def test_figures_of_other_machines_stay_as_they_are(pool: Project, cc: str) -> None:
    pool.write(LOCK, f"references:\n{OTHER_MACHINE}")
    run = pool.build("counters", "variant=small", "--accept")
    assert f"small-release-{cc}, churn: no reference for this machine" in run.stdout
    assert OTHER_MACHINE in pool.read(LOCK)
    assert pool.read(LOCK).count("- compiler:") == 2


def test_a_damaged_lock_is_refused_before_anything_is_built(pool: Project) -> None:
    pool.write(LOCK, f"references:\n{OTHER_MACHINE.replace('branches: 1.000', 'branches: many')}")
    for words in ((), ("--accept",)):
        run = pool.scons("counters", "variant=small", *words)
        assert run.status == 2
        assert (
            run.stderr
            == f"{LOCK}:9:120: error: 'branches' must be a number from -1e+09 to 1e+09, not 'many'\n"
        )
        assert run.actions == []
    assert "many" in pool.read(LOCK)


def test_a_library_that_is_not_built_is_not_compared(pool: Project, cc: str) -> None:
    pool.edit("src/pool.c", '#include "pool_gen.h"\n', '#include "pool_gen.h"\n#error no\n')
    run = pool.scons("counters", "variant=small")
    assert run.status != 0
    assert f"not measured: small-release-{cc}: not built" in run.stdout


def test_accept_belongs_to_counters_and_other_options_are_refused(pool: Project) -> None:
    run = pool.scons("phases", "--accept")
    named = [target.name for target in registry.TARGETS if target.accept]
    accepting = ", ".join(map(repr, named[:-1])) + f" and {named[-1]!r}"
    assert (run.status, run.stderr) == (2, f"--accept works only with the targets {accepting}\n")
    run = pool.scons("counters", "--acept")
    assert (run.status, run.stderr) == (2, "no such option: --acept\n")


def test_cells_that_are_not_counted_are_refused(pool: Project) -> None:
    run = pool.scons("counters", "mode=debug")
    assert run.status == 2
    assert "only native release cells without a sanitizer are counted" in run.stderr


def test_the_benchmarks_own_share_is_what_the_empty_library_leaves(pool: Project, cc: str) -> None:
    pool.build(f"build/small-release-{cc}/evidence/counters.json")
    churn = pool.record(f"small-release-{cc}", "counters")["loads"]["churn"]
    assert 5 < churn["own_share"]["instructions"] < 40
    assert 5 < churn["per_op"]["instructions"] < 60
    assert pool.build(f"build/small-release-{cc}/evidence/counters.json").actions == []
