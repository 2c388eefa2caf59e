"""Runs under Cachegrind: their fixed conditions, and the sums from the output file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from layermatrix.core import process
from layermatrix.evidence.tools import cachegrind
from layermatrix.evidence.tools.cachegrind import Cachegrind, CacheModel, CountersError
from layermatrix.model import measuring

CACHE = CacheModel(I1=(32768, 8, 64), D1=(32768, 8, 64), LL=(8388608, 16, 64))

OUT = """\
desc: I1 cache:         32768 B, 64 B, 8-way associative
cmd: ./program --ops 400
events: Ir I1mr ILmr Dr D1mr DLmr Dw D1mw DLmw Bc Bcm Bi Bim
fl=x.c
fn=main
3 1 0 0 1 1 0 1 0 0 2 1 1 0
4 10
fn=malloc
0 500 0 0 9 9 9 9 9 9 9 9 9 9
fl=y.h
fn=main
17 100 2 0 1 1 0 1 1 0 20 3 0 0
summary: 1000 20 3 400 50 6 300 70 8 90 12 10 5
"""
NAMES = ("instructions", "i1_misses", "d1_misses", "ll_misses", "branches", "mispredicted")


class Runs:
    """Replaces `process.run`: writes `out` as cachegrind would, and records its arguments."""

    def __init__(self, status: int = 0, stderr: bytes = b"", out: str | None = OUT) -> None:
        self.status, self.stderr, self.out = status, stderr, out
        self.commands: list[tuple[str, ...]] = []
        self.environments: list[dict[str, str]] = []
        self.links: dict[str, str] = {}

    def __call__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        timeout: float,
        folder: Path | None = None,
    ) -> process.Finished:
        self.commands.append(tuple(command))
        self.environments.append(dict(environment))
        if folder is not None:
            self.links = {path.name: os.fspath(path.readlink()) for path in folder.iterdir()}
            if self.out is not None:
                (folder / "out").write_text(self.out, encoding="utf-8")
        line = json.dumps({"ops": 400, "library": environment.get("LD_PRELOAD")}).encode()
        return process.Finished(tuple(command), self.status, line, self.stderr, 1.0)


def test_the_events_are_summed_of_the_whole_run_and_of_the_functions_requested() -> None:
    total, inside = cachegrind.parse(OUT, {"main", "other"})
    assert total == dict(zip(NAMES, (1000, 20, 120, 17, 100, 17), strict=True))
    assert inside == dict(zip(NAMES, (111, 2, 3, 0, 23, 4), strict=True))


def test_no_function_has_no_events() -> None:
    assert set(cachegrind.parse(OUT)[1].values()) == {0}


def test_the_spec_knows_the_same_figures() -> None:
    assert tuple(cachegrind.EVENTS) == measuring.METRICS == NAMES


@pytest.mark.parametrize(
    "out",
    [
        "",
        "events: Ir\n",
        OUT.replace(" 12 10 5", " 12"),
        OUT.replace("I1mr", "Xx"),
        OUT.replace(" 1000", " many"),
        OUT.replace("17 100", "17 some"),
    ],
    ids=["empty", "no summary", "numbers short", "no cache simulated", "no number", "a line without number"],
)
def test_a_file_without_the_sums_is_an_error(out: str) -> None:
    with pytest.raises(CountersError, match="valgrind"):
        cachegrind.parse(out, {"main"})


def test_names_and_environment_are_the_same_wherever_the_files_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME_OF_ANOTHER_USER", "long" * 50)
    runs = Runs()
    bench = Cachegrind("/usr/bin/valgrind", CACHE, runs, before=("taskset", "-c", "0"))
    counted = bench.count([str(tmp_path / "bench"), "--ops", "400"], tmp_path / "lib.so", {"main"})
    assert counted.events == cachegrind.parse(OUT, {"main"})
    assert json.loads(counted.stdout)["ops"] == 400
    (command,) = runs.commands
    assert command[:4] == ("taskset", "-c", "0", "/usr/bin/valgrind")
    assert command[-3:] == ("./program", "--ops", "400")
    assert {"--tool=cachegrind", "--branch-sim=yes", "--I1=32768,8,64", "--LL=8388608,16,64"} < set(command)
    assert runs.links == {"program": str(tmp_path / "bench"), "library.so": str(tmp_path / "lib.so")}
    (environment,) = runs.environments
    assert environment["LD_PRELOAD"] == "./library.so"
    assert environment.keys() <= {"PATH", "LC_ALL", "LD_PRELOAD", "LD_LIBRARY_PATH", "LAYERED_COUNTED"}
    assert environment["PATH"] == cachegrind.PATH


def test_without_a_library_none_is_preloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", "/another.so")
    runs = Runs()
    Cachegrind("valgrind", CACHE, runs).count(["/bench"], None, ())
    assert "LD_PRELOAD" not in runs.environments[0]
    assert list(runs.links) == ["program"]


@pytest.mark.parametrize(
    ("runs", "reason"),
    [
        (Runs(status=1, stderr=b"no memory\n"), "exit status 1: no memory"),
        (Runs(out=None), "valgrind wrote no counts"),
    ],
)
def test_a_run_without_counts_is_an_error(runs: Runs, reason: str) -> None:
    with pytest.raises(CountersError, match=reason):
        Cachegrind("valgrind", CACHE, runs).count(["/bench"], None, ())


def test_what_keeps_the_conditions_is_put_in_front() -> None:
    before, messages = cachegrind.steady(Runs())
    assert Path(before[0]).name == "setarch"
    assert (before[2], Path(before[3]).name, before[4]) == ("-R", "taskset", "-c")
    assert messages == ["addresses not randomised", "on one processor"]


def test_what_is_not_permitted_is_left_out_and_reported() -> None:
    before, messages = cachegrind.steady(Runs(status=1, stderr=b"setarch: not permitted\n"))
    assert before == ()
    assert messages[0] == "addresses randomised (exit status 1: setarch: not permitted)"
    assert messages[1].startswith("on any processor (exit status 1")


def test_runs_at_the_same_time_get_different_processors() -> None:
    ours = len(os.sched_getaffinity(0))
    processors = {cachegrind.steady(Runs())[0][-1] for _ in range(ours)}
    assert len(processors) == ours


def test_a_program_that_starts_threads_is_recognised() -> None:
    threads = OUT.replace("fn=main", "fn=pthread_create@@GLIBC_2.34\n1 1\nfn=main", 1)
    for out, expected in ((OUT, False), (threads, True)):
        counted = Cachegrind("valgrind", CACHE, Runs(out=out)).count(["/bench"], None, ())
        assert counted.threads is expected
