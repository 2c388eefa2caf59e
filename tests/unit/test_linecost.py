"""Instructions by line of a library, from callgrind's file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from layermatrix.core import process
from layermatrix.evidence.tools import linecost

OUT = """
# callgrind format
positions: line
events: Ir
ob=/usr/lib/libc.so.6
fl=malloc.c
fn=main
7 100
cob=/b/libtoy.so
cfn=malloc
calls=3 40
7 900
ob=/b/libtoy.so
fl=src/entry.c
fn=malloc
40 6
fi=gen/toy_gen.h
12 30
12 3
fe=src/entry.c
41 2
cfn=slow
calls=1 80
41 500
fn=slow
fl=src/slow.c
80 500
80
"""


def test_lines_have_what_is_executed_in_them_and_not_what_they_call() -> None:
    assert linecost.parse(OUT.splitlines(), "libtoy.so") == {
        ("src/entry.c", 40): 6,
        ("gen/toy_gen.h", 12): 33,
        ("src/entry.c", 41): 2,
        ("src/slow.c", 80): 500,
    }


def test_other_objects_are_not_counted() -> None:
    assert linecost.parse(OUT.splitlines(), "libc.so.6") == {("malloc.c", 7): 100}


def test_a_line_that_is_no_count_is_an_error() -> None:
    with pytest.raises(linecost.LineCostError, match="not a count: '12 many'"):
        linecost.parse(["ob=libtoy.so", "fl=a.c", "12 many"], "libtoy.so")


def fake(text: str | None, status: int = 0) -> process.Run:
    """A valgrind that writes this text and exits with this status."""

    def run(command: Sequence[str], **how: Any) -> process.Finished:
        library = how["environment"]["LD_PRELOAD"]
        assert library.endswith("/libtoy.so")
        (out,) = (word.partition("=")[2] for word in command if word.startswith("--callgrind-out-file="))
        if text is not None:
            Path(out).write_text(text, encoding="utf-8")
        message = json.dumps({"library": library}).encode()
        return process.Finished(tuple(command), status, message, b"it broke\n" if status else b"", 0.1)

    return run


def test_a_run_gives_the_lines_of_the_library_that_was_preloaded(tmp_path: Path) -> None:
    costs = linecost.measure(["bench"], tmp_path / "libtoy.so", "valgrind", run=fake(OUT))
    assert sum(costs.values()) == 541


@pytest.mark.parametrize(
    ("valgrind", "run", "what"),
    [
        (None, fake(OUT), "valgrind is not installed"),
        ("valgrind", fake(None), "valgrind wrote no counts"),
        ("valgrind", fake(OUT, status=1), "exit status 1: it broke"),
        ("valgrind", fake("ob=x\nfl=y\n1 1\n"), "the program ran no line of libtoy.so"),
    ],
)
def test_what_cannot_be_counted_gives_the_reason(
    valgrind: str | None, run: process.Run, what: str, tmp_path: Path
) -> None:
    with pytest.raises(linecost.LineCostError, match=what):
        linecost.measure(["bench"], tmp_path / "libtoy.so", valgrind, run=run)
