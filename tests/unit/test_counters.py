"""Evidence `counters`: slopes, the benchmark's own share, and the reasons when nothing was counted."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from layermatrix.core import process
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import counters
from layermatrix.evidence.counters import CountedLoad, Counters, Hardware
from layermatrix.evidence.taking import counters as taking
from layermatrix.evidence.taking.counters import Load, Tools
from layermatrix.evidence.tools.cachegrind import EVENTS, CacheModel

CACHE = CacheModel(I1=(32768, 8, 64), D1=(32768, 8, 64), LL=(8388608, 16, 64))
BOTH = Tools("valgrind", "perf")
NAMES = "Ir I1mr ILmr Dr D1mr DLmr Dw D1mw DLmw Bc Bcm Bi Bim"

# Each operation calls free once, so that its cost is the library's cost.
PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int count, char **words) {
    long ops = 0;
    for (int i = 1; i < count; i++)
        if (!strcmp(words[i], "--ops")) ops = atol(words[++i]);
    for (long i = 0; i < ops; i++) free(0);
    printf("{\"ops\": %ld}\n", ops);
}
"""
LIBRARY = "void free(void *block) { (void)block; %s }\n"


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a program and two libraries. free executes ten nops in ten.so, and only returns in
    empty.so."""
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("neither gcc nor clang is installed")
    folder = tmp_path_factory.mktemp("counters")
    nops = '__asm__ volatile("' + ";".join(["nop"] * 10) + '");'
    for name, text, flags in (
        ("program", PROGRAM, ()),
        ("ten.so", LIBRARY % nops, ("-shared", "-fPIC")),
        ("empty.so", LIBRARY % "", ("-shared", "-fPIC")),
    ):
        source = folder / f"{name}.c"
        source.write_text(text, encoding="utf-8")
        command = [compiler, "-O1", "-fno-builtin", *flags, str(source), "-o", str(folder / name)]
        subprocess.run(command, check=True, timeout=60)
    return folder


@pytest.fixture
def load(compiled: Path) -> Load:
    return counters.load_of("mixed", (str(compiled / "program"), "--ops", "400", "--min", "16"))


class Machine:
    """Replaces `process.run`: valgrind, perf and the other tools. A run costs 5000 instructions, plus 7 per
    operation in `main`, plus 40 per operation with the library or 3 with the empty one."""

    def __init__(self, answer: str = '{{"ops": {ops}}}', status: int = 0, perf_status: int = 0) -> None:
        self.answer, self.status, self.perf_status = answer, status, perf_status
        self.commands: list[list[str]] = []

    def __call__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        timeout: float,
        folder: Path | None = None,
    ) -> process.Finished:
        if "--list" in command:  # the loader runs a program that does not name the object it used
            return self._printing(command, f"\t{environment['LD_PRELOAD']} (0x7f00)")
        if "--version" in command:
            return self._printing(command, "valgrind-9.9.9")
        if "--ops" not in command:  # the check whether setarch or taskset works
            return self._printing(command, "", 1)
        self.commands.append(list(command))
        ops = int(command[list(command).index("--ops") + 1])
        if command[0] == "perf":
            return self._perf(command, ops)
        assert folder is not None
        library = folder / "library.so"
        more = 0 if not library.is_symlink() else 3 if library.readlink().name == "empty.so" else 40
        (folder / "out").write_text(
            f"events: {NAMES}\nfn=main\n1 {7 * ops} 0 0 0 {ops // 4}\nfn=free\n1 {more * ops}\n"
            f"summary: {5000 + (7 + more) * ops} 9 9 1 {ops // 2} 9 1 8 9 {ops} 1 2 3\n",
            encoding="utf-8",
        )
        return self._printing(command, self.answer.format(ops=ops), self.status)

    def _perf(self, command: Sequence[str], ops: int) -> process.Finished:
        if self.perf_status == 0:
            lines = (
                f"{900 + 50 * ops},,instructions:u",
                f"{ops},,L1-dcache-load-misses:u",
                "7,,branch-misses:u",
            )
            Path(command[command.index("-o") + 1]).write_text("\n".join(lines), encoding="utf-8")
        return self._printing(command, self.answer.format(ops=ops), self.perf_status)

    @staticmethod
    def _printing(command: Sequence[str], line: str, status: int = 0) -> process.Finished:
        return process.Finished(tuple(command), status, line.encode(), b"", 1.0)


def counted(load: Load, machine: Machine, compiled: Path, tools: Tools = BOTH) -> Counters:
    record = measure(load, machine, compiled, tools)
    assert isinstance(record, Counters)
    return record


def measure(load: Load, machine: Machine, compiled: Path, tools: Tools = BOTH) -> Counters | NotMeasured:
    return taking.measure([load], compiled / "ten.so", compiled / "empty.so", CACHE, tools, run=machine)


def test_start_and_own_share_of_the_benchmark_are_taken_off(load: Load, compiled: Path) -> None:
    record = counted(load, Machine(), compiled)
    assert record.tool == "valgrind-9.9.9 cachegrind"
    assert record.cache == {"I1": (32768, 8, 64), "D1": (32768, 8, 64), "LL": (8388608, 16, 64)}
    assert record.conditions[0].startswith("addresses randomised")
    mixed = record.loads["mixed"]
    assert isinstance(mixed, CountedLoad)
    assert (mixed.ops, mixed.args) == (400, load.digest)
    zero = dict.fromkeys(EVENTS, 0)
    assert mixed.raw == {**zero, "instructions": 47, "d1_misses": 0.5, "branches": 1}
    assert mixed.own_share == {**zero, "instructions": 7, "d1_misses": 0.25}
    assert mixed.per_op == {**zero, "instructions": 40, "d1_misses": 0.25, "branches": 1}


def test_four_runs_are_made_all_and_a_quarter_of_the_operations(load: Load, compiled: Path) -> None:
    machine = Machine()
    measure(load, machine, compiled, Tools("valgrind", None))
    programs = [command[command.index("./program") :] for command in machine.commands]
    assert programs == [["./program", "--ops", str(ops), "--min", "16"] for ops in (400, 100, 400, 100)]


def test_without_valgrind_nothing_is_measured(load: Load, compiled: Path) -> None:
    record = measure(load, Machine(), compiled, Tools(None, "perf"))
    assert record == NotMeasured("valgrind is not installed (Debian: valgrind)")


def test_the_digest_is_that_of_program_and_arguments_wherever_the_program_lies(load: Load) -> None:
    assert replace(load, command=("/elsewhere/program", *load.command[1:])).digest == load.digest
    assert replace(load, command=(*load.command[:-1], "17")).digest != load.digest
    assert replace(load, command=("/elsewhere/other", *load.command[1:])).digest != load.digest


def test_what_the_machine_itself_counts_stands_beside(load: Load, compiled: Path) -> None:
    events = {"instructions": 50, "l1d_load_misses": 1, "mispredicted": 0}
    assert counted(load, Machine(), compiled).hardware == Hardware({"mixed": events})


@pytest.mark.parametrize(
    ("tools", "perf_status", "reason"),
    [
        (Tools("valgrind", None), 0, "perf is not installed"),
        (BOTH, 255, "perf: exit status 255"),
    ],
)
def test_a_machine_that_counts_nothing_gives_the_reason(
    load: Load, compiled: Path, tools: Tools, perf_status: int, reason: str
) -> None:
    record = counted(load, Machine(perf_status=perf_status), compiled, tools)
    assert record.hardware == NotMeasured(reason)


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        (Machine(status=1, answer="no memory"), "exit status 1: no memory"),
        (Machine(status=-11, answer=""), "killed by SIGSEGV"),
        (Machine(answer="done"), "its last line is not a JSON object: 'done'"),
        (Machine(answer='{{"ops": "400"}}'), "its JSON line has no whole number 'ops'"),
        (Machine(answer='{{"ops": 9}}'), "it did 9 of 400 operations, but 9 of a quarter of them"),
    ],
)
def test_a_run_that_gives_no_count_is_a_reason(
    load: Load, compiled: Path, machine: Machine, reason: str
) -> None:
    record = measure(load, machine, compiled)
    assert record == NotMeasured(f"mixed: {reason}")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "mixed: the command has no --ops followed by a number"),
        (("--ops",), "mixed: the command has no --ops followed by a number"),
        (("--ops", "3"), "mixed: --ops 3: expected 4 or more, so that a quarter is a number"),
        (("--ops", "many"), "mixed: --ops many: expected 4 or more, so that a quarter is a number"),
    ],
)
def test_a_command_whose_operations_cannot_be_set_is_a_reason(
    load: Load, compiled: Path, words: tuple[str, ...], reason: str
) -> None:
    record = measure(replace(load, command=(load.command[0], *words)), Machine(), compiled)
    assert record == NotMeasured(reason)


def test_a_program_whose_functions_are_unknown_is_a_reason(
    load: Load, compiled: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    strip = shutil.which("strip") or shutil.which("llvm-strip")
    if strip is None:
        pytest.skip("strip is not installed")
    subprocess.run([strip, "-o", str(bare), load.command[0]], check=True, timeout=60)
    stripped = counters.load_of("mixed", (str(bare), *load.command[1:]))
    record = measure(stripped, Machine(), compiled)
    assert record == NotMeasured("mixed: bare has no symbols, so its own cost cannot be measured")


def test_a_load_that_fails_leaves_the_others_their_counts(load: Load, compiled: Path) -> None:
    bad = Load("bad", (load.command[0], "--ops", "1"))
    record = taking.measure([bad, load], None, compiled / "empty.so", CACHE, BOTH, run=Machine())
    assert isinstance(record, Counters)
    bad_load, mixed = record.loads["bad"], record.loads["mixed"]
    assert isinstance(bad_load, NotMeasured)
    assert bad_load.reason.startswith("bad: --ops 1: expected 4 or more")
    assert isinstance(mixed, CountedLoad)


def test_no_loads_are_not_measured(compiled: Path) -> None:
    record = taking.measure([], None, compiled / "empty.so", CACHE, BOTH, run=Machine())
    assert record == NotMeasured("no load is counted")


def test_valgrind_itself_counts_ten_instructions_of_the_library_as_ten(load: Load, compiled: Path) -> None:
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        pytest.skip("valgrind is not installed")
    command = (load.command[0], "--ops", "4000")
    tools = Tools(valgrind, None)

    def mixed(library: str) -> CountedLoad:
        chosen = replace(load, command=command)
        record = taking.measure([chosen], compiled / library, compiled / "empty.so", CACHE, tools)
        assert isinstance(record, Counters), record
        assert record.tool.startswith("valgrind-")
        found = record.loads["mixed"]
        assert isinstance(found, CountedLoad)
        return found

    ten, empty = mixed("ten.so"), mixed("empty.so")
    # printing and reading a longer number costs a few instructions, spread over 3000 operations
    assert ten.per_op["instructions"] - empty.per_op["instructions"] == pytest.approx(10, abs=0.05)
    assert ten.own_share["instructions"] == pytest.approx(empty.own_share["instructions"], abs=0.05)
    assert 2 <= empty.own_share["instructions"] <= 8  # the loop and the call
    assert ten.per_op["d1_misses"] == pytest.approx(0, abs=0.01)
