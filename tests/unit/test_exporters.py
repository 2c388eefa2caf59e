"""The exporters write their files atomically, and write equal files for equal records."""

from __future__ import annotations

import json
from pathlib import Path

import report_samples as samples

from layermatrix.report import exporter, registry

NAMES = {"index.html", "results.json", "results.md", "junit.xml", "story.md"}


def written(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()
    }


def test_all_reports_are_written_whole(tmp_path: Path) -> None:
    record = samples.phases()
    registry.write_all(record, tmp_path)
    pages = {f"cells/{cell.id}.html" for cell in record.cells}
    assert set(written(tmp_path)) == NAMES | pages
    assert len(json.loads(written(tmp_path)["results.json"])["cells"]) == 4


def test_the_same_record_prints_the_same_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        registry.write_all(samples.phases(), tmp_path / name)
    assert written(tmp_path / "one") == written(tmp_path / "two")


def test_pages_of_cells_that_are_gone_are_removed(tmp_path: Path) -> None:
    registry.write_all(samples.phases(), tmp_path)
    registry.write_all(samples.record([samples.cell("old")]), tmp_path)
    assert [file.name for file in (tmp_path / "cells").iterdir()] == ["old-release-gcc.html"]


def test_an_exporter_leaves_the_files_of_others_alone(tmp_path: Path) -> None:
    (tmp_path / "peers.json").write_text("{}")
    exporter.single("cells.txt", lambda results: f"{len(results.cells)}\n").write(samples.phases(), tmp_path)
    assert written(tmp_path) == {"peers.json": b"{}", "cells.txt": b"4\n"}
