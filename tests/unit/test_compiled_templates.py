"""Compiled templates are kept, and never used for another source or when they are damaged."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from layermatrix.core import templates
from layermatrix.core.compiled_templates import CompiledTemplates

NAME = "page.j2"


@pytest.fixture(autouse=True)
def _keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / NAME).write_text("{{ word }}, {{ 1 + 1 }}", encoding="utf-8")
    return tmp_path


def render(folder: Path) -> str:
    made = templates.environment(folder, autoescape=True, bytecode_cache=CompiledTemplates(folder))
    return made.get_template(NAME).render(word="<a>")


def kept(folder: Path) -> list[Path]:
    return list((folder / "__pycache__").glob("*"))


def test_a_template_is_compiled_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert render(folder) == "&lt;a&gt;, 2"
    (file,) = kept(folder)
    assert file.name.startswith(f"{NAME}.{sys.implementation.cache_tag}-jinja")
    monkeypatch.delattr("jinja2.environment.Environment.compile")
    assert render(folder) == "&lt;a&gt;, 2"


def test_a_changed_template_is_compiled_again(folder: Path) -> None:
    render(folder)
    (folder / NAME).write_text("{{ word }}!", encoding="utf-8")
    assert render(folder) == "&lt;a&gt;!"
    assert len(kept(folder)) == 1


@pytest.mark.parametrize("length", [0, 5, 12, 40, -1])
def test_a_damaged_file_is_made_again(folder: Path, length: int) -> None:
    render(folder)
    (file,) = kept(folder)
    whole = file.read_bytes()
    for damaged in (whole[:length], whole[:length] + b"\xff" * 20):
        file.write_bytes(damaged)
        assert render(folder) == "&lt;a&gt;, 2"
        assert file.read_bytes() == whole


def test_what_cannot_be_kept_is_compiled_each_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "__pycache__").write_text("no folder", encoding="ascii")
    assert render(folder) == "&lt;a&gt;, 2"
    (folder / "__pycache__").unlink()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert render(folder) == "&lt;a&gt;, 2"
    assert not kept(folder)
