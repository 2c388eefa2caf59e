"""The progress of a timing: one changing line on a terminal, otherwise a line every ten seconds."""

from __future__ import annotations

import io

from layermatrix.measure import progress
from layermatrix.measure.runner import Step


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def steps(*seconds: float) -> list[Step]:
    return [Step(done, 100, 1, "mixed", "mine", now, left=388.0) for done, now in enumerate(seconds, start=1)]


def shown(output: io.StringIO, *seconds: float) -> str:
    with progress.watch(output) as step:
        for one in steps(*seconds):
            step(one)
    return output.getvalue()


def test_a_log_has_a_line_when_the_last_one_is_ten_seconds_old() -> None:
    lines = shown(io.StringIO(), 1, 9, 12, 13, 21, 22.5).splitlines()
    assert [line.split(",")[0] for line in lines] == ["timing 3/100", "timing 6/100"]
    assert lines[0] == "timing 3/100, about 6 min left: round 1, mixed, mine"


def test_a_terminal_has_one_line_that_is_gone_at_the_end() -> None:
    text = shown(Terminal(), 1, 2)
    assert "\n" not in text
    assert text.count("\rtiming ") == 2
    assert text.endswith("\r" + " " * progress.WIDTH + "\r")


def test_the_warm_up_is_called_so() -> None:
    assert "warming up" in progress.line(Step(1, 4, 0, "mixed", "mine", 1.0, 3.0))


def test_a_duration_is_in_seconds_minutes_or_hours() -> None:
    shown = [progress.duration(seconds) for seconds in (0.4, 119, 120, 1850, 7199, 9000)]
    assert shown == ["0 s", "119 s", "2 min", "31 min", "2 h 0 min", "2 h 30 min"]
