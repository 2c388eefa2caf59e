"""Results of bundles: a damaged one, one of another version and one of another bundle are not believed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from layermatrix.hosts import results
from layermatrix.hosts.results import Result, ResultError


def step(status: str = "passed", seconds: float = 1.0) -> dict[str, object]:
    check = {
        "name": "test_a",
        "status": status,
        "reason": None,
        "log": "",
        "command": "a",
        "seconds": seconds,
    }
    record = {"kind": "tests", "version": 1, "status": "measured", "reason": None, "programs": [check]}
    return {"name": "tests", "kind": "tests", "record": record, "files": {}}


RESULT = Result("d1", {"architecture": "x86_64"}, [step()], "2026-01-01T00:00:00", "2026-01-01T00:00:01")
TEXT = results.text(RESULT)


def test_a_result_survives_its_file(tmp_path: Path) -> None:
    file = results.path(tmp_path, "d1")
    assert results.read(file, "d1") is None
    file.parent.mkdir(parents=True)
    file.write_text(TEXT, encoding="utf-8")
    assert results.read(file, "d1") == RESULT
    assert json.loads(RESULT.record("tests") or "")["kind"] == "tests"
    assert RESULT.record("counters") is None


def resummed(**change: object) -> str:
    content = {**json.loads(TEXT), **change}
    del content["sum"]
    return json.dumps({**content, "sum": results._sum(content)})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT[:-20], "it is not JSON"),
        ("[]", "it does not say that it is a layermatrix-result"),
        (TEXT.replace("passed", "failed"), "its content does not match its sum; run the bundle again"),
        (TEXT.replace('"version": 1', '"version": 9', 1), "it has version 9, not 1; run the bundle again"),
        (resummed(steps={}), "its field 'steps' is missing or of another type"),
        (resummed(bundle="d2"), "it belongs to the bundle d2, not to d1"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ResultError, match=f"r.json: {message}"):
        results.read(file, "d1")


def test_seconds_and_hosts_do_not_count_and_statuses_do() -> None:
    slow = replace(RESULT, host={"architecture": "other"}, steps=[step(seconds=9.0)], finished="later")
    assert results.deterministic(slow) == results.deterministic(RESULT)
    assert results.deterministic(replace(RESULT, steps=[step("failed")])) != results.deterministic(RESULT)
