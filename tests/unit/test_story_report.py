"""story.md: every figure comes from the record, and every part of the story is present."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import pytest
import report_samples as samples

from layermatrix.analysis.comparison import Experiments
from layermatrix.analysis.results import Results, document
from layermatrix.core.records import NotMeasured, plain
from layermatrix.model.cells import select
from layermatrix.report import markdown, story
from layermatrix.spec.loader import load_project

ROOT = Path(__file__).resolve().parents[2]
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
# Words with a digit that are not figures: names of caches, and footnotes.
NAMES = re.compile(r"\bL1\b|\b[DI]1\b|\[\d+\]|95 %|\bC\d+\b")


def numbers(text: str) -> set[str]:
    return set(NUMBER.findall(NAMES.sub("", text)))


def values(of: object) -> Iterator[float | str]:
    """Every number and every text in the results, except the sentences that are generated from them."""
    if isinstance(of, dict):
        for key, value in of.items():
            if key not in ("sentences", "why", "verdict", "text", "reason", "failed"):
                yield from values(value)
        if isinstance(of.get("i1_misses"), float):
            yield of["i1_misses"] + of["d1_misses"]  # the reported L1 misses are the sum of both
    elif isinstance(of, list):
        for value in of:
            yield from values(value)
    elif isinstance(of, (str, float)) or (isinstance(of, int) and not isinstance(of, bool)):
        yield of


def known(record: object) -> set[str]:
    """The printed forms of each number in a record, with up to three decimals."""
    found: set[str] = set()
    for value in values(record):
        if isinstance(value, str):
            found |= numbers(value)
        else:
            found |= {f"{abs(round(value, digits)):,.{digits}f}" for digits in range(4)}
    return found | {str(count) for count in lengths(record)}


def lengths(of: object) -> Iterator[int]:
    """The number of items in each list: layers, programs that passed, rounds."""
    if isinstance(of, list):
        yield len(of)
    for value in of.values() if isinstance(of, dict) else of if isinstance(of, list) else ():
        yield from lengths(value)


@pytest.fixture(scope="module")
def record() -> Results:
    return samples.phases()


@pytest.fixture(scope="module")
def text(record: Results) -> str:
    return story.render(record)


def test_every_number_of_the_story_stems_from_the_results(record: Results, text: str) -> None:
    assert isinstance(record.experiments, Experiments)
    compared = [pair.ratio for one in record.experiments.comparisons.values() for pair in one.pairs]
    stem = known(document(record)) | known(plain(compared)) | known(plain(story.shipped(record).story))
    assert len(numbers(text)) > 50
    assert numbers(text) - stem == set()


def test_no_figure_is_typed_in_the_template() -> None:
    source = (ROOT / "site_scons/layermatrix/report" / story.TEMPLATE).read_text(encoding="utf-8")
    printed = "".join(words for _, kind, words in jinja2.Environment().lex(source) if kind == "data")
    assert "Reported and measured" in printed
    assert numbers(printed) == set()


def test_a_changed_figure_changes_the_story(text: str) -> None:
    cells = [samples.cell("old", asm=samples.asm(777)), *map(samples.cell, samples.LINEAGE[1:])]
    changed = story.render(samples.record(cells))
    assert "old 777" in changed
    assert "777" not in text


def test_each_variant_names_what_was_removed_and_what_that_achieved(text: str) -> None:
    assert "## mid" in text
    steps = [line for line in text.splitlines() if line.startswith("| Instructions of alloc (after old)")]
    assert [step.split(" (after old)")[1] for step in steps] == [
        " | 800 | 300 | 0.38x | 0.50-0.60x | farther than reported |"
    ]
    assert "Changed since old: debug output always → guarded." in text


def test_variants_stand_in_the_order_of_their_descent() -> None:
    other = replace(samples.cell("split"), variant="apart", id="apart-release-gcc", lineage=("apart",))
    cells = [other, *(samples.cell(name) for name in ("new", "old", "mid"))]
    about = {cell.variant: samples.about(cell.variant) for cell in cells}
    text = story.render(samples.record(cells, variants=about))
    places = [text.index(f"\n## {name}\n") for name in ("old", "mid", "new", "apart")]
    assert places == sorted(places)


def test_what_is_not_as_reported_has_a_section_with_its_reason(text: str) -> None:
    begin = text.index("## Differences from the report, and why")
    section = text[begin : text.index("## Experiments")]
    assert "### new against system malloc: Speed on mixed" in section
    assert "Reported: 0.70-0.90x. Measured: 1.30x, better than reported." in section
    assert "- new and the system malloc, per op: instructions 9.5 and 40.0" in section
    assert "| instructions | 40.000 | 9.500 | 0.24x |" in section


def test_experiments_modules_and_switches_are_there(text: str) -> None:
    assert "Verdict: new. new is faster than mid on mixed: 1.198x" in text
    assert "| `sys_state.c` | 73 | *200-300* | fewer |" in text
    assert "| `SYS_RING` | Ring | off | What Ring does. |" in text
    assert "| `SYS_SPILL` | spill | off | Spill early. |" in text


def test_what_was_not_measured_gives_the_reason() -> None:
    none = NotMeasured("no experiment was made")
    cells = [samples.cell(name, counters=samples.NOT_INSTALLED) for name in ("old", "mid")]
    text = story.render(samples.record(cells, experiments=none))
    assert "Not measured: no experiment was made" in text
    assert "not measured: old: valgrind is not installed" in text


def test_a_variants_words_break_no_table() -> None:
    text = story.render(samples.record([samples.cell("old", doc="a|b <i> *c*")]))
    assert "a\\|b \\<i\\> \\*c\\*" in text


def test_other_configurations_are_not_in_the_story() -> None:
    cells = [samples.cell("old"), samples.cell("mid", mode="debug"), samples.cell("new", compiler="clang")]
    text = story.render(samples.record(cells))
    assert "## old" in text
    assert "## mid" not in text
    assert "## new" not in text


def test_every_switch_of_the_project_is_documented_and_listed() -> None:
    """Each switch has a description in the catalogue and a row in docs."""
    project = load_project(ROOT)
    catalogue = project.catalogue
    switches = [(layer.toggle.env, layer.doc) for layer in catalogue.layers.values() if layer.toggle]
    switches += [(option.env, option.doc) for option in catalogue.options.values() if option.env]
    rows = {row[0]: row[3] for row in _switch_rows(project)}
    assert len(switches) >= 12
    for env, doc in switches:
        if f"`{env}`" in rows:
            assert rows[f"`{env}`"].replace("\\", "") == doc
    env_variants = [variant for variant in project.variants.values() if variant.is_env]
    wanted = {layer.toggle.env for variant in env_variants for layer in variant.layers if layer.toggle}
    assert {f"`{env}`" for env in wanted} <= set(rows)


def test_the_page_in_docs_tells_of_the_variants_as_they_are() -> None:
    """If this fails because layers have changed since the story was accepted, run ./sconsw story --accept."""
    text = (ROOT / "docs" / "story.md").read_text(encoding="utf-8")
    project = load_project(ROOT)
    for variant in {cell.variant.name: cell.variant for cell in select(project).cells}.values():
        assert f"\n## {variant.name}\n" in text
        titles = ", ".join(layer.title for layer in variant.layers)
        assert f"- Layers: {markdown.escape(titles)}." in text


def _switch_rows(project: Any) -> list[list[str]]:
    from layermatrix.analysis import layer_path
    from layermatrix.profiles.malloc.profile import MALLOC

    about = {name: layer_path.describe(variant, MALLOC) for name, variant in project.variants.items()}
    return [row for item in story.switches(samples.phases(variants=about)) for row in item["rows"]]
