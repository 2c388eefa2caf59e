"""Print a result record in every form that a reader or a machine asks for.

Reads the record of `results.collect`; `write_all` writes results.json, results.md, junit.xml, index.html and
story.md. Nothing heavy is imported before it is needed, so that naming this package costs a null build
nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

Record = dict[str, Any]

JSON_NAME = "results.json"
MARKDOWN_NAME = "results.md"
JUNIT_NAME = "junit.xml"
HTML_NAME = "index.html"
STORY_NAME = "story.md"
CELLS = "cells"  # a folder with a page for each


def write_all(results: Record, out_dir: Path) -> list[Path]:
    """Write every report; returns the files, the page for people first."""
    from layermatrix.report import html, jsonfile, junit, markdown, storybook

    out_dir.mkdir(parents=True, exist_ok=True)
    written = []
    for name, render in (
        (HTML_NAME, html.render),
        (JSON_NAME, jsonfile.render),
        (MARKDOWN_NAME, markdown.render),
        (JUNIT_NAME, junit.render),
        (STORY_NAME, storybook.render),
    ):
        file = out_dir / name
        write(file, render(results))
        written.append(file)
    write_cells(results, out_dir / CELLS)
    return written


def write_cells(results: Record, folder: Path) -> None:
    """A page for each cell; pages of cells that are no longer there are removed."""
    from layermatrix.report import cellpage

    folder.mkdir(exist_ok=True)
    pages = {folder / f"{cell['id']}.html": cell for cell in results["cells"]}
    for old in set(folder.glob("*.html")) - pages.keys():
        old.unlink()
    for file, cell in pages.items():
        write(file, cellpage.render(results, cell))


def write_story(results: Record, out_dir: Path) -> str:
    """Write story.md alone; returns its text."""
    from layermatrix.report import storybook

    out_dir.mkdir(parents=True, exist_ok=True)
    text = storybook.render(results)
    write(out_dir / STORY_NAME, text)
    return text


def write(file: Path, text: str) -> None:
    """Whole or not at all: a reader never sees half a report."""
    part = file.with_name(file.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(file)
