"""Evidence files: written at once, read without surprises."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from layermatrix.core import records


def guards(count: int = 0) -> records.Record:
    return records.measured("guards", debug_strings={"count": count, "examples": []}, sentinel="x")


def test_what_is_written_is_what_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "evidence" / "guards.json"
    records.write(path, guards(3))
    assert records.load(path, "guards") == guards(3)


def test_a_record_that_was_not_taken_says_why() -> None:
    record = records.not_measured("counters", "valgrind is not installed")
    assert record == {"kind": "counters", "status": "not measured", "reason": "valgrind is not installed"}
    assert not records.is_measured(record)
    assert records.is_measured(guards())


def test_a_missing_file_is_loaded_as_not_measured(tmp_path: Path) -> None:
    record = records.load(tmp_path / "asm.json", "asm")
    assert record["status"] == "not measured"
    assert record["reason"] == "there is no asm.json of this cell"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "\udcff",
        "[" * 100_000,
        '{"kind": "guards"}',
        '{"kind": "guards", "status": "passed"}',
        '{"kind": "guards", "status": "not measured", "reason": null}',
        '{"kind": "guards", "status": "measured", "reason": null, "sentinel": "x"}',
        '{"kind": "asm", "status": "not measured", "reason": "another kind"}',
    ],
    ids=lambda text: text[:30],
)
def test_a_damaged_file_is_loaded_as_not_measured_with_the_reason(tmp_path: Path, text: str) -> None:
    path = tmp_path / "guards.json"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    record = records.load(path, "guards")
    assert record["status"] == "not measured"
    assert record["reason"].startswith("guards.json cannot be used: ")


def test_a_record_that_is_no_json_leaves_the_old_file_alone_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "guards.json"
    records.write(path, guards(1))
    with pytest.raises(ValueError, match="not JSON compliant"):
        records.write(path, guards() | {"speed": float("nan")})
    path.with_name("taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        records.write(path.with_name("taken"), guards(2))
    assert records.load(path, "guards") == guards(1)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["guards.json", "taken"]


def test_a_reader_never_sees_half_of_a_record(tmp_path: Path) -> None:
    path = tmp_path / "guards.json"
    records.write(path, guards(0))
    sizes = (0, 20_000)

    def rewrite(count: int) -> None:
        for _ in range(30):
            records.write(path, guards(count) | {"padding": "x" * count})

    writers = [threading.Thread(target=rewrite, args=(size,)) for size in sizes]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        seen = json.loads(path.read_text(encoding="utf-8"))
        assert seen["debug_strings"]["count"] in sizes
    for writer in writers:
        writer.join()
    assert [file.name for file in tmp_path.iterdir()] == ["guards.json"]
