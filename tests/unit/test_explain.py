"""`explain` and `list`: a variant as text and boxes."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
import report_samples as samples

from layermatrix.analysis import layer_path
from layermatrix.model.cells import Cell
from layermatrix.model.project import Project
from layermatrix.profiles import registry
from layermatrix.profiles.malloc import sizes
from layermatrix.report import explain
from layermatrix.spec.loader import load_project


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(Path(__file__).parents[2])


def explained(project: Project, variant: str) -> str:
    profile = registry.of(project.catalogue.profile)
    return explain.explain(layer_path.describe(project.variants[variant], profile))


def test_layers_stand_in_the_order_in_which_they_are_tried(project: Project) -> None:
    text = explained(project, "phase0")
    titles = [layer.title for layer in project.variants["phase0"].layers]
    places = [text.index(f"┌─ {title} (") for title in titles]
    assert len(titles) == 11
    assert places == sorted(places)


def test_every_layer_shows_what_it_stores_and_what_switches_it(project: Project) -> None:
    text = explained(project, "phase0")
    assert "C2, C3, C5; ring, 128 blocks a class" in text
    assert "off; HAKMEM_TINY_ULTRA_HOT=1 switches it on" in text
    assert "every class; linked list, at most 256 KiB a class" in text
    assert "fills TLS SLL from the backend" in text


def test_classes_that_several_caches_serve_are_named_together(project: Project) -> None:
    text = " ".join(explained(project, "phase1").split())
    assert "FastCache, SFC, Unified Cache and Ring Cache all target C2/C3." in text
    assert "SFC and Unified Cache both target C4/C6/C7." in text
    assert "No class is served by more than one cache." in explained(project, "phase2")


def test_an_overflow_layer_does_not_overlap(project: Project) -> None:
    assert layer_path.overlaps(project.variants["phase2"].with_role("cache")) == []


def test_what_is_inlined_and_what_is_not_is_marked(project: Project) -> None:
    text = explained(project, "phase2")
    assert text.count("inlined in tiny_alloc_fast") == 1
    assert text.count("out of line") == 2


def test_lineage_settings_and_reported_figures_are_shown(project: Project) -> None:
    text = explained(project, "phase2")
    assert "lineage   phase0 -> phase1 -> phase2" in text
    assert "toggles fixed" in text
    assert "mops 70-90" in text
    assert "(not measured here)" in text


def test_size_classes_show_which_requests_they_serve(project: Project) -> None:
    lines = [" ".join(line.split()) for line in explained(project, "phase0").splitlines()]
    assert "class bytes serves requests of" in lines
    assert "C2 32 17 to 32 bytes" in lines
    assert "C0 8 none: blocks are aligned to 16 bytes" in lines


def test_size_ranges_leave_no_request_out(project: Project) -> None:
    variant = project.variants["phase2"]
    words = sizes.requests(variant.keys, int(variant.settings["min_align"])).values()
    ranges = [tuple(map(int, re.findall(r"\d+", text))) for text in words if not text.startswith("none")]
    assert ranges[0][0] == 0
    assert all(below[1] + 1 == above[0] for below, above in itertools.pairwise(ranges))
    assert ranges[-1][1] == variant.extra["max_size"]


def test_options_show_their_variable_and_default(project: Project) -> None:
    assert "hotmag = off: HAKMEM_TINY_HOTMAG (default off)" in explained(project, "phase0")
    text = explained(project, "phase2")
    assert "bg_remote = 64: fixed" in text
    assert "no runtime toggle" in text


def test_every_line_fits_the_screen(project: Project) -> None:
    for variant in project.variants.values():
        assert max(map(len, explained(project, variant.name).splitlines())) <= 108


def test_the_boxes_of_a_drawing_are_closed() -> None:
    lines = explain.drawing(samples.about())
    tops = [line for line in lines if "┌" in line]
    bottoms = [line for line in lines if "└" in line]
    assert len(tops) == len(bottoms) == 5
    assert {line.index("┐") for line in tops} == {line.index("┘") for line in bottoms}


def test_runs_of_classes_are_written_short() -> None:
    order = ["C0", "C1", "C2", "C3", "C4", "C5"]
    assert explain.runs(["C0", "C1", "C2", "C3"], order) == "C0-C3"
    assert explain.runs(["C5", "C2", "C3"], order) == "C2, C3, C5"


def test_bytes_are_written_in_the_largest_unit_that_is_exact() -> None:
    assert [explain.bytes_text(count) for count in (100, 1024, 1536, 262144, 1 << 21)] == [
        "100 bytes",
        "1 KiB",
        "1536 bytes",
        "256 KiB",
        "2 MiB",
    ]


def test_the_list_shows_variants_cells_and_what_is_left_out(project: Project) -> None:
    cells = [Cell(project.variants["phase2"], "release", "gcc")]
    left_out = [
        ("phase2-release-clang", "clang is not installed"),
        ("phase3-release-clang", "clang is not installed"),
    ]
    text = explain.list_variants(project, cells, left_out)
    assert "phase2  (variants/phase2.yaml)" in text
    assert "layers: Unified Cache -> TLS SLL -> Legacy refill" in text
    assert "Cells (1)" in text
    assert "phase2-release-clang, phase3-release-clang: clang is not installed" in text
