"""`python -m pytest tests/golden --accept` rewrites the golden files; their diff is then reviewed."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
SHOWN_LINES = 60  # of a difference


class Golden:
    """Compares printed text with a file of this folder, or writes the file where --accept is given."""

    def __init__(self, accept: bool) -> None:
        self.accept = accept

    def check(self, name: str, text: str) -> None:
        path = FOLDER / name
        if self.accept:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.is_file(), f"there is no golden file {name}: run pytest tests/golden --accept"
        expected = path.read_text(encoding="utf-8")
        assert text == expected, f"{name} differs from what is printed:\n{_difference(expected, text)}"


def _difference(expected: str, text: str) -> str:
    lines = difflib.unified_diff(expected.splitlines(), text.splitlines(), "golden", "printed", lineterm="")
    return "\n".join(list(lines)[:SHOWN_LINES])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="rewrite the golden files of tests/golden")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    return Golden(accept=bool(request.config.getoption("--accept")))
