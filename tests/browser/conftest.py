"""The report in a real browser: Debian's chromium, driven by playwright.

The report is rendered in this process from small results that the program makes itself, so nothing is built
or timed. A machine without chromium or playwright skips these tests, and names the package.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import large_store
import pytest
import report_samples as samples

from layermatrix.analysis import history
from layermatrix.report import cellpage, html
from layermatrix.store import database, recording
from layermatrix.store.entries import Measurement

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
COMMITS = 8
WIDE, NARROW = 1400, 390  # a screen and a telephone

Open = Callable[..., "Page"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder start a browser."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    reason = "{} is not installed; requirements-browser.lock has it"
    sync_api = pytest.importorskip("playwright.sync_api", reason=reason.format("playwright"))
    pytest.importorskip("axe_playwright_python", reason=reason.format("axe-playwright-python"))
    if CHROMIUM is None:
        pytest.skip("no chromium is installed (Debian: chromium)")
    # the sandbox of chromium refuses to run as root
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield started
        started.close()


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report in which every section has something to show."""
    folder = tmp_path_factory.mktemp("build")
    file = folder / "results.sqlite"
    with database.writable(file) as store:
        for number in range(COMMITS):
            figure = large_store.count(20.0 if number >= COMMITS / 2 else 10.0, load="mixed")
            recording.add(
                store, large_store.run(number), [Measurement(large_store.subject("old"), (figure,))]
            )
    busy = samples.conditions(1.4)
    results = samples.phases(
        peers=replace(samples.peers(), conditions=busy),
        history=history.collect(file, ["old-release-gcc"], "mixed"),
    )
    first, *others = results.cells
    timed = replace(samples.bench(0.5), conditions=busy)
    first = replace(first, evidence={**first.evidence, "bench": timed})
    results = replace(results, cells=(first, *others))
    for exporter in (html.EXPORTER, cellpage.EXPORTER):
        exporter.write(results, folder / "report")
    return folder / "report"


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[Open]:
    """Opens the page (or another file of the report) and fails if the browser complains about anything."""
    contexts, complaints = [], []

    def open_page(
        name: str = html.NAME,
        *,
        width: int = WIDE,
        scheme: str = "light",
        fragment: str = "",
        script: bool = True,
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=script,
            offline=True,
        )
        contexts.append(context)
        context.set_default_timeout(8000)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{(report / name).as_uri()}{fragment}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture
def unfold() -> Callable[[Page], None]:
    """Opens every section of a page, and waits until its charts are live."""

    from playwright.sync_api import expect

    def unfold_all(page: Page) -> None:
        page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        for figure in page.locator("[data-chart]").all():
            figure.scroll_into_view_if_needed()
        expect(page.locator(".live")).to_have_count(page.locator("[data-chart]").count())

    return unfold_all
