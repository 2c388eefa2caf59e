"""`hardware`: events of the processor, with a perf that counts, one that cannot, and none."""

from __future__ import annotations

from pathlib import Path

import pytest

from layermatrix.core.records import NotMeasured
from layermatrix.evidence.bench import Hardware
from layermatrix.measure import hardware

COUNTS = """#!/bin/sh
# perf stat -x , -e EVENTS -o FILE -- PROGRAM...: writes made-up counts, and runs the program
while [ "$1" != -o ]; do shift; done
printf '%s\\n' '# started' '' \
  '4000,,cycles:u,1,100.00,,' '8000,,instructions:u,1,100.00,2.00,insn per cycle' \
  '40,,cache-misses:u,1,100.00,,' '<not counted>,,branch-misses:u,0,0.00,,' > "$2"
shift 3
exec "$@"
"""


def fake_perf(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    perf = folder / "perf"
    perf.write_text(script, encoding="utf-8")
    perf.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_events_are_counted_for_each_operation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_perf(tmp_path, COUNTS, monkeypatch)
    with hardware.counting() as perf:
        assert perf.words[0] == str(tmp_path / "perf")
        assert perf.read(ops=4) == Hardware(
            1000, 2000, 10, NotMeasured("branch-misses: not counted")
        )  # of the trial
        assert perf.out is not None
        assert perf.out.is_file()
    assert not perf.out.exists()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (COUNTS.replace("'4000,", "'<not supported>,").replace("'8000,", "'<not supported>,").replace(
            "'40,", "'<not supported>,"), "perf: cycles: not supported"),
        ("#!/bin/sh\necho Error: >&2\necho 'No permission to use counters' >&2\nexit 255\n",
         "perf: No permission to use counters"),
    ],
)  # fmt: skip
def test_a_perf_that_cannot_count_has_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    fake_perf(tmp_path, script, monkeypatch)
    with hardware.counting() as perf:
        assert perf.words == ()
        assert perf.read(ops=4) == NotMeasured(reason)


def test_without_perf_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with hardware.counting() as perf:
        assert perf.read(ops=4) == NotMeasured("perf is not installed (Debian: linux-perf)")
