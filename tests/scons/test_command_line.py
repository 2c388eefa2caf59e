"""The targets and variables of the command line, and the messages for mistakes in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from layermatrix.build import targets
from layermatrix.jobs import registry
from layermatrix.model.axes import BUILT_IN

if TYPE_CHECKING:
    from tests.scons.conftest import Project


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["variant=phse2", "libs"], "unknown variant 'phse2'; did you mean 'phase2'?"),
        (["mode=debgu"], "unknown mode 'debgu'; did you mean 'debug'?"),
        (["compiler=gc", "libs"], "unknown compiler 'gc'; did you mean 'gcc'?"),
        (["sanitizer=asn", "libs"], "unknown sanitizer 'asn'; did you mean 'asan'?"),
        (["vraiant=phase2", "libs"], "unknown variable 'vraiant'; did you mean 'variant'?"),
        (["libz"], "unknown target 'libz'; did you mean 'libs'?"),
        (["matrx"], "unknown target 'matrx'; did you mean 'matrix'?"),
        (["rounds=many", "bench"], "rounds=many: expected a whole number from 1 to 1000"),
        (["phases", "libs"], "'phases' and 'libs' cannot run together; run one after the other"),
        (["build/phse2-release-gcc/libhakmem.so"], "no cell is left: there is no phse2-release-gcc"),
        (["phases", "--jbos=3"], "no such option: --jbos=3"),
        (["matrix", "mode=debgu"], "unknown mode 'debgu'; did you mean 'debug'?"),
    ],
)
def test_a_slip_is_answered_in_one_line(project: Project, words: list[str], message: str) -> None:
    run = project.scons(*words)
    assert run.status == 2
    assert run.stderr.splitlines() == [message]
    assert run.actions == []


def test_a_cell_that_a_rule_leaves_out_is_refused_with_the_rules_reason(project: Project) -> None:
    run = project.scons("mode=release", "sanitizer=asan", "libs")
    assert run.status == 3, "nothing to do"
    assert run.stderr.splitlines() == ["no cell is left: sanitizers run in debug mode only"]


def test_help_names_every_variable_and_target_with_values_and_default(project: Project) -> None:
    run = project.build("-h")
    own = (*targets.COMMON, *targets.variables_of(registry.TARGETS).values())
    for variable in (*BUILT_IN, *(variable.name for variable in own)):
        assert f"\n  {variable}=" in run.stdout
    for target in registry.TARGETS:
        assert f"\n  {target.name} " in run.stdout
    assert "phase0, phase1, phase2, phase3" in run.stdout
    assert "; default: phase0,phase1,phase2,phase3\n" in run.stdout
    assert "values: release, debug, stats; default: release\n" in run.stdout
    assert "of the last selected cell to $DESTDIR$PREFIX\n" in run.stdout


def test_list_shows_variants_and_selected_cells(project: Project, cc: str) -> None:
    run = project.build("list", "variant=phase[12]")
    assert f"phase1-release-{cc}  phase2-release-{cc}" in run.stdout
    assert "variants/phase3.yaml" in run.stdout
    assert run.actions == []


def test_explain_shows_the_layers_of_a_variant_in_order(project: Project) -> None:
    run = project.build("explain", "variant=phase1")
    places = [
        run.stdout.index(title) for title in ("FastCache", "SFC", "Unified Cache", "Ring Cache", "TLS SLL")
    ]
    assert places == sorted(places)
    assert "HeapV2" not in run.stdout


def test_a_variant_and_a_mode_select_one_cell(project: Project, cc: str) -> None:
    run = project.build("variant=phase2", "mode=debug", "headers")
    assert run.actions == [f"GENERATE phase2-debug-{cc}/gen/tiny_alloc_fast_gen.h"]


def test_a_pattern_and_a_list_select_cells(project: Project, cc: str) -> None:
    assert project.build("variant=phase[01]", "mode=debug", "headers").cells == {
        f"phase0-debug-{cc}",
        f"phase1-debug-{cc}",
    }
    assert project.build("variant=phase2,phase3", "mode=debug", "headers").cells == {
        f"phase2-debug-{cc}",
        f"phase3-debug-{cc}",
    }


def test_a_files_path_selects_its_cell(project: Project, cc: str) -> None:
    run = project.build(f"build/phase3-debug-{cc}/obj/heap/large.o")
    assert run.made("CC") == [f"phase3-debug-{cc}/heap/large.o"]
    assert run.cells == {f"phase3-debug-{cc}"}


def test_a_dry_run_of_a_job_prints_what_it_would_do_and_does_nothing(fresh: Project, cc: str) -> None:
    run = fresh.build("-n", "phases", "variant=phase3")
    assert f"phases would build checks, benches of 1 cell (phase3-release-{cc}):" in run.stdout
    assert f"LINK     phase3-release-{cc}/libhakmem.so" in run.stdout
    assert "phases would then time 2 loads in 10 rounds, and write build/report/" in run.stdout
    assert not list(fresh.path("build").glob("phase*"))


def test_every_job_has_a_dry_run(project: Project, cc: str) -> None:
    jobs = [job.name for job in registry.JOBS if job.kind is targets.Kind.JOB and job.name != "fuzz"]
    # they have to be given what they work on
    for name in ("watch", "compare", "bisect", "record", "merge", "new", "completion"):
        jobs.remove(name)
    jobs.remove("matrix")  # it has more than a hundred cells, unless some are selected
    cell = ("variant=phase3", "mode=release", f"compiler={cc}", "sanitizer=none", "target=native", "lto=off")
    said = project.build("-n", *jobs).stdout + project.build("-n", "matrix", *cell).stdout
    for name in (*jobs, "matrix"):
        assert f"\n{name} would " in f"\n{said}"
    assert "watch would build phases at each change" in project.build("-n", "watch", "phases").stdout
    assert not project.path("build/report").exists()


def test_list_and_explain_are_both_answered(project: Project) -> None:
    run = project.build("list", "explain", "variant=phase3")
    assert "variants/phase0.yaml" in run.stdout
    assert "┌─ " in run.stdout.partition("lineage")[2]


def test_compiledb_describes_the_first_selected_cell(project: Project, cc: str) -> None:
    project.build("variant=phase3", "compiledb")
    entries = json.loads(project.path("compile_commands.json").read_text(encoding="utf-8"))
    assert {entry["output"].split("/")[1] for entry in entries} == {f"phase3-release-{cc}"}
    tiny = next(entry for entry in entries if entry["file"] == "csrc/thread/tiny_tls.c")
    assert "-Icsrc" in tiny["command"]


def test_cleaning_removes_what_a_target_built_and_no_more(project: Project, cc: str) -> None:
    project.build("-c", "variant=phase2", "libs")
    assert not list(project.path(f"build/phase2-release-{cc}").rglob("*.o"))
    assert project.path(f"build/phase3-release-{cc}/libhakmem.so").exists()


def test_cleaning_without_a_target_removes_every_cell(project: Project) -> None:
    project.build("-c")
    assert [path for path in project.path("build").iterdir() if path.is_dir()] == []
    assert project.build("variant=phase3", "headers").made("GENERATE")


def test_unneeded_libraries_are_not_imported_when_nothing_is_to_be_done(project: Project) -> None:
    """A build with nothing to do takes a fraction of a second, and these imports take a large part of a
    second."""
    spy = 'import atexit, sys\natexit.register(lambda: print("MODULES", *sys.modules))\n'
    project.write("site_scons/site_init.py", spy)
    run = project.build("libs")
    assert run.actions == []
    loaded = next(line for line in run.stdout.splitlines() if line.startswith("MODULES")).split()
    assert "layermatrix.emit.printer" in loaded
    assert not {"pydantic", "yaml", "jinja2", "rich", "capstone", "elftools", "hypothesis"} & set(loaded)
