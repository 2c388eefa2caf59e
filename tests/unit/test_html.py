"""index.html: self-contained, escaped, and complete."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
import report_samples as samples

from layermatrix.build.failure import Failure
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import registry
from layermatrix.evidence.kind import Status
from layermatrix.report import charts, html

VOID = {"meta", "br", "img", "hr", "link", "input"}


class Page(HTMLParser):
    """Checks that tags are closed in order, and keeps ids, links and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(html.render(samples.phases()))


def test_tags_are_closed_in_order(page: Page) -> None:
    assert page.open == []


def test_the_page_loads_nothing_and_runs_nothing(page: Page) -> None:
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    for name, value in page.attributes:
        assert name not in ("src", "srcset", "onclick", "onload")
        if name == "href":
            assert (value or "").startswith(("#", "cells/"))
    assert "url(" not in page.text
    assert "@import" not in page.text


def test_links_inside_the_page_lead_somewhere(page: Page) -> None:
    ids = {value for name, value in page.attributes if name == "id"}
    links = {value or "" for name, value in page.attributes if name == "href"}
    assert {link[1:] for link in links if link.startswith("#")} <= ids
    cells = {f"cells/{variant}-release-gcc.html" for variant in samples.LINEAGE}
    assert {link for link in links if not link.startswith("#")} == cells


def test_figures_story_method_and_machine_are_on_the_page(page: Page) -> None:
    for words in (
        "1,600",
        "1.28-1.32",
        "1000-1200",
        "old 800 > mid 300",
        "decoded from the object",
        "Made-up CPU",
    ):
        assert words in page.text
    assert "reported, not measured here" in page.text


def test_experiments_stand_on_the_page_with_verdict_and_command(page: Page) -> None:
    for words in ("Mid or new?", "Verdict: new.", "no difference that this run can show", "./sconsw ab same"):
        assert words in page.text
    none = NotMeasured("no experiment was made")
    without = Page(html.render(samples.phases(experiments=none)))
    assert "not measured: no experiment was made" in without.text


def test_a_variant_has_a_picture_and_a_section_for_each_of_its_cells() -> None:
    record = samples.record([samples.cell("old"), samples.cell("old", mode="debug")])
    page = Page(html.render(record))
    assert page.attributes.count(("class", "lm")) == 1
    assert page.tags.count("details") == 2


def test_logs_and_names_are_escaped() -> None:
    bad = samples.program("<b>test</b>", Status.FAILED, "<i>why</i>", "<script>alert(1)</script>")
    text = html.render(samples.record([samples.cell("mid", doc="<u>", tests=samples.tests(bad))]))
    for tag in ("<script", "<i>why", "<b>test"):
        assert tag not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_a_failed_cell_is_shown_with_log_and_command() -> None:
    cell = samples.unbuilt("mid", failure=Failure("gcc -c x.c", "x.c:1:1: error: no", "x.o"))
    text = Page(html.render(samples.record([cell]))).text
    assert "build: x.o could not be built" in text
    assert "x.c:1:1: error: no" in text
    assert "./sconsw variant=mid mode=release compiler=gcc checks" in text


def test_every_check_of_a_cell_is_there_with_what_came_of_it() -> None:
    text = html.render(samples.record([samples.cell("mid", guards=samples.failed_guards())]))
    assert "<td>tests</td><td>test_threads</td>" in text
    assert "<td>guards</td><td>nothing left</td>" in text
    assert "puts in work is forbidden in a release: &lt;no output&gt;" in text


def test_every_kind_of_evidence_has_its_figures_with_each_cell() -> None:
    text = Page(html.render(samples.record([samples.cell("old")]))).text
    for kind in registry.KINDS:
        assert kind.title in text


def test_what_was_not_measured_gives_the_reason() -> None:
    kinds = {kind: NotMeasured(f"no {kind} here") for kind in ("asm", "guards", "counters", "bench")}
    text = Page(html.render(samples.record([samples.cell("mid", **kinds)]))).text
    for kind in kinds:
        assert f"not measured: no {kind} here" in text


def test_an_empty_record_makes_a_page() -> None:
    assert "Nothing was measured that could be drawn." in Page(html.render(samples.record([]))).text


def test_the_page_follows_light_and_dark() -> None:
    assert "prefers-color-scheme:dark" in html.render(samples.phases())


def test_a_chart_shows_each_cell_and_the_baselines_line() -> None:
    speed = charts.of_results(samples.phases())[0]
    assert [row.name for row in speed.rows] == list(samples.LINEAGE)
    assert speed.reference == (1.0, "system malloc")
    assert charts.draw(speed).count('class="bar s0"') == 4


def test_bars_grow_with_their_values_on_a_log_scale() -> None:
    code = next(chart for chart in charts.of_results(samples.phases()) if chart.log)
    widths = [
        float(width) for width in re.findall(r'class="bar s0"[^>]* width="([\d.]+)"', charts.draw(code))
    ]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > widths[-1] > 0


def test_a_bar_that_was_not_measured_is_no_bar() -> None:
    record = samples.record([samples.cell("old"), samples.cell("mid", bench=NotMeasured("it crashed"))])
    svg = charts.draw(charts.of_results(record)[0])
    assert svg.count('class="bar s0"') == 1
    assert "not measured: it crashed" in svg


def test_negative_counts_stay_inside_the_chart() -> None:
    cells = [samples.cell("old", counters=samples.counters(10, 0.0, -0.4)), samples.cell("mid")]
    misses = next(chart for chart in charts.of_results(samples.record(cells)) if chart.title == "L1 misses")
    xs = [float(x) for x in re.findall(r'class="bar s\d" x="([-\d.]+)"', charts.draw(misses))]
    assert min(xs) >= charts.LABELS


def test_ticks_are_round_numbers() -> None:
    assert charts.ticks(0, 1.4, log=False) == [0.0, 0.5, 1.0]
    assert charts.ticks(10, 10000, log=True) == [10, 100, 1000, 10000]
