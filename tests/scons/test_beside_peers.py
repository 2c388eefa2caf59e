"""The job `peers`: variants timed against other libraries."""

from __future__ import annotations

import json
import re
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
FLOOR = "  floor: {source: src/bench/floor_pool.c, doc: a pool of one buffer that nobody else wants}\n"


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


def test_the_floor_is_built_and_shown_beside_the_peers_and_is_none_of_them(foreign: Project) -> None:
    foreign.append("variants/matrix.yaml", PEERS + FLOOR)
    foreign.write("src/bench/floor_pool.c", foreign.read("src/bench/null_pool.c"))
    run = foreign.build("peers", "rounds=1")
    said = " ".join(run.stdout.split())
    assert "M/s, reference" in said
    assert "floor: a pool of one buffer that nobody else wants (src/bench/floor_pool.c)" in said
    found = json.loads(foreign.read("build/report/peers.json"))
    churn = found["loads"]["churn"]
    assert found["rivals"] == ["mathematics"]
    assert len(churn["figures"]["floor"]["samples"]) == 1
    assert churn["best"] != "floor"
    assert churn["against_floor"]["small"]["median"] > 0


def test_a_floor_that_does_not_compile_fails_the_command_and_nothing_is_timed(foreign: Project) -> None:
    foreign.append("variants/matrix.yaml", PEERS + FLOOR)
    foreign.write("src/bench/floor_pool.c", "no C\n")
    run = foreign.scons("peers", "rounds=1")
    assert run.status != 0
    assert "src/bench/floor_pool.c" in run.stderr
    assert not foreign.path("build/report/peers.json").exists()


def test_the_floor_of_this_project_runs_every_load(project: Project) -> None:
    short = re.sub(r"--ops, \d+", "--ops, 20000", project.read("variants/matrix.yaml"))
    project.write("variants/matrix.yaml", short)
    run = project.build("peers", "variant=phase2", "rounds=1")
    assert "floor: reference, no malloc to use" in run.stdout
    for load in json.loads(project.read("build/report/peers.json"))["loads"].values():
        assert len(load["figures"]["floor"]["samples"]) == 1
        assert load["best"] != "floor"
        assert load["against_floor"]["phase2"]["low"] > 0


def test_a_project_without_peers_and_a_debug_build_are_reported_so(foreign: Project) -> None:
    run = foreign.scons("peers")
    assert run.status == 2
    assert "this project's variants/matrix.yaml names no 'peers'" in run.stderr
    foreign.append("variants/matrix.yaml", PEERS)
    run = foreign.scons("peers", "mode=debug")
    assert run.status == 2
    assert "peers times native release builds, one a variant" in run.stderr
