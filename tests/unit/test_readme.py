"""The generated parts of the README: those of this project equal what the accepted results give."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

import pytest
import report_samples as samples

from layermatrix.core.host import Host
from layermatrix.jobs import generated
from layermatrix.report import accepted, readme

ROOT = Path(__file__).resolve().parents[2]
HOST = Host("x86_64", "Made-up CPU", "f1", 2, "Linux 6", "glibc 2.36")
DAY = datetime.date(2026, 1, 31)
TEXT = "# A\n\n<!-- generated: {} -->\nold\n<!-- end -->\n\nthe rest\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with accepted results and a README with the part of the peers."""
    found = accepted.of_peers(samples.peers(), HOST, "./sconsw peers", DAY)
    accepted.PEERS.write(tmp_path / accepted.PEERS_FILE, found)
    shown = accepted.of_variants(samples.phases(), "./sconsw", DAY)
    accepted.VARIANTS.write(tmp_path / accepted.VARIANTS_FILE, shown)
    (tmp_path / "README.md").write_text(TEXT.format("peers"), encoding="utf-8")
    return tmp_path


def test_the_readme_of_this_project_is_what_its_accepted_results_give() -> None:
    made = readme.texts(ROOT)
    assert set(made) == {readme.README, readme.PICTURE}
    for file, text in made.items():
        assert (ROOT / file).read_text(encoding="utf-8") == text, f"{file}: ./sconsw pages --accept writes it"


def test_the_part_of_the_peers_has_the_answer_a_table_and_a_picture(root: Path) -> None:
    text = readme.texts(root)[readme.README]
    assert text.startswith("# A\n\n<!-- generated: peers -->\n\nOver 5 loads, mine reaches 1.05 of the speed")
    assert "| **all: 5 loads** | 0.47 | 0.64 | 0.72 | **1.05** |" in text
    assert "| peak memory, all | 1.00 | 1.50 | 2.00 | **2.50** |" in text
    assert "on 2026-01-31: 10 rounds of 5 loads on 2 cores of Made-up CPU, glibc 2.36" in " ".join(
        text.split()
    )
    assert text.endswith("<!-- end -->\n\nthe rest\n")


def test_the_part_of_the_variants_has_their_tables(root: Path) -> None:
    (root / "README.md").write_text(TEXT.format("variants"), encoding="utf-8")
    made = readme.texts(root)
    assert set(made) == {readme.README}
    assert "| **old** | 4 | 5 | 800 |" in made[readme.README]


def test_the_picture_follows_light_and_dark_and_needs_no_other_file(root: Path) -> None:
    drawn = readme.texts(root)[readme.PICTURE]
    assert drawn.startswith("<svg ")
    assert "prefers-color-scheme:dark" in drawn
    assert "url(" not in drawn.replace("url(#", "")
    for load in samples.PEER_SPEEDS:
        assert f">{load}<" in drawn


def test_files_that_differ_are_reported_and_accepted(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generated.compare(root) == 1
    printed = capsys.readouterr()
    assert "-old" in printed.out
    assert "README.md differs from the accepted results; --accept writes it" in printed.err
    assert generated.accept(root) == 0
    assert capsys.readouterr().out == "accepted: README.md\naccepted: docs/peers.svg\n"
    assert generated.compare(root) == 0
    assert generated.accept(root) == 0
    assert capsys.readouterr().out == ""


def test_a_readme_without_generated_parts_needs_nothing(tmp_path: Path) -> None:
    assert readme.texts(tmp_path) == {}
    (tmp_path / "README.md").write_text("# A\n", encoding="utf-8")
    assert generated.compare(tmp_path) == 0


def test_missing_results_and_misspelled_parts_are_named(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for text, words in (
        (TEXT.format("pears"), "README.md: no part has the name 'pears'; did you mean 'peers'?"),
        ("<!-- generated: peers -->\n", "README.md: a line `<!-- generated: NAME -->` has no `<!-- end -->`"),
    ):
        (root / "README.md").write_text(text, encoding="utf-8")
        assert generated.compare(root) == 1
        assert words in capsys.readouterr().err
    (root / "README.md").write_text(TEXT.format("peers"), encoding="utf-8")
    shutil.rmtree(root / "docs")
    assert generated.accept(root) == 1
    assert "docs/peers.results.json: there is no peers.results.json" in capsys.readouterr().err
