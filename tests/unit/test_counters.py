"""Counts of valgrind: what is run, what is taken off, and what is said where there are none."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from layermatrix import process, records
from layermatrix.evidence import counters
from layermatrix.evidence.counters import CacheModel, Load

CACHE = CacheModel(I1=(32768, 8, 64), D1=(32768, 8, 64), LL=(8388608, 16, 64))
LOAD = Load("mixed", ("bench", "--ops", "400", "--min", "16"))

OUT = """\
desc: I1 cache:         32768 B, 64 B, 8-way associative
cmd: bench --ops 400
events: Ir I1mr ILmr Dr D1mr DLmr Dw D1mw DLmw
fl=x.c
fn=main
3 1 0 0 1 1 0 1 0 0
summary: 1000 20 3 400 50 6 300 70 8
"""

# Stands for valgrind and the benchmark: 5000 instructions of a start, 7 an operation of the loop, 40 more
# when it is not dry, and 60 more with a library preloaded.
FAKE = f"""#!{sys.executable}
import json, os, sys
if sys.argv[1:] == ["--version"]:
    print("valgrind-9.9.9")
    sys.exit(0)
options = dict(option.split("=", 1) for option in sys.argv[1:] if "=" in option)
assert options["--tool"] == "cachegrind" and options["--cache-sim"] == "yes", options
assert options["--I1"] == options["--D1"] == "32768,8,64" and options["--LL"] == "8388608,16,64", options
ops = int(sys.argv[sys.argv.index("--ops") + 1])
cost = 7 if "--dry" in sys.argv else 107 if os.environ.get("LD_PRELOAD") else 47
with open(options["--cachegrind-out-file"].replace("%%", "%"), "w") as out:
    print("events: Ir I1mr ILmr Dr D1mr DLmr Dw D1mw DLmw", file=out)
    print("summary:", 5000 + cost * ops, 10 + ops // 4, 9, 1, cost * ops // 2, 9, 1, 8, 9, file=out)
print("warming up")
print(json.dumps({{"bench": "mixed", "ops": ops, "mops": 1.0}}))
"""


@pytest.fixture
def fake(tmp_path: Path) -> str:
    path = tmp_path / "valgrind"
    path.write_text(FAKE, encoding="utf-8")
    path.chmod(0o755)
    return str(path)


class Valgrind:
    """Stands for `process.run`: writes OUT with these sums, one run after the other."""

    def __init__(self, *finished: process.Finished, out: str = OUT) -> None:
        self.finished = list(finished)
        self.out = out
        self.commands: list[list[str]] = []

    def __call__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        timeout: float,
        folder: Path | None = None,
    ) -> process.Finished:
        self.commands.append(list(command))
        for option in command:
            if option.startswith("--cachegrind-out-file=") and self.out:
                Path(option.partition("=")[2]).write_text(self.out, encoding="utf-8")
        return self.finished.pop(0)


def said(line: str, status: int = 0, stderr: str = "") -> process.Finished:
    return process.Finished(("bench",), status, line.encode(), stderr.encode(), 1.0)


VERSION = said("valgrind-9.9.9")


def test_the_events_of_all_misses_are_summed_from_the_summary() -> None:
    assert counters.parse(OUT) == {"instructions": 1000, "i1_misses": 20, "d1_misses": 120, "ll_misses": 17}


@pytest.mark.parametrize(
    "out",
    ["", "events: Ir\n", OUT.replace(" 8\n", "\n"), OUT.replace("I1mr", "Bc"), OUT.replace(" 1000", " many")],
    ids=["empty", "no summary", "one number short", "no cache simulated", "no number"],
)
def test_a_file_without_the_sums_is_an_error(out: str) -> None:
    with pytest.raises(counters.CountersError, match="valgrind"):
        counters.parse(out)


def test_start_and_own_share_of_the_benchmark_are_taken_off(fake: str) -> None:
    record = counters.measure([LOAD], None, CACHE, fake)
    assert records.check(record, "counters") is record
    assert record["tool"] == "valgrind-9.9.9 cachegrind"
    assert record["cache"] == {"I1": [32768, 8, 64], "D1": [32768, 8, 64], "LL": [8388608, 16, 64]}
    assert record["loads"]["mixed"] == {
        "status": "measured",
        "ops": 400,
        "per_op": {"instructions": 40, "i1_misses": 0, "d1_misses": 20, "ll_misses": 0},
        "own_share": {"instructions": 7, "i1_misses": 0.25, "d1_misses": 3.5, "ll_misses": 0},
    }


def test_the_library_is_preloaded_in_the_real_runs_only(fake: str, tmp_path: Path) -> None:
    load = counters.measure([LOAD], tmp_path / "lib.so", CACHE, fake)["loads"]["mixed"]
    assert (load["per_op"]["instructions"], load["own_share"]["instructions"]) == (100, 7)


def test_four_runs_are_made_all_and_a_quarter_of_the_operations_real_and_dry() -> None:
    answers = [said('{"ops": 400}'), said('{"ops": 100}')] * 2
    valgrind = Valgrind(VERSION, *answers)
    assert records.is_measured(counters.measure([LOAD], None, CACHE, "valgrind", run=valgrind))
    programs = [command[command.index("bench") :] for command in valgrind.commands[1:]]
    assert programs == [
        ["bench", "--ops", "400", "--min", "16"],
        ["bench", "--ops", "100", "--min", "16"],
        ["bench", "--ops", "400", "--min", "16", "--dry"],
        ["bench", "--ops", "100", "--min", "16", "--dry"],
    ]


def test_a_folder_name_that_valgrind_would_expand_is_escaped(
    fake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "50%p"
    odd.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(odd))
    assert records.is_measured(counters.measure([LOAD], None, CACHE, fake))


def test_without_valgrind_nothing_is_measured() -> None:
    assert counters.measure([LOAD], None, CACHE, None) == records.not_measured(
        "counters", "valgrind is not installed"
    )


@pytest.mark.parametrize(
    ("first", "second", "out", "reason"),
    [
        (said("", 1, "no memory\n"), None, OUT, "exit status 1: no memory"),
        (said("", -11), None, OUT, "killed by SIGSEGV"),
        (said("done"), None, OUT, "its last line is no JSON object: 'done'"),
        (said('{"ops": "400"}'), None, OUT, "it does not say its number of operations as 'ops'"),
        (said('{"ops": 400}'), None, "", "valgrind wrote no counts"),
        (said('{"ops": 400}'), None, "events: Ir\n", "valgrind's file has no summary of its events"),
        (
            said('{"ops": 9}'),
            said('{"ops": 9}'),
            OUT,
            "asked for 400 operations it did 9, for a quarter of them 9",
        ),
    ],
)
def test_a_run_that_gives_no_count_is_a_reason(
    first: process.Finished, second: process.Finished | None, out: str, reason: str
) -> None:
    valgrind = Valgrind(VERSION, first, *([second] if second else []), out=out)
    record = counters.measure([LOAD], None, CACHE, "valgrind", run=valgrind)
    assert record == records.not_measured("counters", f"mixed: {reason}")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("bench",), "mixed: the command has no --ops with a number behind it"),
        (("bench", "--ops"), "mixed: the command has no --ops with a number behind it"),
        (("bench", "--ops", "3"), "mixed: --ops 3: a number from 4 is needed to take a quarter of it"),
        (("bench", "--ops", "many"), "mixed: --ops many: a number from 4 is needed to take a quarter of it"),
    ],
)
def test_a_command_whose_operations_cannot_be_set_is_a_reason(command: tuple[str, ...], reason: str) -> None:
    record = counters.measure([Load("mixed", command)], None, CACHE, "valgrind", run=Valgrind(VERSION))
    assert record["reason"] == reason


def test_a_load_that_fails_leaves_the_others_their_counts() -> None:
    answers = [said('{"ops": 400}'), said('{"ops": 100}')] * 2
    valgrind = Valgrind(VERSION, said("", 1), *answers)
    bad = Load("bad", ("bench", "--ops", "8"))
    record = counters.measure([bad, LOAD], None, CACHE, "valgrind", run=valgrind)
    assert record["status"] == "measured"
    assert record["loads"]["bad"] == {"status": "not measured", "reason": "bad: exit status 1"}
    assert record["loads"]["mixed"]["status"] == "measured"


def test_no_loads_are_not_measured() -> None:
    assert counters.measure([], None, CACHE, "v", run=Valgrind(VERSION))["reason"] == "no load is counted"


TEN_NOPS = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int count, char **words) {
    long ops = 0;
    int dry = 0;
    for (int i = 1; i < count; i++) {
        if (!strcmp(words[i], "--ops")) ops = atol(words[++i]);
        if (!strcmp(words[i], "--dry")) dry = 1;
    }
    if (dry)
        for (long i = 0; i < ops; i++) __asm__ volatile("");
    else
        for (long i = 0; i < ops; i++) __asm__ volatile("nop;nop;nop;nop;nop;nop;nop;nop;nop;nop");
    printf("{\"ops\": %ld}\n", ops);
}
"""


def test_valgrind_itself_counts_ten_instructions_an_operation_as_ten(tmp_path: Path) -> None:
    valgrind, compiler = counters.find_valgrind(), shutil.which("gcc") or shutil.which("clang")
    if valgrind is None:
        pytest.skip("valgrind is not installed")
    if compiler is None:
        pytest.skip("neither gcc nor clang is installed")
    source, program = tmp_path / "ten.c", tmp_path / "ten"
    source.write_text(TEN_NOPS, encoding="utf-8")
    subprocess.run([compiler, "-O1", str(source), "-o", str(program)], check=True, timeout=60)
    record = counters.measure([Load("ten", (str(program), "--ops", "4000"))], None, CACHE, valgrind)
    assert record["status"] == "measured", record["reason"]
    assert record["tool"].startswith("valgrind-")
    load = record["loads"]["ten"]
    # printing and reading a number of other length costs a few instructions, spread over 3000 operations
    assert load["per_op"]["instructions"] == pytest.approx(10, abs=0.1)
    assert load["own_share"]["instructions"] == pytest.approx(2.5, abs=1.5)
    assert load["per_op"]["d1_misses"] == pytest.approx(0, abs=0.01)
