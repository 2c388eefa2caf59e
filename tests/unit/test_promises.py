"""docs/promises.md: each promise names an existing test."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/promises.md").read_text(encoding="utf-8")


def test_every_promise_names_tests_and_they_exist() -> None:
    rows = re.findall(r"^\| (.+) \| (.+) \|$", PAGE, re.MULTILINE)[1:]
    assert len(rows) > 10
    for promise, held_by in rows:
        names = re.findall(r"`((?:\w+/)*test_\w+(?:\.py)?|tests/programs/)`", held_by)
        assert names, f"nothing holds: {promise}"
        for name in names:
            assert is_there(name), f"{name} is no test"


def is_there(name: str) -> bool:
    if name.startswith("tests/"):
        return (ROOT / name).is_dir()
    path = name if "/" in name else f"csrc/{name}"
    return any((ROOT / "tests").glob(path if "." in path else f"{path}.c*"))
