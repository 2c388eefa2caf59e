"""Timed beside other libraries: who is found, who is left out and why; the record and the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import toy_specs

from layermatrix import peers
from layermatrix.model import load_project
from layermatrix.parts import Load, Peer, Peers
from layermatrix.report import table

Record = dict[str, Any]

LOAD = Load("swap", "swaps", "bench_swap", ("--ops", "10"), ())
FAST = Peer("fast", "libfast.so.1", "libfast1")
GONE = Peer("gone", "libgone.so.2", "libgone2")
TWO = Peers(("mine",), {"fast": FAST, "gone": GONE}, {"swap": LOAD})


def test_a_peer_is_found_where_the_loader_has_it_and_nowhere_else(tmp_path: Path) -> None:
    library = tmp_path / "libfast.so.1"
    library.write_bytes(b"")
    listing = (
        f"2 libs found\n\tlibfast.so.10 (libc6) => /nowhere\n\tlibfast.so.1 (libc6,x86-64) => {library}\n"
    )
    assert peers.find(FAST, listing) == library
    assert peers.find(GONE, listing) is None
    library.unlink()  # a cache that is out of date
    assert peers.find(FAST, listing) is None


def series(**speeds: list[float]) -> dict[str, Record]:
    return {
        name.replace("_", " "): {"rounds": len(found), "loads": {"swap": load(found)}}
        for name, found in speeds.items()
    }


def load(speeds: list[float]) -> Record:
    ordered = sorted(speeds)
    middle = ordered[len(ordered) // 2]
    return {"samples": speeds, "median": middle, "low": ordered[0], "high": ordered[-1], "peak_kib": 1000}


def test_each_of_ours_is_set_beside_the_best_of_the_others_of_each_load() -> None:
    timed = series(system_malloc=[10.0] * 6, fast=[20.0] * 6, mine=[25.0] * 6)
    found = peers.record_of(TWO, "system malloc", ["fast"], ["mine"], timed, {"gone": "is not installed"})
    swap = found["loads"]["swap"]
    assert swap["best"] == "fast"
    assert swap["against_best"]["mine"]["median"] == pytest.approx(1.25)
    assert swap["command"] == "bench_swap --ops 10"


def test_the_table_shows_everyone_and_says_who_was_not_there() -> None:
    timed = series(system_malloc=[10.0] * 6, fast=[20.0] * 6, mine=[25.0] * 6)
    found = peers.record_of(TWO, "system malloc", ["fast"], ["mine"], timed, {"gone": "it is not installed"})
    shown = table.peers_table(found)
    assert [column.head for column in shown.columns] == ["load", "system malloc", "fast", "mine", "mine to"]
    speeds, peaks = shown.rows
    assert [figure.text for figure in speeds] == ["swap", "10.0", "20.0", "25.0", "1.25x"]
    assert [figure.text for figure in peaks[1:4]] == ["1,000"] * 3
    assert "gone: not measured: it is not installed" in shown.notes


def test_a_load_that_nobody_could_run_has_no_best() -> None:
    broken = {"status": "not measured", "reason": "it crashed", "unit": "Mops/s"}
    timed = {name: {"loads": {"swap": broken}, "rounds": 1} for name in ("system malloc", "mine")}
    found = peers.record_of(TWO, "system malloc", [], ["mine"], timed, {})
    assert found["loads"]["swap"]["best"] is None
    assert table.peers_table(found).reasons() == ["it crashed"]


def test_where_nothing_was_timed_the_reason_names_the_command(tmp_path: Path) -> None:
    assert "./sconsw peers" in peers.load(tmp_path)["reason"]


PEERS = """
peers:
  variants: [base]
  libraries: {{fast: {{file: {file}, package: libfast1}}}}
  loads: {{swap: {{doc: Swaps., program: bench, args: [--ops, 10]}}}}
"""


def test_the_spec_says_who_the_peers_are(project: Any) -> None:
    root = project(matrix=toy_specs.MATRIX + PEERS.format(file="libfast.so.1"))
    found = load_project(root).matrix.peers
    assert found == Peers(
        ("base",), {"fast": FAST}, {"swap": Load("swap", "Swaps.", "bench", ("--ops", "10"), ())}
    )


def test_a_file_that_is_no_shared_library_is_a_mistake(mistakes: Any) -> None:
    (said,) = mistakes(matrix=toy_specs.MATRIX + PEERS.format(file="/lib/libfast.a"))
    assert "'file' must be the name of a shared library, such as libm.so.6, not '/lib/libfast.a'" in said


def test_a_variant_that_there_is_not_is_a_mistake(mistakes: Any) -> None:
    text = toy_specs.MATRIX + PEERS.format(file="libfast.so.1").replace("[base]", "[bsae]")
    (said,) = mistakes(matrix=text)
    assert said.endswith("error: unknown variant 'bsae'; did you mean 'base'?")
