"""What a reader of the report can do: sort, filter, switch units, see exact figures, share a view."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import report_samples as samples

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from tests.browser.conftest import Open

    Unfold = Callable[[Page], None]

WIDE, NARROW = 1400, 390
TABLE = "#speed-table"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
CONTRAST = {"type": "rule", "values": ["color-contrast"]}


def column(page: Page, library: str) -> list[str]:
    """The shown figures of a library in the table of speeds."""
    heads = page.locator(f"{TABLE} thead th").all_inner_texts()
    place = next(index for index, head in enumerate(heads, 1) if head.startswith(library))
    cells = page.locator(f"{TABLE} tbody tr:visible td:nth-child({place}) span:visible")
    shown: list[str] = cells.all_inner_texts()
    return shown


def loads(page: Page) -> list[str]:
    shown: list[str] = page.locator(f"{TABLE} tbody tr:visible th").all_inner_texts()
    return shown


def unhide(page: Page) -> None:
    """Opens the sections around the table of speeds."""
    page.evaluate(
        "for (let p = document.querySelector('#speed-table'); p; p = p.parentElement)"
        " if (p.tagName === 'DETAILS') p.open = true"
    )


def test_a_click_on_a_heading_sorts_by_the_shown_figures(opened: Open) -> None:
    page = opened()
    unhide(page)
    head = page.locator(f"{TABLE} thead th[data-library='mine']")
    assert head.get_attribute("aria-sort") == "none"
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert loads(page) == ["swap", "four", "two", "fill_large", "fill"]
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert loads(page) == ["fill", "fill_large", "two", "four", "swap"]
    page.get_by_label("as measured").check()
    head.get_by_role("button").click()
    assert column(page, "mine") == ["100.0", "80.0", "70.0", "61.0", "45.0"]


def test_the_keyboard_reaches_a_heading_and_sorts(opened: Open) -> None:
    page = opened()
    unhide(page)
    page.locator(f"{TABLE} thead th button").first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator(f"{TABLE} thead th[data-library='mine']").get_attribute("aria-sort") == "descending"
    page.keyboard.press("Space")
    assert page.locator(f"{TABLE} thead th[data-library='mine']").get_attribute("aria-sort") == "ascending"


def test_filters_hide_loads_and_libraries_in_tables_and_charts(opened: Open) -> None:
    page = opened()
    unhide(page)
    page.locator("#speed-map").scroll_into_view_if_needed()
    expect(page.locator("#speed-map.live")).to_be_visible()
    page.get_by_label("small", exact=True).uncheck()
    page.get_by_label("lean", exact=True).uncheck()
    assert loads(page) == ["two", "four"]
    assert not page.locator(f"{TABLE} thead th[data-library='lean']").is_visible()
    assert page.locator(f"{TABLE} tbody tr").last.locator("td:visible").count() == 3
    expect(page.locator("#speed-map svg")).not_to_contain_text("swap")
    expect(page.locator("#speed-map svg")).not_to_contain_text("lean")
    page.get_by_role("button", name="Show everything").click()
    assert len(loads(page)) == 5
    expect(page.locator("#speed-map svg")).to_contain_text("swap")


def test_a_hidden_variant_is_hidden_in_charts_tables_and_sections(opened: Open, unfold: Unfold) -> None:
    page = opened()
    unfold(page)
    page.get_by_label("mid", exact=True).uncheck()
    expect(page.locator("#speed-mixed svg")).not_to_contain_text("mid")
    assert not page.locator("#path-mid").is_visible()
    heads = page.locator("#table-the-code thead th:visible").all_inner_texts()
    assert heads == ["figure", "system malloc", "old", "new", "split"]
    fields = page.locator("#table-the-code tbody tr").first.locator("td:visible").count()
    assert fields == len(heads) - 1


def test_units_change_the_figures_of_tables_and_charts(opened: Open) -> None:
    page = opened()
    unhide(page)
    page.locator("#speed-map").scroll_into_view_if_needed()
    expect(page.locator("#speed-map.live")).to_be_visible()
    expected = {
        "relative to the best other": "1.25",
        "relative to the system malloc": "2.00",
        "as measured": "100.0",
    }
    for label, figure in expected.items():
        page.get_by_label(label).check()
        assert column(page, "mine")[0] == figure
        expect(page.locator("#speed-map svg")).to_contain_text(figure)


def test_pointing_at_a_chart_shows_exact_figures(opened: Open, unfold: Unfold) -> None:
    page = opened()
    unfold(page)
    page.locator("#speed-map .mark-text.role-mark text").first.hover()
    box = page.locator("#vg-tooltip-element")
    box.wait_for(state="visible")
    assert "100.0 Mops/s (99.0 to 101.0)" in box.inner_text()
    assert "what swap does" in box.inner_text()
    page.mouse.move(0, 0)
    page.locator("#speed-mixed .mark-rect.role-mark path").first.hover(position={"x": 8, "y": 4})
    box.get_by_text("0.500x (0.480 to 0.520)").wait_for(state="visible")


def test_a_chart_of_a_busy_machine_shows_a_sign_which_its_legend_and_its_tooltip_explain(
    opened: Open, unfold: Unfold
) -> None:
    page = opened()
    unfold(page)
    chart = page.locator("#speed-mixed")
    assert chart.locator(".sign").inner_text().startswith(
        "The machine was busy during this run (load 3.1 on 2 CPUs, other processes used 1.4 of 2 CPUs)"
    )  # fmt: skip
    assert "the machine was busy during this run" in chart.locator(".legend").inner_text()
    sign = chart.locator("svg path[fill='var(--warn)']")
    assert sign.count() == 1
    sign.hover()
    box = page.locator("#vg-tooltip-element")
    box.get_by_text("busy: load 3.1").wait_for(state="visible")
    page.mouse.move(0, 0)
    page.locator("#speed-map .mark-text.role-mark text").first.hover()
    box.get_by_text("busy: load 3.1").wait_for(state="visible")


def test_a_chart_of_bars_fits_a_phone(opened: Open, unfold: Unfold) -> None:
    page = opened(width=NARROW)
    unfold(page)
    plot = page.locator("#speed-mixed .plot")
    assert plot.evaluate("(box) => box.scrollWidth <= box.clientWidth + 1")
    page.set_viewport_size({"width": WIDE, "height": 900})
    expect(page.locator("#speed-mixed svg")).to_be_visible()
    page.wait_for_function("document.querySelector('#speed-mixed svg').clientWidth > 600")


def test_the_address_holds_the_view(opened: Open) -> None:
    page = opened()
    unhide(page)
    page.get_by_label("as measured").check()
    page.get_by_label("lean", exact=True).uncheck()
    page.locator(f"{TABLE} thead th[data-library='mine']").get_by_role("button").click()
    fragment = page.url.partition("#")[2]
    assert fragment == ";units=absolute;libraries=lean;sort=speed-table%3A1%3Adescending"
    again = opened(fragment=f"#{fragment}")
    unhide(again)
    assert again.get_by_label("as measured").is_checked()
    assert not again.get_by_label("lean", exact=True).is_checked()
    assert column(again, "mine") == ["100.0", "80.0", "70.0", "61.0", "45.0"]
    assert not again.locator(f"{TABLE} thead th[data-library='lean']").is_visible()


@pytest.mark.parametrize(
    "fragment", ["#;units=none;libraries=%", "#no-such-part;sort=x:y:z", "#;sort=speed-table:99:up"]
)
def test_an_address_that_makes_no_sense_shows_everything(opened: Open, fragment: str) -> None:
    page = opened(fragment=fragment)
    unhide(page)
    assert len(loads(page)) == len(samples.PEER_SPEEDS)
    assert column(page, "mine")[0] == "1.25"


def test_a_link_to_a_closed_section_opens_it(opened: Open) -> None:
    page = opened()
    assert not page.locator("#budgets").is_visible()
    page.get_by_role("navigation").get_by_text("Budgets").click()
    assert page.locator("#budgets").is_visible()
    assert opened(fragment="#history").locator("#history").is_visible()


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("name", ["index.html", "cells/old-release-gcc.html"])
def test_nothing_scrolls_sideways_but_boxes_with_a_cue(
    opened: Open, unfold: Unfold, width: int, name: str
) -> None:
    page = opened(name, width=width)
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    cut_off = page.evaluate(
        """[...document.querySelectorAll('.wide, .plot')]
        .filter((box) => box.scrollWidth > box.clientWidth + 1)
        .filter((box) => getComputedStyle(box).overflowX !== 'auto').length"""
    )
    assert cut_off == 0
    if name == "index.html":
        cued = page.evaluate(
            """[...document.querySelectorAll('.wide, .plot')].every((box) =>
            (box.scrollWidth > box.clientWidth + 1) ===
            box.previousElementSibling.classList.contains('on'))"""
        )
        assert cued


def test_the_first_column_stays_in_sight(opened: Open, unfold: Unfold) -> None:
    page = opened(width=NARROW)
    unfold(page)
    box = page.locator(f".wide:has({TABLE})")
    before = page.locator(f"{TABLE} tbody th").first.bounding_box()
    box.evaluate("(element) => { element.scrollLeft = 150; }")
    after = page.locator(f"{TABLE} tbody th").first.bounding_box()
    assert before is not None
    assert after is not None
    assert after["x"] == before["x"]


@pytest.mark.parametrize(("scheme", "rules"), [("light", RULES), ("dark", CONTRAST)], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["index.html", "cells/old-release-gcc.html"])
def test_axe_finds_nothing(opened: Open, unfold: Unfold, scheme: str, rules: object, name: str) -> None:
    """Contrast, names, headings, tables and landmarks, with every section open. Nothing inside a picture is
    announced, and its colours have a test of their own."""
    from axe_playwright_python.sync_playwright import Axe

    page = opened(name, scheme=scheme)
    unfold(page)
    found = Axe().run(page, context={"exclude": [".plot svg"]}, options={"runOnly": rules})
    assert found.violations_count == 0, found.generate_report()


def test_dark_and_light_differ(opened: Open) -> None:
    colours = {
        opened(scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    }
    assert len(colours) == 2


def test_the_figures_are_there_without_a_script(opened: Open) -> None:
    page = opened(script=False)
    text = page.locator("main").inner_text()
    assert "mine reaches 1.05" in page.locator(".answer").inner_text()
    assert "Summary of 5 loads" in text
    assert page.locator("#speed-map svg").is_visible()
    assert not page.get_by_role("button", name="Show everything").is_visible()
    page.locator("summary", has_text="Speed as a table").click()
    assert column(page, "mine") == ["1.25", "0.78", "1.02", "1.12", "1.14"]
    page.get_by_label("as measured").check()
    assert column(page, "mine") == ["100.0", "70.0", "61.0", "45.0", "80.0"]
