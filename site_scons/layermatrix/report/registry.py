"""All exporters, the HTML page first. A new one is a module with an `EXPORTER` and its line here."""

from __future__ import annotations

from pathlib import Path

from layermatrix.analysis.results import Results
from layermatrix.report import cellpage, html, jsonfile, junit, markdown, story
from layermatrix.report.exporter import Exporter

EXPORTERS: tuple[Exporter, ...] = (
    html.EXPORTER,
    jsonfile.EXPORTER,
    markdown.EXPORTER,
    junit.EXPORTER,
    story.EXPORTER,
    cellpage.EXPORTER,
)


def write_all(results: Results, folder: Path) -> None:
    """Write every report."""
    for exporter in EXPORTERS:
        exporter.write(results, folder)
