"""Evidence `layers`: the counts are checked before a figure is computed from them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from layermatrix.core import process
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import layers
from layermatrix.evidence.kind import Status

NONE = [0, 0]
MOVES = {"refill": NONE, "top_up": NONE, "spill": NONE, "drain": NONE}
# Two classes, of 16 and 32 bytes. The cache had 10 requests and served 6; a refill served the others.
COUNTS: dict[str, Any] = {
    "variant": "toy",
    "classes": [16, 32],
    "threads": {"ended": 1, "running": 0},
    "requests": [0, 10],
    "unserved": [0, 0],
    "frees": [0, 9],
    "layers": {
        "stack": {
            "entries": [0, 10], "hits": [0, 6], "misses": [0, 4],
            "offered": [0, 9], "accepted": [0, 8], "refused": [0, 1],
            "in": {**MOVES, "top_up": [0, 3]}, "out": {**MOVES, "spill": [0, 2]},
            "held": [0, 3], "peak": [0, 5],
        },
        "refill": {
            "entries": [0, 4], "hits": [0, 4], "misses": NONE,
            "offered": NONE, "accepted": NONE, "refused": NONE,
            "in": {**MOVES, "refill": [0, 4]}, "out": MOVES, "held": NONE, "peak": NONE,
        },
    },
}  # fmt: skip
CALLGRIND = "ob=/b/shipped.so\nfl=gen/toy.h\n1 100\n2 20\n3 7\nfl=toy.c\n1 3\n"
COMMAND = ["bench", "--ops", "20"]


def owner(file: str, line: int) -> str | None:
    return {1: "stack", 2: "refill", 3: "frame"}[line] if file.endswith("toy.h") else None


SUBJECT = layers.Subject(
    layers=["stack", "refill"],
    classes={"C1": 16, "C2": 32},
    counting=Path("/b/counting.so"),
    variable="TOY_COUNTS",
    shipped=Path("/b/shipped.so"),
    owner=owner,
)


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    counts = copy.deepcopy(COUNTS)
    change(counts)
    return counts


def fake(counts: object, status: int = 0) -> process.Run:
    """The benchmark, alone and under valgrind. counts: the counts that it writes; with None, it writes
    none."""

    def run(command: Sequence[str], **how: Any) -> process.Finished:
        environment = how["environment"]
        library = Path(environment["LD_PRELOAD"]).readlink()
        message = json.dumps({"library": environment["LD_PRELOAD"]}).encode()
        if command[0] == "valgrind":
            assert library == Path("/b/shipped.so")
            assert "TOY_COUNTS" not in environment
            (out,) = (word.partition("=")[2] for word in command if word.startswith("--callgrind-out"))
            Path(out).write_text(CALLGRIND, encoding="utf-8")
            return process.Finished(tuple(command), 0, message, b"", 0.1)
        assert library == Path("/b/counting.so")
        if counts is not None:
            Path(environment["TOY_COUNTS"]).write_text(json.dumps(counts), encoding="utf-8")
        return process.Finished(tuple(command), status, message, b"toy: stats: no\n" if status else b"", 0.1)

    return run


def measured(counts: object, status: int = 0, valgrind: str | None = "valgrind") -> layers.Layers:
    return layers.measure({"mixed": COMMAND}, SUBJECT, valgrind, run=fake(counts, status))


def test_each_layer_has_its_figures_of_the_load() -> None:
    record = measured(COUNTS)
    assert [result.status for result in record.programs] == [Status.PASSED]
    load = record.loads["mixed"]
    assert (load.requests, load.frees, load.unserved) == (10, 9, 0)
    stack = load.layers["stack"]
    assert (stack.hit_rate, stack.share, stack.kept_rate) == (0.6, 0.6, round(8 / 9, 6))
    assert (stack.topped_up, stack.spilled, stack.refilled) == (3, 2, 0)
    assert (stack.held_bytes, stack.peak_bytes) == (96, 160)
    assert list(stack.classes) == ["C2"]
    assert load.layers["refill"].kept_rate is None, "no layer offered it a block"


def test_instructions_are_those_of_a_request_by_owner_of_the_line() -> None:
    costs = measured(COUNTS).loads["mixed"].instructions
    assert isinstance(costs, layers.Instructions)
    assert costs.layers == {"stack": 10.0, "refill": 2.0}
    assert (costs.frame, costs.elsewhere, costs.total) == (0.7, 0.3, 13.0)


def test_without_valgrind_the_counts_are_there_and_the_instructions_have_a_reason() -> None:
    load = measured(COUNTS, valgrind=None).loads["mixed"]
    assert load.layers["stack"].hits == 6
    assert load.instructions == NotMeasured("valgrind is not installed (Debian: valgrind)")


def stack(counts: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = counts["layers"]["stack"]
    return found


WHERE = "do not add up: stack, blocks of 32 bytes"


@pytest.mark.parametrize(
    ("counts", "what"),
    [
        (None, "wrote no counts to the file that TOY_COUNTS names"),
        (changed(lambda c: stack(c).update(misses=[0, 3])), f"{WHERE}: 6 hits + 3 passed on are not 10"),
        (changed(lambda c: stack(c).update(refused=[0, 2])), f"{WHERE}: 8 accepted + 2 passed on are not 9"),
        (changed(lambda c: stack(c).update(held=[0, 4])), f"{WHERE}: 11 in - 8 out are not 4 held"),
        (changed(lambda c: c.update(requests=[0, 11])), "blocks of 32 bytes: 11 requests, 10 answers"),
        (changed(lambda c: stack(c).pop("hits")), "incomplete: KeyError: 'hits'"),
        (changed(lambda c: stack(c).update(hits=[6])), "some class has no whole number"),
        (changed(lambda c: c.update(frees=[0, 9.5])), "some class has no whole number"),
        (changed(lambda c: c.update(classes=[16, 64])), "other layers or classes than the variant has"),
        (changed(lambda c: c["layers"].update(more={})), "other layers or classes than the variant has"),
        ([1, 2], "incomplete: AssertionError"),
    ],
)  # fmt: skip
def test_counts_that_cannot_be_trusted_fail_the_load(counts: object, what: str) -> None:
    record = measured(counts)
    (result,) = record.programs
    assert result.status is Status.FAILED
    assert what in str(result.reason)
    assert record.loads == {}


def test_a_library_that_ends_the_program_fails_the_load_with_its_line() -> None:
    (result,) = measured(COUNTS, status=-6).programs
    assert result.reason == "killed by SIGABRT: toy: stats: no"
    assert result.command == "bench --ops 20"
