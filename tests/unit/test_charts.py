"""The charts of the report: what each one shows, in which colours, and how it is rendered."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import large_store
import pytest
import report_samples as samples

from layermatrix.analysis import history as analysis
from layermatrix.core.records import NotMeasured, plain
from layermatrix.report import history_tables, peer_figures
from layermatrix.report.charts import chart as charts_of
from layermatrix.report.charts import heat, scaling, standing, variants, vega
from layermatrix.report.charts import history as history_chart
from layermatrix.report.charts.chart import Chart
from layermatrix.store import database, recording
from layermatrix.store.entries import Measurement

CSS = (Path(peer_figures.__file__).parent / "style.css").read_text(encoding="utf-8")


def every_chart() -> list[Chart]:
    found = samples.peers()
    maps = [heat.chart(field) for field in peer_figures.fields(found)]
    of_variants = variants.charts(samples.phases())
    return [*maps, *standing.charts(found), *scaling.charts(found), *of_variants]


def by_key(key: str) -> Chart:
    return next(chart for chart in every_chart() if chart.key == key)


def values(chart: Chart) -> list[dict[str, Any]]:
    """The data of the chart, wherever its spec has them."""
    layers = [chart.spec, *chart.spec.get("layer", [])]
    return next(layer["data"]["values"] for layer in layers if "data" in layer)


@pytest.mark.parametrize("chart", every_chart(), ids=lambda chart: chart.key)
def test_each_chart_is_drawn_with_colours_that_the_page_defines(chart: Chart) -> None:
    drawn = vega.render(chart).svg
    used = set(re.findall(r"var\((--[\w-]+)\)", drawn))
    assert used
    light, dark = CSS.split("@media (prefers-color-scheme:dark)", 1)
    for name in used:
        assert f"{name}:" in light, name
        assert f"{name}:" in dark, name
    assert 'role="img"' in drawn
    assert "#000" not in re.sub(r'stroke="#000"', "", drawn), "a colour that no theme changes"


def test_a_map_has_a_square_for_each_load_and_library_in_three_units() -> None:
    chart = by_key("speed-map")
    squares = {(one["load"], one["library"]): one for one in values(chart)}
    assert len(squares) == len(samples.PEER_SPEEDS) * len(samples.LIBRARIES)
    mine = squares["swap", "mine"]
    assert (mine["best_text"], mine["base_text"], mine["absolute_text"]) == ("1.25", "2.00", "100.0")
    assert (mine["best_shade"], squares["swap", "lean"]["best_shade"]) == (6, 2)
    assert vega.render(chart).svg.count(">1.25<") == 1


def test_less_memory_has_the_better_shade() -> None:
    squares = {(one["load"], one["library"]): one for one in values(by_key("peak-map"))}
    base, mine = squares["swap", "system malloc"], squares["swap", "mine"]
    assert (base["best_text"], mine["best_text"], mine["absolute_text"]) == ("1.00", "2.50", "2,500")
    assert (base["best_shade"], mine["best_shade"]) == (4, 1)


def test_the_legend_of_a_chart_names_every_series() -> None:
    for key in ("means", "memory-and-speed", "scale-threads"):
        drawn = vega.render(by_key(key)).svg
        for name in samples.LIBRARIES:
            assert f">{name}<" in drawn, (key, name)
    drawn = vega.render(by_key("speed-mixed")).svg
    for name in ("measured", "reported"):
        assert f">{name}<" in drawn
    assert ("dashed", "system malloc") in by_key("speed-mixed").legend
    drawn = vega.render(by_key("loads-mine")).svg
    for name in ("faster", "slower", "no difference"):
        assert f">{name}<" in drawn


def test_a_family_of_loads_is_a_line_over_its_numbers() -> None:
    keys = [chart.key for chart in scaling.charts(samples.peers())]
    assert keys == ["scale-blocks", "scale-threads"]
    points = [one for one in values(by_key("scale-threads")) if one["library"] == "mine"]
    assert [(one["at"], one["speed"]) for one in points] == [(2, 45.0), (4, 80.0)]


def test_a_family_with_one_load_is_no_chart() -> None:
    loads = {name: load for name, load in samples.peer_loads().items() if name != "two"}
    assert [chart.key for chart in scaling.charts(samples.peers(loads=loads))] == ["scale-blocks"]


def test_each_load_has_its_interval_and_its_verdict() -> None:
    rows = {one["load"]: one for one in values(by_key("loads-mine"))}
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "swap": "faster", "fill": "slower", "fill_large": "faster", "two": "faster", "four": "faster",
    }  # fmt: skip
    assert rows["swap"]["low"] <= rows["swap"]["ratio"] <= rows["swap"]["high"]


def test_one_round_says_that_it_has_no_interval() -> None:
    (chart,) = (one for one in standing.charts(samples.peers(rounds=1)) if one.key == "loads-mine")
    assert "One round gives no interval" in chart.about


def test_bars_stand_in_the_order_of_the_cells_with_the_reported_range() -> None:
    bars = values(by_key("speed-mixed"))
    assert [bar["name"] for bar in bars] == list(samples.LINEAGE)
    assert [bar["value"] for bar in bars] == [0.5, 0.7, 1.3, 1.31]
    assert bars[1]["reported_low"] == pytest.approx(0.4)
    assert bars[1]["reported_high"] == pytest.approx(0.5)


def test_a_cell_without_a_figure_is_listed_below_the_chart_with_the_reason() -> None:
    record = samples.record([samples.cell("old"), samples.cell("mid", bench=NotMeasured("it crashed"))])
    speed = next(iter(variants.charts(record)))
    assert [bar["name"] for bar in values(speed)] == ["old"]
    assert speed.without == ("mid: not measured: it crashed",)


def test_a_bar_that_was_not_measured_beside_others_has_the_reason_in_its_place() -> None:
    found = replace(samples.asm(22), entries={"alloc": samples.entry("alloc", 22)})
    (code,) = (
        one
        for one in variants.charts(samples.record([samples.cell("old", asm=found), samples.cell("mid")]))
        if one.key == "code-length"
    )
    assert code.without == ()
    lost = [bar["exact"] for bar in values(code) if "value" not in bar]
    assert len(lost) == 1
    assert lost[0].startswith("not measured: ")
    assert lost[0] in vega.render(code).svg


# --- the state of the machine


def test_a_bar_that_was_timed_on_a_busy_machine_has_a_sign_and_its_tooltip_says_so() -> None:
    busy, quiet = samples.conditions(1.4), samples.conditions()
    record = samples.record(
        [
            samples.cell("old", bench=replace(samples.bench(0.5), conditions=busy)),
            samples.cell("mid", bench=replace(samples.bench(0.7), conditions=quiet)),
            samples.cell("new"),
        ]
    )
    speed = next(iter(variants.charts(record)))
    machines = {bar["name"]: bar["machine"] for bar in values(speed)}
    mark = "busy: load 3.1 on 2 CPUs, other processes used 1.4 of 2 CPUs"
    assert machines == {"old": mark, "mid": "quiet during this run", "new": "not watched during this run"}
    assert speed.busy == (mark,)
    assert ("warning", "the machine was busy during this run") in speed.legend
    signs = re.findall(r'<path [^>]*fill="var\(--warn\)"', vega.render(speed).svg)
    assert len(signs) == 1
    code = next(one for one in variants.charts(record) if one.key == "code-length")
    assert code.busy == ()
    assert not any("machine" in bar for bar in values(code))


def boxes(part: Any) -> list[list[dict[str, str]]]:
    """Every tooltip of a spec."""
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    own = [part["tooltip"]] if isinstance(part, dict) and "tooltip" in part else []
    return own + [box for one in inner for box in boxes(one)]


@pytest.mark.parametrize("others", [0.0, 1.4])
def test_every_chart_of_one_run_says_whether_the_machine_was_busy(others: float) -> None:
    found = replace(samples.peers(), conditions=samples.conditions(others))
    made = [*standing.charts(found), *scaling.charts(found)]
    made.append(charts_of.of_run(heat.chart(peer_figures.fields(found)[0]), found.conditions))
    for one in made:
        assert bool(one.busy) == bool(others)
        assert all(box[-1] == {"field": "machine", "title": "machine"} for box in boxes(one.spec)), one.key
        (state,) = (param for param in one.spec["params"] if param["name"] == "machine_state")
        assert state["value"].startswith("busy: load 3.1" if others else "quiet")
        vega.render(one)


def test_a_point_of_the_history_that_was_timed_on_a_busy_machine_has_a_sign(tmp_path: Path) -> None:
    file = tmp_path / "results.sqlite"
    with database.writable(file) as store:
        for number in range(4):
            timing = plain(samples.conditions(1.4 if number == 2 else 0.0))
            run = replace(large_store.run(number), conditions={"timing": timing})
            figure = large_store.timing(10.0 + number, load="mixed")
            recording.add(store, run, [Measurement(large_store.subject("old"), (figure,))])
    found = analysis.collect(file, ["old-release-gcc"], "mixed")
    assert not isinstance(found, NotMeasured)
    (series,) = map(history_tables.series_of, found)
    mark = "busy: load 3.1 on 2 CPUs, other processes used 1.4 of 2 CPUs"
    assert series.busy == {large_store.run(2).revision.commit: mark}
    drawn = history_chart.draw([series])
    assert [one["machine"] for one in values(drawn)] == [
        "not marked as busy", "not marked as busy", mark, "not marked as busy",
    ]  # fmt: skip
    assert drawn.legend == (("warning", "the machine was busy during this run"),)
    assert [row[-1].text for row in history_tables.table([series]).rows] == ["", mark, "", ""]


def test_a_chart_without_figures_is_left_out() -> None:
    record = samples.record([samples.cell("old", bench=NotMeasured("it crashed"))])
    assert [chart.key for chart in variants.charts(record)] == ["code-length", "misses"]


def test_texts_of_results_are_escaped_and_are_no_expressions() -> None:
    """A name with a quote would end a string in an expression, so names are data alone."""
    name = """a'b"<script>"""
    record = samples.record([samples.cell("old"), samples.cell("old", id=name)])
    for chart in variants.charts(record):
        drawn = vega.render(chart).svg
        assert "<script>" not in drawn
        assert "&lt;script&gt;" in drawn


def test_ids_inside_the_pictures_are_their_own() -> None:
    drawn = [vega.render(chart).svg for chart in every_chart()]
    ids = [found for text in drawn for found in re.findall(r'\bid="([^"]+)"', text)]
    assert len(ids) == len(set(ids))


def test_specs_are_plain_json() -> None:
    for chart in every_chart():
        assert json.loads(json.dumps(chart.document, allow_nan=False)) == chart.document


# --- history


def recorded(tmp_path: Path, commits: int = 8) -> tuple[analysis.Recorded, ...] | NotMeasured:
    """The history of two cells, both slower from the middle on."""
    file = tmp_path / "results.sqlite"
    with database.writable(file) as store:
        for number in range(commits):
            count = large_store.count(20.0 if number >= commits / 2 else 10.0, load="mixed")
            measured = [Measurement(large_store.subject(name), (count,)) for name in ("old", "mid", "other")]
            recording.add(store, large_store.run(number), measured)
    return analysis.collect(file, ["old-release-gcc", "mid-release-gcc"], "mixed")


def test_the_history_shows_the_cells_of_the_report_with_their_changes(tmp_path: Path) -> None:
    found = recorded(tmp_path)
    assert not isinstance(found, NotMeasured)
    series = [history_tables.series_of(one) for one in found]
    assert [one.subject for one in series] == ["mid-release-gcc", "old-release-gcc"]
    chart = history_chart.draw(series)
    assert chart.title == "instructions on mixed"
    changed = [one for one in values(chart) if one["change"]]
    assert [one["commit"] for one in changed] == [large_store.run(4).revision.commit[:10]] * 2
    assert changed[0]["change"].startswith("+100.0 % (worse)")
    drawn = vega.render(chart).svg
    for words in ("mid-release-gcc", "old-release-gcc", "change"):
        assert f">{words}<" in drawn
    table = history_tables.table(series)
    assert len(table.rows) == 16
    assert table.rows[0][0].text == large_store.run(7).revision.commit[:10]


def test_without_a_store_or_with_one_commit_there_is_a_reason(tmp_path: Path) -> None:
    none = analysis.collect(tmp_path / "none.sqlite", ["old-release-gcc"], None)
    assert isinstance(none, NotMeasured)
    assert "there is no store of results yet" in none.reason
    single = recorded(tmp_path, commits=1)
    assert isinstance(single, NotMeasured)
    assert "fewer than 2 commits" in single.reason
    (tmp_path / "text.sqlite").write_text("no database", encoding="utf-8")
    assert isinstance(analysis.collect(tmp_path / "text.sqlite", ["old-release-gcc"], None), NotMeasured)
