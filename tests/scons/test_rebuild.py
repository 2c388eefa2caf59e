"""Which files are rebuilt after a change: the actions that a build executes or would execute are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.scons.conftest import Project

PHASES = ["phase0", "phase1", "phase2", "phase3"]


def test_a_build_with_nothing_to_do_executes_nothing(project: Project) -> None:
    assert project.would("libs").actions == []


def test_a_build_with_nothing_to_do_leaves_the_database_as_it_is(project: Project) -> None:
    project.build("libs")
    (database,) = project.root.glob("build/.sconsign*")
    before = database.stat().st_mtime_ns
    assert project.build("libs").actions == []
    assert database.stat().st_mtime_ns == before


def test_a_comment_that_comes_and_goes_is_seen_each_time(project: Project) -> None:
    was = project.read("csrc/os/secret.h")
    for text in (f"{was}// A thought.\n", was):
        project.write("csrc/os/secret.h", text)
        assert project.build("variant=phase3", "libs").made("CC")
    assert project.build("variant=phase3", "libs").actions == []


def test_a_tree_that_was_copied_with_its_times_needs_no_build(project: Project) -> None:
    assert project.would("libs", "headers").actions == []


def test_a_comment_in_the_catalogue_makes_nothing_again(project: Project) -> None:
    project.append("variants/layers.yaml", "\n# A thought about the layers.\n")
    assert project.would("libs").actions == []


def test_a_comment_in_a_variant_makes_nothing_again(project: Project) -> None:
    project.append("variants/phase2.yaml", "# A thought about phase 2.\n")
    assert project.would("libs").actions == []


def test_a_quoted_figure_is_no_input_of_the_header(project: Project) -> None:
    project.edit("variants/phase0.yaml", 'mops: "23.6"', 'mops: "23.7"')
    assert project.would("libs").actions == []


def test_a_changed_variant_makes_only_that_variant_again(project: Project, cc: str) -> None:
    project.edit("variants/phase3.yaml", "layout: modules", "layout: modules\n  options: {bg_remote: 32}")
    run = project.build("libs")
    assert run.variants == {"phase3"}
    assert run.made("GENERATE") == [f"phase3-release-{cc}/gen/tiny_alloc_fast_gen.h"]
    assert run.made("CC")


def test_a_changed_variant_makes_those_that_extend_it_again(project: Project) -> None:
    project.edit("variants/phase2.yaml", "toggles: fixed", "toggles: fixed\n  capacity: {unified_cache: 64}")
    assert project.would("libs").variants == {"phase2", "phase3"}


def test_a_changed_layer_of_the_catalogue_makes_the_variants_with_it_again(project: Project) -> None:
    old = "toggle: {env: HAKMEM_TINY_FRONT_C23, default: off}"
    project.edit("variants/layers.yaml", old, old.replace("off", "on"))
    assert project.would("libs").variants == {"phase0"}


def test_a_layers_template_makes_only_the_variants_with_that_layer_again(project: Project) -> None:
    template = "templates/storage/ring.h.j2"
    project.edit(
        template,
        "typedef struct {{ layer.name }}_ring {",
        "// A thought.\ntypedef struct {{ layer.name }}_ring {",
    )
    run = project.would("libs")
    assert run.variants == {"phase0", "phase1"}
    assert {file.split("-")[0] for file in run.made("CC")} == {"phase0", "phase1"}


def test_a_template_comment_prints_the_same_header_and_compiles_nothing(project: Project) -> None:
    project.append("templates/storage/ring.h.j2", "{# a thought #}")
    run = project.build("libs")
    assert {action.split()[0] for action in run.actions} == {"GENERATE"}


def test_the_skeleton_makes_every_variant_again(project: Project) -> None:
    project.append("templates/tiny_alloc_fast.h.j2", "// the end\n")
    assert project.would("libs").variants == set(PHASES)


def test_a_change_of_the_generator_prints_every_header_again(project: Project) -> None:
    project.append("site_scons/layermatrix/emit/printer.py", "\n# A thought about printing.\n")
    run = project.would("headers")
    assert len(run.made("GENERATE")) == len(PHASES)
    assert run.made("CC") == []


def test_a_c_file_is_compiled_again_in_every_variant_and_alone(project: Project, cc: str) -> None:
    project.append("csrc/heap/large.c", "\n// a thought\n")
    made = project.would("libs").made("CC")
    assert made == [f"{variant}-release-{cc}/heap/large.o" for variant in PHASES]


def test_another_compiler_version_compiles_everything_again(project: Project, cc: str) -> None:
    cache = project.path("build/.toolchain.json")
    text = cache.read_text(encoding="utf-8")
    assert '"version": "' in text
    cache.write_text(text.replace('"version": "', '"version": "newer than '), encoding="utf-8")
    run = project.would("libs", "variant=phase3")
    folder = project.path(f"build/phase3-release-{cc}/obj")
    objects = (path.relative_to(folder) for path in folder.rglob("*.o"))
    assert run.made("CC") == sorted(f"phase3-release-{cc}/{path}" for path in objects)
