"""`evidence.determinism`: what two runs of the same cell repeat, and nothing else."""

from __future__ import annotations

from dataclasses import fields

import pytest

from layermatrix.evidence import registry
from layermatrix.evidence.determinism import EXACT, VARYING, canonical

CHECK = {"name": "test_a", "status": "passed", "reason": None, "log": "1.5 s", "command": "a", "seconds": 1.5}


@pytest.mark.parametrize("kind", ["tests", "runs", "programs"])
def test_of_a_check_its_seconds_and_its_log_are_left_out(kind: str) -> None:
    record = {"kind": kind, "version": 1, "programs": [CHECK]}
    left = {"name": "test_a", "status": "passed", "reason": None, "command": "a"}
    assert canonical(record) == {**record, "programs": [left]}
    assert record["programs"] == [CHECK]  # the record itself has not changed


def test_of_counts_those_are_left_that_every_run_repeats() -> None:
    counts = dict.fromkeys((*EXACT, "d1_misses"), 1.0)
    load = {"ops": 5, "args": "a", "per_op": counts, "own_share": {}, "raw": counts, "repeats": True}
    exact = dict.fromkeys(EXACT, 1.0)
    both = {"loop": load, "threads": {**load, "repeats": False}}
    record = {"kind": "counters", "hardware": {"loads": {}}, "loads": both}
    loads = canonical(record)["loads"]
    assert loads["loop"] == {**load, "per_op": exact, "raw": exact}
    assert loads["threads"] == {**load, "per_op": {}, "raw": {}, "repeats": False}
    assert "hardware" not in canonical(record)


def test_what_was_not_measured_keeps_its_reason() -> None:
    record = {"kind": "counters", "status": "not measured", "reason": "valgrind is not installed"}
    assert canonical(record) == record


def test_what_is_read_from_code_is_the_same_everywhere() -> None:
    record = {"kind": "asm", "version": 3, "entries": {"alloc": {"seconds": 1}}}
    assert canonical(record) == record


def test_the_table_names_fields_that_the_records_have() -> None:
    kinds = {kind.name: kind.record for kind in registry.KINDS}
    for kind in VARYING.keys() & kinds.keys():
        names = {field.name for field in fields(kinds[kind])}
        assert {place[0] for place in VARYING[kind]} <= names, kind
