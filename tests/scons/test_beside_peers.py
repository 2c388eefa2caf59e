"""`peers`: variants timed beside other libraries, through the command."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.scons.conftest import Project

PEERS = """
peers:
  variants: [small]
  libraries:
    mathematics: {file: libm.so.6, package: libc6}
    nobody: {file: libnobody.so.1, package: libnobody1}
  loads:
    churn: {doc: a loop that counts, program: bench_churn, args: [--ops, 1000]}
"""


def test_a_variant_is_timed_beside_the_libraries_that_are_there(foreign: Project) -> None:
    foreign.append("variants/matrix.yaml", PEERS)
    run = foreign.build("peers", "rounds=2")
    said = " ".join(run.stdout.split())
    assert "Beside its peers, 2 rounds in turn" in said
    assert "nobody: not measured: libnobody.so.1 is not installed (Debian: libnobody1)" in said
    found = json.loads(foreign.read("build/report/peers.json"))
    assert (found["baseline"], found["rivals"], found["own"]) == ("no pool", ["mathematics"], ["small"])
    figures = found["loads"]["churn"]["figures"]
    assert {name: len(figures[name]["samples"]) for name in figures} == {
        "no pool": 2,
        "mathematics": 2,
        "small": 2,
    }
    assert found["loads"]["churn"]["against_best"]["small"]["median"] > 0


def test_a_project_without_peers_and_a_debug_build_are_told_so(foreign: Project) -> None:
    run = foreign.scons("peers")
    assert run.status == 2
    assert "this project's variants/matrix.yaml names no 'peers'" in run.stderr
    foreign.append("variants/matrix.yaml", PEERS)
    run = foreign.scons("peers", "mode=debug")
    assert run.status == 2
    assert "peers times native release builds, one a variant" in run.stderr
