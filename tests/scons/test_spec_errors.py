"""A spec with a mistake: every mistake is told with its place, and nothing at all is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.scons.conftest import Project, Run


def assert_refused(run: Run, *messages: str) -> None:
    assert run.status == 2
    assert run.actions == []
    assert run.stdout == ""
    assert "Traceback" not in run.stderr
    for message in messages:
        assert message in run.stderr


def test_an_unknown_layer_is_told_with_its_place_and_a_suggestion(fresh: Project, cc: str) -> None:
    fresh.edit("variants/phase0.yaml", "  - unified_cache", "  - unified_cahce")
    run = fresh.scons("libs")
    assert_refused(run, "variants/phase0.yaml:6:5: error: unknown layer 'unified_cahce'")
    assert "did you mean 'unified_cache'?" in run.stderr
    assert not fresh.path(f"build/phase2-release-{cc}").exists(), (
        "a variant without mistakes is not built, either"
    )


def test_every_mistake_of_every_file_is_told_at_once(fresh: Project) -> None:
    fresh.edit("variants/phase0.yaml", "layout: unity", "layout: unitty")
    fresh.edit("variants/phase3.yaml", "extends: phase2", "extends: phase22")
    fresh.edit("variants/matrix.yaml", "rounds: 7", "rounds: seven")
    run = fresh.scons("libs")
    assert_refused(run)
    lines = run.stderr.splitlines()
    assert len(lines) == 3, run.stderr
    assert [line.split(":")[0] for line in lines] == sorted(
        f"variants/{name}.yaml" for name in ("matrix", "phase0", "phase3")
    )


def test_yaml_that_cannot_be_read_is_told_with_its_place(fresh: Project) -> None:
    fresh.write("variants/phase1.yaml", "doc: [unclosed\n")
    assert_refused(fresh.scons("libs"), "variants/phase1.yaml:2:1: error:")


def test_a_job_stops_at_a_mistake_as_a_build_does(fresh: Project) -> None:
    fresh.edit("variants/phase0.yaml", "  - unified_cache", "  - unified_cahce")
    for job in ("phases", "matrix", "test", "report", "list", "explain"):
        assert_refused(fresh.scons(job), "unknown layer 'unified_cahce'")


def test_a_mistake_in_a_template_is_told_with_its_line(project: Project) -> None:
    project.append("templates/layers/ring_cache.h.j2", "{% if %}\n")
    run = project.scons("libs")
    assert run.status == 2
    assert "templates/layers/ring_cache.h.j2:" in run.stderr
    assert "Traceback" not in run.stderr
    assert run.actions == []


def test_an_undefined_name_in_a_template_fails_the_cells_that_print_it(project: Project, cc: str) -> None:
    project.edit(
        "templates/layers/ring_cache.h.j2",
        "{{ storage.state(layer) }}",
        "{{ storage.state(layer) }}{{ laier }}",
    )
    run = project.scons("-k", "libs")
    assert run.status == 2
    assert "laier" in run.stderr
    assert "Traceback" not in run.stderr
    assert run.cells == {f"phase0-release-{cc}", f"phase1-release-{cc}"}
    assert run.made("CC") == []
