"""The job `peers`: variants timed against other libraries."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.scons.conftest import Project

PEERS = """
peers:
  variants: [small]
  libraries:
    mathematics: {file: libm.so.6, package: libc6}
    absent: {file: libabsent.so.1, package: libabsent1}
  loads:
    churn: {doc: a loop that counts, program: bench_churn, args: [--ops, 1000]}
"""
GROUPS = """
peers:
  variants: [small]
  libraries:
    mathematics: {file: libm.so.6, package: libc6}
    wheel: {file: prefix/lib/libwheel.so.1, found_in: python, package: wheel-of-it}
    guarded: {file: libguarded.so, found_in: clang, package: libguarded-dev, variants: [apart]}
  groups:
    quick: {doc: loops that count a little}
    slow: {doc: loops that count more, parallel: on}
  default: [quick]
  rounds: 1
  quiet: [--after-ms, 5]
  quiet_seconds: 0.005
  loads:
    churn: {doc: a loop that counts, program: bench_churn, args: [--ops, 1000], group: quick, seconds: 0.1}
    churn_more: {doc: a longer one, program: bench_churn, args: [--ops, 2000], group: slow, seconds: 0.1}
"""
# Prints the object that it used. If there is no pool, that is the C library.
BENCH = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int main(int count, char **words)
{
    void *take = dlsym(RTLD_DEFAULT, "pool_take");
    Dl_info used = {0};
    dladdr(take != NULL ? take : (void *)strcmp, &used);
    printf("{\"ops\":%s,\"seconds\":%s,\"cpu_seconds\":0.001,\"peak_kib\":%d", words[2],
           strstr(used.dli_fname, "fake") ? "0.001" : "0.002", take != NULL ? 200 : 100);
    if (count > 3 && strcmp(words[3], "--after-ms") == 0) printf(",\"after_kib\":50");
    printf(",\"library\":\"%s\"}\n", used.dli_fname);
    return 0;
}
"""
FLOOR = "  floor: {source: src/bench/floor_pool.c, doc: a pool of one buffer without locks}\n"


def test_a_variant_is_timed_beside_the_libraries_that_are_there(foreign: Project) -> None:
    foreign.append("variants/matrix.yaml", PEERS)
    foreign.write("README.md", "# Pool\n\n<!-- generated: peers -->\n<!-- end -->\n")
    run = foreign.build("peers", "rounds=2", "--accept")
    message = " ".join(run.stdout.split())
    assert "Compared with other libraries, 2 rounds in turn" in message
    assert "absent: not measured: libabsent.so.1 is not installed (Debian: libabsent1)" in message
    found = json.loads(foreign.read("build/report/peers.json"))
    assert (found["baseline"], found["rivals"], found["own"]) == ("no pool", ["mathematics"], ["small"])
    figures = found["loads"]["churn"]["figures"]
    assert {name: len(figures[name]["samples"]) for name in figures} == {
        "no pool": 2,
        "mathematics": 2,
        "small": 2,
    }
    assert found["loads"]["churn"]["against_best"]["small"]["median"] > 0
    for file in ("docs/peers.results.json", "README.md", "docs/peers.svg"):
        assert f"accepted: {file}" in run.stdout
    readme = foreign.read("README.md")
    assert "| loads | no pool | mathematics | small |" in readme
    assert "peers rounds=2` on 20" in readme


@pytest.fixture
def grouped(foreign: Project) -> Project:
    """The project with loads in groups, and build/libfake.so, a pool that is twice as fast."""
    foreign.append("variants/matrix.yaml", GROUPS)
    foreign.write("src/bench/bench_churn.c", BENCH)
    foreign.compile("src/bench/null_pool.c", "build/libfake.so", "-shared", "-fPIC", "-Isrc")
    return foreign


def test_any_library_is_a_peer_and_only_one_that_was_used_has_figures(grouped: Project) -> None:
    run = grouped.build("peers", "peer=fake:build/libfake.so")
    message = " ".join(run.stdout.split())
    names = "no pool, mathematics, fake, small"
    assert f"peers: time 1 load in 1 round, with {names}; about 1 s, by the loads' 'seconds'" in message
    assert "wheel: not measured: prefix/lib/libwheel.so.1 is not installed (PyPI: wheel-of-it)" in message
    assert "guarded" not in message
    found = json.loads(grouped.read("build/report/peers.json"))
    assert (found["version"], found["rivals"]) == (4, ["mathematics", "fake"])
    churn = found["loads"]["churn"]
    assert "libc.so.6 instead of " in churn["figures"]["mathematics"]["reason"]
    assert (churn["best"], churn["shares"]) == ("fake", {"no pool": 0.5, "fake": 1.0, "small": 0.5})
    fake = churn["figures"]["fake"]
    assert (fake["cpu_ns"], fake["peak_kib"], fake["after_kib"]) == (1000.0, 200, 50)
    standing = found["summaries"]["quick"]["standings"]["small"]
    assert (standing["loads"], standing["worst"]) == (1, ["churn"])
    assert standing["speed"] == pytest.approx(0.5)
    assert standing["peak"] == pytest.approx(2.0)
    assert standing["after"] == pytest.approx(1.0)
    assert "small, worst loads: churn 0.50 of fake" in message


def test_loads_and_libraries_are_named_by_group_and_pattern(grouped: Project) -> None:
    grouped.build("peers", "loads=slow,ch*", "libraries=g*")
    found = json.loads(grouped.read("build/report/peers.json"))
    assert list(found["loads"]) == ["churn", "churn_more"]
    assert list(found["summaries"]) == ["quick", "slow", "all"]
    assert list(found["missing"]) == ["guarded"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("loads=chrun", "loads=chrun: unknown load 'chrun'; did you mean 'churn'?"),
        ("libraries=weel", "libraries=weel: unknown library 'weel'; did you mean 'wheel'?"),
        ("peer=small:build/libfake.so", "'small' is the name of another that is timed"),
    ],
)
def test_a_word_that_names_nothing_is_refused_before_anything_is_built(
    grouped: Project, word: str, message: str
) -> None:
    run = grouped.scons("peers", word)
    assert run.status == 2
    assert message in run.stderr
    assert not grouped.path("build/baseline").exists()


def test_the_floor_is_built_and_shown_beside_the_peers_and_is_none_of_them(foreign: Project) -> None:
    foreign.append("variants/matrix.yaml", PEERS + FLOOR)
    foreign.write("src/bench/floor_pool.c", foreign.read("src/bench/null_pool.c"))
    run = foreign.build("peers", "rounds=1")
    message = " ".join(run.stdout.split())
    assert "M/s, reference" in message
    assert "floor: a pool of one buffer without locks (src/bench/floor_pool.c)" in message
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


def test_the_floor_of_this_project_runs_its_loads(project: Project) -> None:
    short = re.sub(r"--ops, \w+", "--ops, 20000", project.read("variants/matrix.yaml"))
    project.write("variants/matrix.yaml", short.replace("[--after-ms, 1000]", "[--after-ms, 10]"))
    run = project.build(
        "peers", "variant=phase2", "rounds=1", "libraries=floor", "loads=small,larson*,phases"
    )
    assert "floor: a reference, not a usable malloc" in run.stdout
    loads = json.loads(project.read("build/report/peers.json"))["loads"]
    assert "floor" not in loads.pop("phases")["figures"]
    assert len(loads) > 10
    for load in loads.values():
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
    assert "peers times one native release build of each variant" in run.stderr
