"""`record_blocks`: any record as pairs, tables and texts."""

from __future__ import annotations

from typing import Any

import pytest

from layermatrix.report.record_blocks import Block, blocks, shown


def laid_out(value: Any, title: str = "") -> list[Block]:
    return list(blocks(value, title))


def test_flat_items_are_pairs_in_their_order() -> None:
    (block,) = laid_out({"arch": "x86_64", "debug_strings": 2, "names": ["a", "b"], "empty": []})
    assert block.pairs == (("arch", "x86_64"), ("debug strings", "2"), ("names", "a, b"), ("empty", "none"))


def test_a_dict_of_dicts_is_a_table_with_every_key_that_any_row_has() -> None:
    (block,) = laid_out({"checks": {"first": {"passed": True}, "second": {"passed": False, "why_not": "no"}}})
    assert block.title == "checks"
    assert block.heads == ("", "passed", "why not")
    assert block.rows == (("first", "yes", ""), ("second", "no", "no"))


def test_what_is_nested_in_rows_is_a_further_table() -> None:
    entries = {"alloc": {"size": 9, "hit": {"size": 4}}, "free": {"size": 7, "hit": {"size": 3}}}
    whole, hit = laid_out({"entries": entries})
    assert whole.rows == (("alloc", "9"), ("free", "7"))
    assert (hit.title, hit.rows) == ("entries, hit", (("alloc", "4"), ("free", "3")))


def test_what_is_nested_deeper_is_a_table_for_each() -> None:
    entries = {"alloc": {"layers": {"ring": {"size": 4}}}, "free": {"layers": {"ring": {"size": 5}}}}
    found = laid_out({"entries": entries})
    assert [(block.title, block.rows) for block in found] == [
        ("entries, alloc, layers", (("ring", "4"),)),
        ("entries, free, layers", (("ring", "5"),)),
    ]


def test_a_wide_table_is_turned() -> None:
    row = {f"figure_{number}": number for number in range(8)}
    (block,) = laid_out({"entries": {"alloc": row, "free": row}})
    assert block.heads == ("", "alloc", "free")
    assert block.rows[3] == ("figure 3", "3", "3")


MISSING = {"status": "not measured", "reason": "no text"}


def test_a_figure_that_is_missing_gives_the_reason_in_its_place() -> None:
    value = {"status": "measured", "reason": None, "lines": MISSING, "bytes": 4}
    (pairs,) = laid_out(value)
    assert pairs.pairs == (("lines", "not measured: no text"), ("bytes", "4"))
    (table,) = laid_out({"entries": {"alloc": value}})
    assert table.heads == ("", "lines", "bytes")
    assert table.rows == (("alloc", "not measured: no text", "4"),)


def test_a_row_that_is_missing_gives_the_reason_once() -> None:
    (table,) = laid_out({"loads": {"mixed": {"ops": 4, "args": "x"}, "swap": MISSING}})
    assert table.rows == (("mixed", "4", "x"), ("swap", "not measured: no text", ""))


def test_a_part_that_was_not_measured_gives_the_reason() -> None:
    (block,) = laid_out({"hardware": {"kind": "hardware", "status": "not measured", "reason": "no perf"}})
    assert block.pairs == (("hardware", "not measured: no perf"),)


def test_a_list_of_records_is_a_table_with_the_logs_of_those_that_failed_below() -> None:
    programs = [
        {"name": "good", "status": "passed", "seconds": 0.5, "log": "chatter", "command": "./good"},
        {"name": "bad", "status": "failed", "seconds": 1.25, "log": "line 7", "command": "./bad"},
    ]
    (block,) = laid_out({"programs": programs})
    assert block.heads == ("", "status", "seconds")
    assert block.rows == (("good", "passed", "0.5"), ("bad", "failed", "1.25"))
    assert block.texts == (("bad: log", "line 7"), ("bad: command", "./bad"))


def test_columns_of_words_are_distinguished_from_those_of_figures() -> None:
    checks = {
        "a": {
            "count": 3,
            "note": "a sentence for a reader",
            "place": "x.yaml:7",
            "reported": "20-50",
        },
        "b": {"count": MISSING, "note": "", "place": "y.yaml:8", "reported": "2,624"},
    }
    (block,) = laid_out({"checks": checks})
    assert [block.heads[place] for place in sorted(block.wordy)] == ["note", "place"]


def test_a_word_among_figures_leaves_the_column_one_of_figures() -> None:
    """A transposed table has the figures of an entry and the names of its layers in one column."""
    row = {
        **{f"figure_{number}": number for number in range(8)},
        "layers": ["frame", "first", "second", "third"],
    }
    (block,) = laid_out({"entries": {"alloc": row, "free": row}})
    assert block.wordy == frozenset()
    assert [block.is_long(text) for text in (block.rows[0][1], block.rows[-1][1])] == [False, True]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567, "1,234,567"),
        (0.5, "0.5"),
        (2.0, "2"),
        (-0.00001, "0"),
        (36.14176, "36.1418"),
        (True, "yes"),
        ([32768, 8], "32,768, 8"),
    ],
)
def test_values_are_shown_for_people(value: object, text: str) -> None:
    assert shown(value) == text


def test_nothing_is_no_block() -> None:
    assert (
        laid_out({}) == laid_out([]) == laid_out(None) == laid_out({"kind": "x", "status": "measured"}) == []
    )
