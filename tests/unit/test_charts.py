"""The charts of the report: what each one shows, in which colours, and how it is rendered."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import large_store
import pytest
import report_samples as samples

from layermatrix.analysis import history as analysis
from layermatrix.core.records import NotMeasured
from layermatrix.report import history_tables, peer_figures
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
    for name in ("measured", "reported", "system malloc"):
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


def test_a_bar_that_was_not_measured_has_the_reason_in_its_place() -> None:
    record = samples.record([samples.cell("old"), samples.cell("mid", bench=NotMeasured("it crashed"))])
    speed = next(iter(variants.charts(record)))
    assert "not measured: it crashed" in vega.render(speed).svg


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
