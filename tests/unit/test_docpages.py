"""`pages`: the output of tests of several variants becomes a page of docs/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import toy_specs

from layermatrix.core import process
from layermatrix.jobs import docpages
from layermatrix.model.measuring import Page
from layermatrix.spec.loader import load_project

PAGE = Page("table", "Who finds what.", "test_it", "found:", ("base", "other"))
BOTH = {"base": {("crash", "big"): "-"}, "other": {("crash", "big"): "at once"}}


def program_that(status: int, stdout: bytes = b"", stderr: bytes = b"") -> process.Run:
    def run(*words: Any, **_options: Any) -> process.Finished:
        named = f'{{"library": "{Path("libtoy.so").absolute()}"}}\n'.encode()
        return process.Finished(tuple(words[0]), status, stdout + named, stderr, 0.1)

    return run


def entries_from(run: process.Run) -> docpages.Entries:
    return docpages.run_test(Path("bin/test_it"), Path("libtoy.so"), "found:", 10.0, run)


def test_the_marked_lines_of_a_test_are_its_entries_in_their_order() -> None:
    entries = b"  a case\nfound: crash | big | -\n    1 ms\nfound: crash | small | at once\n"
    assert list(entries_from(program_that(0, entries)).items()) == [
        (("crash", "big"), "-"),
        (("crash", "small"), "at once"),
    ]


def test_a_test_that_fails_makes_no_page() -> None:
    with pytest.raises(docpages.PageError, match=r"bin/test_it: exit status 1: it\.c:7: wrong"):
        entries_from(program_that(1, b"found: crash | big | -\n", b"it.c:7: wrong\n"))


def test_a_test_that_prints_nothing_makes_no_page() -> None:
    with pytest.raises(docpages.PageError, match="printed no line that begins with 'found:'"):
        entries_from(program_that(0, b"  a case\n"))


@pytest.mark.parametrize("line", ["found: crash | big", "found: crash | | -", "found: a | b | c | d"])
def test_a_line_of_another_form_is_not_guessed_at(line: str) -> None:
    with pytest.raises(docpages.PageError, match="is not 'found: row"):
        docpages.entries_of(line, "found:")


def test_the_words_of_all_variants_stand_side_by_side() -> None:
    assert docpages.rows_of(BOTH) == [docpages.Row("crash", "big", {"base": "-", "other": "at once"})]


@pytest.mark.parametrize("lacking", ["base", "other"])
def test_every_variant_has_to_have_an_entry_in_each_row(lacking: str) -> None:
    with pytest.raises(docpages.PageError, match="crash, big: not every variant has this entry"):
        docpages.rows_of({**BOTH, lacking: {}})


def test_the_template_prints_the_rows(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    template = "{{ page.doc }}\n{% for row in rows %}\n{{ row.name }}: {{ row.words.other }}\n{% endfor %}\n"
    (folder / "table.md.j2").write_text(template, encoding="utf-8")
    assert docpages.render(PAGE, docpages.rows_of(BOTH), tmp_path) == "Who finds what.\ncrash: at once\n"


def test_a_template_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(docpages.PageError, match=r"docs/table\.md\.j2 is missing"):
        docpages.render(PAGE, [], tmp_path)


def test_the_difference_shows_both_sides() -> None:
    assert docpages.difference("a\nb\n", "a\nb\n") == ""
    assert docpages.difference("a\nb\n", "a\nc\n").splitlines()[-2:] == ["-b", "+c"]


PAGES = """
pages:
  table: {doc: Who finds what., test: test_it, mark: 'found:', variants: [VARIANT]}
"""


def test_the_spec_declares_which_pages_there_are(project: Any) -> None:
    root = project(matrix=toy_specs.MATRIX + PAGES.replace("VARIANT", "base"))
    found = load_project(root).matrix.pages
    assert found == {"table": Page("table", "Who finds what.", "test_it", "found:", ("base",))}


def test_without_pages_there_are_none(project: Any) -> None:
    assert load_project(project()).matrix.pages == {}


def test_a_variant_that_there_is_not_is_a_mistake(mistakes: Any) -> None:
    (entries,) = mistakes(matrix=toy_specs.MATRIX + PAGES.replace("VARIANT", "bsae"))
    assert entries.endswith("error: unknown variant 'bsae'; did you mean 'base'?")
