"""Geometric means of speed and memory over groups of loads, and the worst loads."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
import report_samples

from layermatrix.core.records import NotMeasured
from layermatrix.evidence.bench import Timing
from layermatrix.measure import peer_results, summary
from layermatrix.measure.peer_results import PeerLoadResult, PeerResults
from layermatrix.report import html, markdown, peer_tables, terminal

NAMES = ("base", "rival", "mine")


def timing(speed: float, peak: int, after: int | None = None) -> Timing:
    return Timing("Mops/s", (speed,), speed, speed, speed, "min..max", peak, cpu_ns=3.5, after_kib=after)


def load(group: str, figures: dict[str, Timing | NotMeasured], parallel: bool = False) -> PeerLoadResult:
    best = max(one.median for name, one in figures.items() if name != "mine" and isinstance(one, Timing))
    shares = {name: one.median / best for name, one in figures.items() if isinstance(one, Timing)}
    return PeerLoadResult("A load.", "bench", group, parallel, figures, "rival", shares, {}, {})


LOADS = {
    "swap": load("small", {"base": timing(1, 10, 10), "rival": timing(4, 20, 40), "mine": timing(8, 5, 10)}),
    "late": load("small", {"base": timing(1, 10, 20), "rival": timing(4, 20, 20), "mine": timing(2, 20, 5)}),
    "two": load("threads", {"base": timing(1, 10), "rival": timing(2, 40), "mine": timing(1, 90)}, True),
}


def found(loads: dict[str, PeerLoadResult]) -> PeerResults:
    return PeerResults(
        baseline="base",
        rivals=("rival",),
        floor=None,
        own=("mine",),
        rounds=1,
        work="op",
        quiet_seconds=1.0,
        missing={},
        loads=loads,
        summaries=summary.summaries(loads, NAMES, "base"),
    )


def test_each_group_and_all_loads_have_geometric_means() -> None:
    made = summary.summaries(LOADS, NAMES, "base")
    assert list(made) == ["small", "threads", "all"]
    assert [one.loads for one in made.values()] == [2, 1, 3]
    small, overall = made["small"].standings["mine"], made["all"].standings["mine"]
    assert small.speed == pytest.approx(1.0)  # mean of 2 and 0.5
    assert small.peak == pytest.approx(1.0)
    assert small.after == pytest.approx(0.5)
    assert overall.speed == pytest.approx((2 * 0.5 * 0.5) ** (1 / 3))
    assert overall.peak == pytest.approx(9 ** (1 / 3))
    assert overall.worst == ("late", "two", "swap")
    base = made["all"].standings["base"]
    assert base.peak == pytest.approx(1.0)
    assert base.after == pytest.approx(1.0)


def test_a_load_without_a_figure_is_left_out_of_the_mean_and_the_table_shows_it() -> None:
    crashed = {**LOADS["late"].figures, "mine": NotMeasured("it crashed")}
    made = found({"swap": LOADS["swap"], "late": load("small", crashed)})
    standing = made.summaries["all"].standings["mine"]
    assert (standing.loads, standing.worst) == (1, ("swap",))
    assert standing.speed == pytest.approx(2.0)
    assert peer_tables.summary_table(made).rows[0][3].note == "1 of 2 loads"


def test_without_any_figure_there_is_no_mean() -> None:
    failing = dict.fromkeys(NAMES, NotMeasured("it crashed"))
    alone = PeerLoadResult("A load.", "bench", "", False, failing, None, {}, {}, {})
    made = found({"swap": alone})
    assert list(made.summaries) == ["all"]
    standing = made.summaries["all"].standings["mine"]
    assert (standing.speed, standing.peak, standing.after, standing.worst) == (None, None, None, ())
    assert [figure.text for figure in peer_tables.summary_table(made).rows[0]] == ["all", "-", "-", "-"]


def test_the_tables_show_memory_beside_speed_and_cpu_time_of_one_thread() -> None:
    shown = peer_tables.loads_table(found(LOADS))
    labels = [row[0].text for row in shown.rows]
    assert labels[:5] == ["swap", "share of the best", "CPU time, ns/op", "peak, KiB", "after 1 s, KiB"]
    assert labels[labels.index("two") :] == ["two", "share of the best", "peak, KiB"]
    assert [figure.text for figure in shown.rows[1]] == ["share of the best", "0.25", "1.00", "2.00", ""]


def test_the_summary_has_speed_and_memory_of_each_group_and_names_the_worst_loads() -> None:
    shown = peer_tables.summary_table(found(LOADS))
    assert [row[0].text for row in shown.rows] == [
        *("small", "peak memory", "memory afterwards"),
        *("threads", "peak memory"),
        *("all", "peak memory", "memory afterwards"),
    ]
    assert [figure.text for figure in shown.rows[0]] == ["small", "0.25", "1.00", "1.00"]
    assert shown.notes[1] == "mine, worst loads: late 0.50 of rival, two 0.50 of rival, swap 2.00 of rival"


def test_every_report_shows_the_summary() -> None:
    made = found(LOADS)
    results = replace(report_samples.phases(), peers=made)
    terminal.peers(made, terminal.make_console(plain := io.StringIO()), peer_results.FILE)
    for text in (plain.getvalue(), html.render(results), markdown.render(results)):
        assert "Summary of 3 loads" in text
        assert "memory afterwards" in text
        assert "worst loads: late 0.50 of rival" in text
    assert plain.getvalue().index("Compared with other libraries") < plain.getvalue().index("Summary of")


def test_the_record_is_read_again_as_it_was_written(tmp_path: Path) -> None:
    peer_results.FORMAT.write(tmp_path / "peers.json", found(LOADS))
    assert peer_results.FORMAT.read(tmp_path / "peers.json") == found(LOADS)
