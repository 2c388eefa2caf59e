"""Files of records: written atomically, read into typed records."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pytest

from layermatrix.core import records
from layermatrix.core.records import Format, Measured, Missing, NotMeasured, Outdated


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Part:
    colour: Colour
    size: int | NotMeasured


@dataclass(frozen=True)
class Toy(Measured):
    name: str
    speed: float
    parts: Mapping[str, Part]
    words: tuple[str, ...] = ()


TOY = Format("toy", Toy, version=3)
A_TOY = Toy(
    "ball", 2.5, {"skin": Part(Colour.RED, 7), "air": Part(Colour.RED, NotMeasured("no scale"))}, ("a",)
)


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "evidence" / "toy.json"
    TOY.write(path, A_TOY)
    assert TOY.read(path) == A_TOY
    TOY.write(path, NotMeasured("there is no toy"))
    assert TOY.read(path) == NotMeasured("there is no toy")


def test_a_file_declares_its_content_its_version_and_whether_it_was_measured(tmp_path: Path) -> None:
    path = tmp_path / "toy.json"
    TOY.write(path, A_TOY)
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "kind": "toy",
        "version": 3,
        "status": "measured",
        "reason": None,
        "name": "ball",
        "speed": 2.5,
        "parts": {
            "skin": {"colour": "red", "size": 7},
            "air": {"colour": "red", "size": {"status": "not measured", "reason": "no scale"}},
        },
        "words": ["a"],
    }


def test_a_record_of_another_build_of_the_library_is_not_measured(tmp_path: Path) -> None:
    path = tmp_path / "toy.json"
    TOY.write(path, A_TOY, library="a")
    assert TOY.read(path) == TOY.read(path, library="a") == A_TOY
    assert TOY.read(path, library="b") == Outdated("it is of an earlier build of the library")
    TOY.write(path, A_TOY)  # of no library
    assert TOY.read(path, library="b") == A_TOY


def test_a_missing_file_is_read_as_missing(tmp_path: Path) -> None:
    assert TOY.read(tmp_path / "toy.json") == Missing("there is no toy.json of this cell")


HEAD = '"kind": "toy", "version": 3, "status": "measured", "reason": null'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("[]", "a record is an object, not list"),
        ("\udcff", "can't decode"),
        ("[" * 100_000, "recursion"),
        ('{"kind": "guards"}', "kind is 'guards', not 'toy'"),
        ('{"kind": "toy", "version": 2, "status": "measured"}', "version is 2, not 3; build it again"),
        ('{"kind": "toy", "status": "measured"}', "version is None, not 3; build it again"),
        ('{"kind": "toy", "version": 3, "status": "passed"}', "status is 'passed'"),
        ('{"kind": "toy", "version": 3, "status": "not measured", "reason": null}', "reason None"),
        (f'{{{HEAD}, "name": "ball"}}', "speed: Field required"),
        (f'{{{HEAD}, "name": "ball", "speed": "2", "parts": {{}}}}', "speed: Input should be a valid number"),
        (
            f'{{{HEAD}, "name": "", "speed": 2, "parts": {{"air": {{"colour": "blue", "size": 1}}}}}}',
            "parts.air.colour: Input should be 'red'",
        ),
    ],
    ids=lambda text: text[:30],
)
def test_a_damaged_or_older_file_is_not_measured_with_the_reason(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "toy.json"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    record = TOY.read(path)
    assert isinstance(record, NotMeasured)
    assert not isinstance(record, Missing)
    assert record.reason.startswith("toy.json cannot be used: ")
    assert why in record.reason


def test_a_record_that_is_no_json_leaves_the_old_file_alone_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "toy.json"
    TOY.write(path, A_TOY)
    with pytest.raises(ValueError, match="not JSON compliant"):
        TOY.write(path, Toy("ball", float("nan"), {}))
    path.with_name("taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        TOY.write(path.with_name("taken"), A_TOY)
    assert TOY.read(path) == A_TOY
    assert sorted(file.name for file in tmp_path.iterdir()) == ["taken", "toy.json"]


def test_a_reader_never_sees_half_of_a_record(tmp_path: Path) -> None:
    path = tmp_path / "toy.json"
    sizes = (0, 20_000)
    records.write(path, {"count": 0})

    def rewrite(count: int) -> None:
        for _ in range(30):
            records.write(path, {"count": count, "padding": "x" * count})

    writers = [threading.Thread(target=rewrite, args=(size,)) for size in sizes]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert json.loads(path.read_text(encoding="utf-8"))["count"] in sizes
    for writer in writers:
        writer.join()
    assert [file.name for file in tmp_path.iterdir()] == ["toy.json"]
