"""Random traces are served as they must be by the cell's allocator; one that is not is kept in traces/."""

from __future__ import annotations

from pathlib import Path

from tests.cells import traces

EXAMPLES = 60


def test_random_traces_are_served(cell: Path) -> None:
    traces.check(cell / "bin" / "test_trace", cell / "traces", EXAMPLES)
