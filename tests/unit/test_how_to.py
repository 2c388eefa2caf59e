"""The Python code of docs/how-to/ works as it is written there."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import report_samples as samples

from layermatrix.evidence.columns import View
from layermatrix.evidence.kind import Status

FOLDER = Path(__file__).resolve().parents[2] / "docs/how-to"


def module_of(page: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module in the page's only block of Python."""
    text = (FOLDER / page).read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    made = types.ModuleType("of_page")
    monkeypatch.setitem(sys.modules, made.__name__, made)  # where dataclasses look for their types
    exec(compile(code, page, "exec"), made.__dict__)
    return made


def test_the_exporter_writes_a_line_for_each_cell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    exporter = module_of("exporter.md", monkeypatch).EXPORTER
    exporter.write(samples.phases(), tmp_path)
    lines = (tmp_path / "cells.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "cell,variant,failed"
    assert len(lines) == 1 + len(samples.phases().cells)


def test_the_kind_of_evidence_judges_and_shows_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    made = module_of("evidence-kind.md", monkeypatch)
    small, large = made.Size(10), made.Size(made.LIMIT + 1)
    assert [made.KIND.judge(size)[0].status for size in (small, large)] == [Status.PASSED, Status.FAILED]
    (column,) = made.KIND.columns([small], View())
    assert column.figure(small).text == "10"
    assert made.KIND.is_gate
