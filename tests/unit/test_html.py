"""index.html: self-contained, escaped, and complete."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import report_samples as samples

from layermatrix.analysis.results import LeftOut
from layermatrix.build.failure import Failure
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import registry
from layermatrix.evidence.kind import Status
from layermatrix.report import html

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
        if self.open[-1:] not in (["script"], ["style"]):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(html.render(samples.phases(peers=samples.peers())))


def test_tags_are_closed_in_order(page: Page) -> None:
    assert page.open == []


def test_the_page_loads_nothing(page: Page) -> None:
    assert not {"link", "img", "iframe", "object"} & set(page.tags)
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    assert ("content", policy) in page.attributes  # so a browser refuses what the page would load
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
    for cell in ("old-release-gcc", "old-debug-gcc"):
        assert f"Everything that is known of {cell}" in page.text


def test_logs_and_names_are_escaped() -> None:
    bad = samples.program("<b>test</b>", Status.FAILED, "<i>why</i>", "<script>alert(1)</script>")
    text = html.render(samples.record([samples.cell("mid", doc="<u>", tests=samples.tests(bad))]))
    for tag in ("<script>alert", "<i>why", "<b>test"):
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
    assert "<dt>tests</dt><dd>test_basic, test_threads</dd>" in text
    assert '<th scope="row">guards</th><td>nothing left</td>' in text
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


def test_rows_without_any_figure_are_listed_below_their_table() -> None:
    cells = [samples.cell("old")]
    cells += [
        samples.without("mid", "bench", "counters", "asm", "code", id=f"mid-{number}", reason="not today")
        for number in range(3)
    ]
    made = Page(html.render(samples.record(cells)))
    assert "3 rows without any figure" in made.text
    assert "not today mid-0, mid-1, mid-2" in made.text
    two = Page(html.render(samples.record(cells[:-1])))
    assert "without any figure" not in two.text


def test_left_out_cells_are_folded_by_their_reason_with_their_number() -> None:
    left_out = tuple(LeftOut(f"old-{number}", "no compiler") for number in range(70))
    made = Page(html.render(samples.record([samples.cell("old")], left_out=left_out)))
    assert "no compiler 70 cells" in made.text


def test_an_empty_record_makes_a_page() -> None:
    assert "Nothing was measured that could be drawn." in Page(html.render(samples.record([]))).text


def test_the_page_follows_light_and_dark() -> None:
    assert "prefers-color-scheme:dark" in html.render(samples.phases())


def test_every_table_has_a_caption_and_every_heading_a_scope() -> None:
    text = html.render(samples.phases(peers=samples.peers())).partition("<script")[0]
    tables = re.findall(r"<table.*?</table>", text, re.DOTALL)
    assert len(tables) > 10
    for table in tables:
        assert table.count("<caption>") == 1, table[:200]
    assert not re.findall(r"<th(?! scope=\"(?:col|row)\")[ >]", text)


def test_no_id_stands_twice(page: Page) -> None:
    ids = [value or "" for name, value in page.attributes if name == "id"]
    assert sorted(ids) == sorted(set(ids))


def test_a_table_of_few_rows_and_many_figures_is_turned(page: Page) -> None:
    """The table of the code has 4 variants and 20 figures: it is a column for each variant."""
    assert ("class", "figures turned") in page.attributes
    few = samples.record([samples.cell(name, mode=mode) for name in samples.LINEAGE for mode in "abc"])
    assert 'class="figures sortable" id="table-the-code"' in html.render(few)


def test_the_figures_of_all_units_stand_in_the_page_without_a_script() -> None:
    text = html.render(samples.phases(peers=samples.peers()))
    square = re.search(r'>swap</th><td[^>]*title="([^"]*)">(.*?)</td>', text)
    assert square is not None
    exact = "100.0 Mops/s (99.0 to 101.0); 1.250 of the speed of quick; 2.000 of system malloc"
    assert square[1] == exact
    units = {"best": "1.25", "base": "2.00", "absolute": "100.0"}
    for unit, shown in units.items():
        assert f'<span class="{unit}">{shown}</span>' in square[2]


def test_the_page_stays_small_with_many_loads_libraries_and_cells(tmp_path: Path) -> None:
    """70 loads, 9 libraries, 80 cells. The limit is 3 MiB."""
    names = [f"a_load_with_a_long_name_{number}" for number in range(70)]
    loads = {name: replace(samples.peer_loads()["swap"], name=name, scale=None) for name in names}
    others = [f"library_{number}" for number in range(6)]
    cells = [samples.cell(name, mode=f"m{number}") for name in samples.LINEAGE for number in range(20)]
    record = samples.record(cells, peers=samples.peers(3, loads, others))
    html.EXPORTER.write(record, tmp_path / "report")
    assert (tmp_path / "report/index.html").stat().st_size < 3 * 2**20


def test_of_many_cells_the_page_has_the_evidence_of_those_that_failed() -> None:
    cells = [samples.cell(name, mode=f"m{number}") for name in samples.LINEAGE for number in range(5)]
    bad = samples.cell("mid", mode="bad", guards=samples.failed_guards())
    text = html.render(samples.record([*cells, bad]))
    assert "Everything that is known of mid-bad-gcc" in text
    assert "Everything that is known of mid-m1-gcc" not in text
    assert '<a href="cells/mid-m1-gcc.html">' in text


def test_charts_are_kept_beside_the_reports_and_old_ones_are_deleted(tmp_path: Path) -> None:
    first = samples.phases(peers=samples.peers())
    html.EXPORTER.write(first, tmp_path / "report")
    kept = {file.name for file in (tmp_path / "charts").iterdir()}
    assert sum(name.endswith(".js") for name in kept) == 1
    text = (tmp_path / "report/index.html").read_text(encoding="utf-8")
    html.EXPORTER.write(first, tmp_path / "report")
    assert {file.name for file in (tmp_path / "charts").iterdir()} == kept
    html.EXPORTER.write(samples.phases(), tmp_path / "report")
    assert len({file.name for file in (tmp_path / "charts").iterdir()} & kept) < len(kept)
    html.EXPORTER.write(first, tmp_path / "report")
    assert (tmp_path / "report/index.html").read_text(encoding="utf-8") == text


def test_a_damaged_kept_chart_is_made_again(tmp_path: Path) -> None:
    record = samples.record([samples.cell("old"), samples.cell("mid")])
    whole = html.render(record, tmp_path)
    for file in tmp_path.iterdir():
        file.write_text("half of it", encoding="utf-8")
    assert html.render(record, tmp_path) == whole
