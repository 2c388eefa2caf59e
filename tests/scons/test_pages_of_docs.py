"""The job `pages`: docs/ contains exactly what the tests print."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.scons.conftest import Project

HARDENING = "docs/hardening.md"
FOUND = "| overflow by 1 byte, then free | small | - | - | at once | - | at once |"
CLAIMED = FOUND.replace("- | -", "- | at once")


def test_the_page_of_misuses_matches_the_runs(project: Project) -> None:
    checked_in = project.read(HARDENING)
    run = project.build("pages")
    assert f"{HARDENING} matches the tests' output" in run.stdout

    # a claim without a test
    project.edit(HARDENING, FOUND, CLAIMED)
    run = project.scons("pages")
    assert run.status == 1
    assert f"-{CLAIMED}\n+{FOUND}" in run.stdout
    assert f"{HARDENING} differs from the tests' output; --accept writes it" in run.stderr
    assert CLAIMED in project.read(HARDENING)  # without --accept, the job changes nothing
    project.build("pages", "--accept")
    assert project.read(HARDENING) == checked_in

    # an allocator that does not check its canaries
    project.edit(
        "csrc/hardened/tiny_notes.h",
        "!canary_is_whole_with(word, place.block, asked, place.end)",
        "word == 0",  # it never is
    )
    run = project.scons("pages")
    assert run.status == 1
    assert 'overflow by 1 byte, then free, small: should be "at once" (overflow)' in run.stderr
    assert project.read(HARDENING) == checked_in


def test_a_project_without_pages_is_reported_so(foreign: Project) -> None:
    run = foreign.scons("pages")
    assert run.status == 2
    assert "variants/matrix.yaml of this project has no 'pages'" in run.stderr
