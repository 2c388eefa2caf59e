"""The picture of a path: well-formed SVG that shows layers, classes and overlaps."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import report_samples as samples

from layermatrix.analysis import layer_path
from layermatrix.analysis.layercost import LayerCost, LayerCosts, LoadCosts, Without
from layermatrix.core.records import NotMeasured
from layermatrix.profiles.malloc.profile import MALLOC
from layermatrix.report import layer_drawing
from layermatrix.spec.loader import load_project

SVG = "{http://www.w3.org/2000/svg}"


def squares(svg: str) -> Counter[str]:
    """The kinds of the squares that carry a title: one for each layer and class."""
    rects = ElementTree.fromstring(svg).iter(f"{SVG}rect")
    return Counter(rect.get("class", "") for rect in rects if rect.find(f"{SVG}title") is not None)


def test_every_variant_has_a_well_formed_picture() -> None:
    for variant in load_project(Path(__file__).parents[2]).variants.values():
        root = ElementTree.fromstring(layer_drawing.draw(layer_path.describe(variant, MALLOC)))
        words = " ".join(text.text or "" for text in root.iter(f"{SVG}text"))
        assert all(layer.title in words for layer in variant.layers)


def test_no_text_of_a_box_runs_into_another() -> None:
    wide = {"soft": 6.6, "title": 8.5}  # width of a letter in pixels, in a wide font
    for variant in load_project(Path(__file__).parents[2]).variants.values():
        lines: dict[str, list[tuple[float, float]]] = {}
        for text in ElementTree.fromstring(layer_drawing.draw(layer_path.describe(variant, MALLOC))).iter(
            f"{SVG}text"
        ):
            *ends, kind = (text.get("class") or "soft").split()
            x, length = float(text.get("x", 0)), wide[kind] * len(text.text or "")
            if ends != ["mid"]:
                lines.setdefault(text.get("y", ""), []).append((x - length, x) if ends else (x, x + length))
        for spans in map(sorted, lines.values()):
            assert all(left[1] < right[0] for left, right in itertools.pairwise(spans)), variant.name


def costs(shares: dict[str, float]) -> LayerCosts:
    """The counts of layers that served these shares of the requests."""
    nothing = dict.fromkeys(
        ("entries", "hits", "misses", "offered", "accepted", "refused", "refilled", "topped_up", "taken_in",
         "handed_up", "spilled", "drained", "held_bytes", "peak_bytes"), 0,
    )  # fmt: skip
    layers = {
        name: LayerCost(
            **nothing, hit_rate=None, share=share, kept_rate=None, classes={}, cost=None, code=None,
            without=Without(None, None, None),
        )
        for name, share in shares.items()
    }  # fmt: skip
    load = LoadCosts(100, 100, 0, {"running": 0}, layers, NotMeasured("no valgrind"))
    return LayerCosts(tuple(shares), {}, (), {"churn": load}, None, "./sconsw layers")


def test_arrows_show_how_many_of_the_requests_go_on_where_that_was_counted() -> None:
    about = samples.about()
    counted = costs({about.layers[0].name: 0.75, about.layers[1].name: 0.2})
    assert "miss, 25.00% of the requests go on" in layer_drawing.draw(about, counted)
    assert "miss, 5.00% of the requests go on" in layer_drawing.draw(about, counted)
    for nothing in (None, NotMeasured("not counted yet")):
        assert "go on" not in layer_drawing.draw(about, nothing)


def test_classes_that_several_caches_serve_are_marked() -> None:
    found = squares(layer_drawing.draw(samples.about()))
    assert found == Counter({"own": 1, "share": 2, "not": 1, "later": 2})


def test_a_layer_that_is_off_by_default_has_a_dashed_box() -> None:
    root = ElementTree.fromstring(layer_drawing.draw(samples.about()))
    dashed = [rect for rect in root.iter(f"{SVG}rect") if rect.get("class") == "box unset"]
    assert len(dashed) == 2  # the layer, and its label in the legend


def test_texts_of_the_spec_are_escaped() -> None:
    about = samples.about()
    first = replace(about.layers[0], title="<script>&")
    svg = layer_drawing.draw(replace(about, layers=(first, *about.layers[1:])))
    assert "<script>" not in svg
    assert "&lt;script&gt;&amp;" in svg


def test_colours_follow_light_and_dark() -> None:
    assert "@media (prefers-color-scheme:dark)" in layer_drawing.draw(samples.about())
