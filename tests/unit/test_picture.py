"""The picture of a path: well-formed SVG that shows layers, classes and overlaps."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import report_samples as samples

from layermatrix.model import load_project
from layermatrix.report import picture

SVG = "{http://www.w3.org/2000/svg}"


def squares(svg: str) -> Counter[str]:
    """The kinds of the squares that carry a title: one for each layer and class."""
    rects = ElementTree.fromstring(svg).iter(f"{SVG}rect")
    return Counter(rect.get("class", "") for rect in rects if rect.find(f"{SVG}title") is not None)


def test_every_variant_has_a_well_formed_picture() -> None:
    for variant in load_project(Path(__file__).parents[2]).variants.values():
        root = ElementTree.fromstring(picture.path_svg(variant))
        words = " ".join(text.text or "" for text in root.iter(f"{SVG}text"))
        assert all(layer.title in words for layer in variant.layers)


def test_classes_that_several_caches_serve_are_marked() -> None:
    found = squares(picture.draw(samples.about()))
    assert found == Counter({"own": 1, "share": 2, "not": 1, "behind": 2})


def test_a_layer_that_is_off_by_default_has_a_dashed_box() -> None:
    root = ElementTree.fromstring(picture.draw(samples.about()))
    dashed = [rect for rect in root.iter(f"{SVG}rect") if rect.get("class") == "box unset"]
    assert len(dashed) == 2  # the layer, and its word in the legend


def test_texts_of_the_spec_are_escaped() -> None:
    about = samples.about()
    about["layers"][0]["title"] = "<script>&"
    svg = picture.draw(about)
    assert "<script>" not in svg
    assert "&lt;script&gt;&amp;" in svg


def test_colours_follow_light_and_dark() -> None:
    assert "@media (prefers-color-scheme:dark)" in picture.draw(samples.about())
