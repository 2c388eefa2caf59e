"""variants/counters.lock: a printed lock can be read again; a damaged file is refused with its place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layermatrix.core.errors import SpecErrors
from layermatrix.model.measuring import METRICS
from layermatrix.spec import lockspec
from layermatrix.spec.lockspec import Accepted, Machine, Place

HERE = Machine("gcc 12.2, x86_64", "glibc 2.36", "valgrind-3.19.0", "I1 32768/8/64")
THERE = replace(HERE, compiler='odd "gcc": 9 #\\')
FIGURES = dict(zip(METRICS, (23.027, 0.0, 0.024, -0.002, 3.003, 0.0), strict=True))
SAME = Accepted("01234567", FIGURES)
LOCK = {
    Place(HERE, "phase2", "release", "mixed"): SAME,
    Place(HERE, "phase2", "release", "churn"): replace(SAME, args="1e234567"),
    Place(HERE, "phase2", "debug", "churn"): SAME,
    Place(HERE, "phase10", "release", "churn"): SAME,
    Place(THERE, "phase2", "release", "mixed"): SAME,
}
TEXT = lockspec.render(LOCK)


def written(root: Path, text: str) -> Path:
    (root / "variants").mkdir(exist_ok=True)
    (root / lockspec.FILE).write_text(text, encoding="utf-8")
    return root


def test_what_is_printed_is_read_again(tmp_path: Path) -> None:
    assert lockspec.read(written(tmp_path, TEXT)) == LOCK
    assert lockspec.render(dict(reversed(LOCK.items()))) == TEXT


def test_a_line_holds_one_load_of_one_cell_sorted() -> None:
    assert TEXT.partition("references:\n")[2].splitlines()[:10] == [
        '- compiler: "gcc 12.2, x86_64"',
        '  libc: "glibc 2.36"',
        '  valgrind: "valgrind-3.19.0"',
        '  caches: "I1 32768/8/64"',
        "  variants:",
        "    phase10:",
        "      release:",
        (
            '        churn: {args: "01234567", instructions: 23.027, i1_misses: 0.000, d1_misses: 0.024, '
            "ll_misses: -0.002, branches: 3.003, mispredicted: 0.000}"
        ),
        "    phase2:",
        "      debug:",
    ]


def test_the_head_describes_the_file_and_where_the_limits_are() -> None:
    assert TEXT.startswith("# What an operation")
    assert "--accept" in lockspec.HEAD
    assert "variants/matrix.yaml" in lockspec.HEAD


def test_an_empty_lock_can_be_read(tmp_path: Path) -> None:
    assert lockspec.read(written(tmp_path, lockspec.render({}))) == {}


def test_a_project_without_a_lock_has_nothing_accepted(tmp_path: Path) -> None:
    assert lockspec.read(tmp_path) == {}


@given(st.lists(st.floats(-1e6, 1e6), min_size=len(METRICS), max_size=len(METRICS)))
def test_figures_survive_to_their_last_printed_digit(
    tmp_path_factory: pytest.TempPathFactory, values: list[float]
) -> None:
    root = written(tmp_path_factory.getbasetemp(), "")
    figures = {name: round(value, lockspec.DIGITS) for name, value in zip(METRICS, values, strict=True)}
    lock = {Place(HERE, "v", "release", "mixed"): Accepted("01234567", figures)}
    assert lockspec.read(written(root, lockspec.render(lock))) == lock


def replaced(old: str, new: str) -> str:
    """The text with the first `old` replaced."""
    assert old in TEXT
    return TEXT.replace(old, new, 1)


DAMAGED = [
    ("23.027", "much", "15:49", "'instructions' must be a number from -1e+09 to 1e+09, not 'much'"),
    (", branches: 3.003", "", "15:9", "load 'churn' has no 'branches'"),
    (
        "branches: 3",
        "branchs: 3",
        "15:112",
        "unknown key 'branchs' in load 'churn'; did you mean 'branches'?",
    ),
    ('"01234567"', "12345678", "15:23", "'args' must be eight hexadecimal digits in quotes, not 12345678"),
    ("release:", "relese:", "14:7", "the name of a mode must be one of release, debug, stats, not 'relese'"),
    ('  libc: "glibc 2.36"\n', "", "8:3", "an item of 'references' has no 'libc'"),
    ("references:", "<<<<<<< HEAD\nreferences:", "8:11", "bad YAML"),
    (
        'compiler: "gcc 12.2, x86_64"',
        'compiler: "odd \\"gcc\\": 9 #\\\\"',
        "22:3",
        "this machine is here twice",
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "place", "what"), DAMAGED, ids=[line[1] or "gone" for line in DAMAGED]
)
def test_a_damaged_lock_is_reported_with_line_and_column(
    tmp_path: Path, old: str, new: str, place: str, what: str
) -> None:
    with pytest.raises(SpecErrors) as caught:
        lockspec.read(written(tmp_path, replaced(old, new)))
    first = str(caught.value).splitlines()[0]
    assert first.startswith(f"variants/counters.lock:{place}: error: {what}")
