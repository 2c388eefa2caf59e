"""The site of docs/: links lead somewhere, the navigation is complete, the reference is up to date."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from layermatrix.jobs import reference, registry

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))


def test_the_reference_matches_the_code() -> None:
    stale = reference.differing(ROOT, reference.texts(registry.TARGETS))
    assert stale == [], "./sconsw reference --accept writes docs/reference/"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_of_a_page_leads_to_a_page_of_the_site(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not re.match(r"https?:", link):
            target = (page.parent / link).resolve()
            assert target.is_file(), f"{link} leads nowhere"
            assert target.is_relative_to(ROOT / "docs"), f"{link} is not part of the site"


def test_the_navigation_names_every_page_once() -> None:
    named = list(_files(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]))
    assert len(named) == len(set(named))
    assert set(named) == {page.relative_to(ROOT / "docs").as_posix() for page in PAGES}


def _files(part: Any) -> list[str]:
    if isinstance(part, str):
        return [part]
    inner = part.values() if isinstance(part, dict) else part
    return [name for one in inner for name in _files(one)]


def test_the_reference_documents_what_there_is() -> None:
    pages = reference.texts(registry.TARGETS)
    for target in registry.TARGETS:
        assert f"| `{target.name}` |" in pages["command-line.md"]
    for name in ("LayeredProject", "LayeredCells", "LayeredEvidence", "LAYERED_SANITIZERS"):
        assert name in pages["methods.md"]
    for text in ("unknown {...} {...}", "is nested more than {...} deep", "new needs one of layer=NAME"):
        assert text in pages["messages.md"]


def test_every_construction_variable_of_the_tool_is_documented() -> None:
    own = {"LAYERED_TEMPLATES", "LAYERED_IDENTITY", "LAYERED_SHIPPED"}  # between the modules of the tool
    text = "".join(
        (ROOT / "docs" / page).read_text(encoding="utf-8")
        for page in ("scons-tool.md", "reference/methods.md")
    )
    for path in (ROOT / "site_scons/layermatrix/scons").glob("*.py"):
        used = set(re.findall(r"\[\"(LAYERED_[A-Z]+)\"\]", path.read_text(encoding="utf-8")))
        assert [name for name in used - own if name not in text] == [], path.name
