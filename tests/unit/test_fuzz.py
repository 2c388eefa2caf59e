"""`fuzz`: the findings of a program that behaves like a libFuzzer program."""

from __future__ import annotations

from pathlib import Path

import pytest

from layermatrix.core.records import NotMeasured
from layermatrix.evidence import fuzz

SAYS = "echo '#4 NEW cov: 31 ft: 9' >&2; echo 'stat::number_of_executed_units: 1200' >&2"
FINDS = 'for word; do case $word in -artifact_prefix=*) echo x >"${word#*=}crash-1";; esac; done'


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    (tmp_path / "cell/fuzz/bin").mkdir(parents=True)
    return tmp_path / "cell"


def add_fuzzer(cell: Path, text: str) -> Path:
    program = cell / "fuzz/bin/fuzz_it"
    program.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def searches(record: fuzz.Fuzz | NotMeasured) -> tuple[fuzz.Search, ...]:
    assert isinstance(record, fuzz.Fuzz)
    return record.programs


def test_a_search_that_finds_nothing_reports_how_far_it_came(cell: Path) -> None:
    add_fuzzer(cell, SAYS)
    record = fuzz.run(cell, cell / "seeds", 3)
    assert fuzz.FORMAT.read(cell / "evidence/fuzz.json") == record
    (program,) = searches(record)
    assert (program.status, program.executions, program.reached) == (fuzz.Outcome.CLEAN, 1200, 31)
    assert not fuzz.has_findings(record)
    assert fuzz.lines("a-cell", record) == ["a-cell: fuzz_it: clean, 1,200 inputs in 3 s"]


def test_the_search_starts_from_what_is_known_and_from_the_seeds_and_ends_in_time(cell: Path) -> None:
    add_fuzzer(cell, f'echo "$*" >{cell}/output')
    fuzz.run(cell, Path("/seeds"), 7)
    words = (cell / "output").read_text().split()
    assert "-max_total_time=7" in words
    assert words[-2:] == [f"{cell}/fuzz/corpus/fuzz_it", "/seeds"]


def test_a_finding_is_reported_with_what_broke_and_the_command_that_shows_it(cell: Path) -> None:
    message = "bytes:3: t0 free b1: byte 0 has changed"
    program = add_fuzzer(cell, f"{SAYS}; {FINDS}; echo '{message}' >&2; exit 77")
    record = fuzz.run(cell, cell / "seeds", 3)
    assert fuzz.has_findings(record)
    finding = cell / "fuzz/findings/fuzz_it/crash-1"
    assert fuzz.lines("a-cell", record) == [
        "a-cell: fuzz_it: found, 1,200 inputs in 3 s",
        f"  {message}",
        f"  {program} {finding}",
    ]


def test_an_old_finding_is_not_taken_for_a_new_one(cell: Path) -> None:
    add_fuzzer(cell, f"{FINDS}; exit 77")
    assert len(searches(fuzz.run(cell, cell / "seeds", 3))[0].findings) == 1
    add_fuzzer(cell, SAYS)
    (program,) = searches(fuzz.run(cell, cell / "seeds", 3))
    assert (program.status, program.findings) == (fuzz.Outcome.CLEAN, ())


def test_the_sanitizers_summary_is_the_cause_where_the_program_printed_nothing(cell: Path) -> None:
    add_fuzzer(cell, "echo 'SUMMARY: AddressSanitizer: heap-buffer-overflow a.c:3' >&2; exit 1")
    (program,) = searches(fuzz.run(cell, cell / "seeds", 3))
    assert program.reason == "SUMMARY: AddressSanitizer: heap-buffer-overflow a.c:3"


def test_a_search_that_did_not_take_place_is_no_clean_one(cell: Path) -> None:
    record = fuzz.run(cell, cell / "seeds", 3)
    assert fuzz.has_findings(record)
    assert fuzz.lines("a-cell", record) == ["a-cell: not run: this cell has no fuzzer"]
