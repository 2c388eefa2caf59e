"""A spec with mistakes: every mistake is reported with its place, and nothing is built."""

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


def test_an_unknown_layer_is_reported_with_its_place_and_a_suggestion(fresh: Project, cc: str) -> None:
    fresh.edit("variants/phase0.yaml", "  - unified_cache", "  - unified_cahce")
    run = fresh.scons("libs")
    assert_refused(run, "variants/phase0.yaml:7:5: error: unknown layer 'unified_cahce'")
    assert "did you mean 'unified_cache'?" in run.stderr
    assert not fresh.path(f"build/phase2-release-{cc}").exists(), (
        "a variant without mistakes is not built, either"
    )


def test_every_mistake_of_every_file_is_reported_at_once(fresh: Project) -> None:
    fresh.edit("variants/phase0.yaml", "layout: unity", "layout: unitty")
    fresh.edit("variants/phase3.yaml", "extends: phase2", "extends: phase22")
    fresh.edit("variants/matrix.yaml", "rounds: 10\n", "rounds: seven\n")
    run = fresh.scons("libs")
    assert_refused(run)
    lines = run.stderr.splitlines()
    assert len(lines) == 3, run.stderr
    assert [line.split(":")[0] for line in lines] == sorted(
        f"variants/{name}.yaml" for name in ("matrix", "phase0", "phase3")
    )


TYPOS = [
    ("layers.yaml", "    - heap/shared_pool.c", "    - heap/shared_pol.c",
     "no file 'csrc/heap/shared_pol.c'; did you mean 'heap/shared_pool.c'?"),
    ("layers.yaml", "probe: tiny_probe_alloc", "probe: tiny_probe_aloc",
     "csrc/probe/tiny_probe.c has no function 'tiny_probe_aloc'; did you mean 'tiny_probe_alloc'?"),
    ("layers.yaml", "    capacity: 32\n", "    capacity: 032\n",
     "not '032'; write it without quotes and leading zeroes"),
    ("matrix.yaml", "tests/csrc/test_*.c,", "tests/csrc/tset_*.c,", "no file matches 'tests/csrc/tset_*.c'"),
    ("matrix.yaml", "scripts: tests/programs/*.sh", "scripts: tests/programs/*.bash",
     "no file matches 'tests/programs/*.bash'"),
    ("matrix.yaml", "program: bench_larson\n    args", "program: bench_larsen\n    args",
     "no C file is called 'bench_larsen'; did you mean 'bench_larson'?"),
    ("matrix.yaml", "rounds: 10\n", "rounds: 1:30\n",
     "'rounds' must be a whole number from 1 to 1000, not '1:30'"),
    ("phase0.yaml", 'mops: "23.6"', "mops: very fast", "'mops' must be a figure or a range of two"),
    ("phase2.yaml", "fast_path: ultra", "fast_path: ultra\n  capacity: {ring_cache: 64}",
     "layer 'ring_cache' is not in this variant"),
]  # fmt: skip


def test_a_typo_in_a_name_of_something_is_reported_with_its_place(fresh: Project) -> None:
    for file, old, new, _ in TYPOS:
        text = fresh.read(f"variants/{file}")
        fresh.write(f"variants/{file}", text.replace(old, new, 1))
    fresh.write("variants/x.yml", "doc: It is not read.\n")
    run = fresh.scons("libs")
    assert_refused(run, *(what for *_, what in TYPOS))
    stray = "x.yml:1:1: error: is not read: the name of a spec file ends in .yaml; rename it to x.yaml"
    assert f"variants/{stray}" in run.stderr
    assert len(run.stderr.splitlines()) == sum(1 for *_, what in TYPOS) + 1, run.stderr


def test_yaml_that_cannot_be_read_is_reported_with_its_place(fresh: Project) -> None:
    fresh.write("variants/phase1.yaml", "doc: [unclosed\n")
    assert_refused(fresh.scons("libs"), "variants/phase1.yaml:2:1: error:")


def test_a_job_stops_at_a_mistake_as_a_build_does(fresh: Project) -> None:
    fresh.edit("variants/phase0.yaml", "  - unified_cache", "  - unified_cahce")
    for job in ("phases", "matrix", "test", "report", "list", "explain"):
        assert_refused(fresh.scons(job), "unknown layer 'unified_cahce'")


def test_a_mistake_in_a_template_is_reported_with_its_line(project: Project) -> None:
    project.append("templates/storage/ring.h.j2", "{% if %}\n")
    run = project.scons("libs")
    assert run.status == 2
    assert "templates/storage/ring.h.j2:" in run.stderr
    assert "Traceback" not in run.stderr
    assert run.actions == []


def test_an_undefined_name_in_a_template_fails_the_cells_that_print_it(project: Project, cc: str) -> None:
    project.edit(
        "templates/storage/ring.h.j2",
        "typedef struct {{ layer.name }}_ring {",
        "{{ laier }}typedef struct {{ layer.name }}_ring {",
    )
    run = project.scons("-k", "libs")
    assert run.status == 2
    assert "laier" in run.stderr
    assert "Traceback" not in run.stderr
    assert run.cells == {f"phase0-release-{cc}", f"phase1-release-{cc}"}
    assert run.made("CC") == []
