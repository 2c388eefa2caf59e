"""The cell's allocator serves random traces correctly; a failing trace is saved in traces/."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.cells import traces

EXAMPLES = 50
SEEDS = Path(__file__).parents[1] / "fuzz/corpus"


def test_random_traces_are_served(cell: Path) -> None:
    traces.check(cell / "bin" / "test_trace", cell / "traces", EXAMPLES)


def test_the_seeds_of_the_fuzzer_are_served(cell: Path, tmp_path: Path) -> None:
    program = cell / "bin" / "test_trace"
    seeds = sorted(SEEDS.iterdir())
    assert seeds
    for seed in seeds:
        text = subprocess.run([program, "--decode", seed], capture_output=True, check=True).stdout
        file = tmp_path / seed.name
        file.write_bytes(text)
        assert traces.run(program, file, {}) is None
