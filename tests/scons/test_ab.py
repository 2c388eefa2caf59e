"""`ab` and `ablate`: sides timed in interleaved rounds, and a variant without each of its layers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.scons.conftest import Project

EXPERIMENTS = """
doc: A question about the pool.
experiments:
  one_file_or_two:
    question: One file or two?
    doc: The same, compiled as one and apart.
    variants: [small, apart]
    loads: [churn]
    decides: speed
"""


def kept(foreign: Project) -> Any:
    return json.loads(foreign.read("build/report/experiments.json"))["comparisons"]


def test_an_experiment_builds_both_sides_times_them_in_turn_and_gives_a_verdict(
    foreign: Project, cc: str
) -> None:
    foreign.write("variants/experiments.yaml", EXPERIMENTS)
    run = foreign.build("ab", "rounds=6", "seed=14")
    assert "One file or two?" in run.stdout
    # the loop reports the same speed each time, so that the verdict is always "no difference"
    assert "Verdict: no winner." in run.stdout
    assert "no difference that this run can show: 1.000x (1.000-1.000, 95 % of 6 rounds, p = 1" in " ".join(
        run.stdout.split()
    )
    found = kept(foreign)["one_file_or_two"]
    assert [side["id"] for side in found["sides"]] == [f"small-release-{cc}", f"apart-release-{cc}"]
    assert all(len(side["bench"]["loads"]["churn"]["samples"]) == 6 for side in found["sides"])
    assert {side["bench"]["seed"] for side in found["sides"]} == {14}
    assert found["sides"][0]["bench"]["conditions"]["machine"]["cores"] > 0
    assert not foreign.path(f"build/small-release-{cc}/evidence/bench.json").exists()


def test_a_side_that_cannot_be_built_is_reported_and_does_not_stop_the_others(
    foreign: Project, cc: str
) -> None:
    foreign.write("variants/experiments.yaml", EXPERIMENTS)
    foreign.write("variants/apart.yaml", "doc: Broken.\nextends: small\nset: {layout: modules}\n")
    foreign.edit(
        "src/pool.c", '#include "pool_gen.h"\n', '#include "pool_gen.h"\n#ifndef UNIT\n#error no\n#endif\n'
    )
    foreign.edit("templates/unit.c.j2", "{% for", "#define UNIT\n{% for")
    run = foreign.scons("ab", "rounds=1")
    assert run.status != 0
    assert f"apart-release-{cc} is not built" in " ".join(run.stdout.split())
    assert kept(foreign)["one_file_or_two"]["verdict"]["winner"] is None


DRAWER = """
  drawer:
    title: Drawer
    doc: Counts who looks into it.
    role: shelf
  tray:
    title: Tray
    doc: The same.
    role: shelf
  box:
    title: Box
    doc: The same.
    role: shelf
  lid:
    title: Lid
    doc: Something on a box.
    role: shelf
    needs: [box]
"""
DRAWER_TEMPLATE = """
{% macro functions(layer) %}
static unsigned drawer_looks;

static inline void *drawer_take(unsigned class)
{
    drawer_looks += class;
    return NULL;
}
{%- endmacro %}
"""


def test_a_variant_is_compared_with_changes_of_its_layers_and_the_best_one_is_written(
    foreign: Project, cc: str
) -> None:
    """The pool's own code requires the shelf; the report names that reason. Drawer and tray only cost."""
    foreign.append("variants/layers.yaml", DRAWER)
    foreign.write("templates/layers/drawer.h.j2", DRAWER_TEMPLATE)
    for name in ("tray", "box"):
        foreign.write(f"templates/layers/{name}.h.j2", DRAWER_TEMPLATE.replace("drawer", name))
    foreign.edit("variants/small.yaml", "[shelf, system]", "[drawer, tray, shelf, system]")
    run = foreign.build("ablate", "variant=small", "write=lean")
    text = " ".join(run.stdout.split())
    assert "What does each layer of small contribute?" in text
    assert f"small_without_system-release-{cc}: no layer has the role source" in text
    assert f"small_with_lid-release-{cc}: layer 'lid' needs 'box', which is not in this variant" in text
    sides = {side["variant"]: side for side in kept(foreign)[f"without a layer: small-release-{cc}"]["sides"]}
    assert list(sides) == [
        "small",
        "small_without_drawer",
        "small_without_tray",
        "small_without_shelf",
        "small_with_box",
        "small_without_drawer_without_tray",
    ]
    counts = [sides[name]["asm"]["entries"]["take"]["instructions"] for name in list(sides)[:2]]
    assert counts[1] < counts[0], "the path is shorter without the drawer"
    advice = r"Recommendation: leave out Drawer and leave out Tray: \d+\.\d% fewer instructions on churn"
    assert re.search(advice, text), text
    assert re.search(r"leave out Drawer: \d+\.\d% fewer instructions on churn", text)
    assert "do not add Box: with it, no difference on churn" in text
    assert "without Shelf: not built: build/small_without_shelf-release-" in text
    assert "This is what is counted; rounds=7 also times it." in text
    assert "written: variants/lean.yaml" in text
    assert "remove: [drawer, tray]" in foreign.read("variants/lean.yaml")
    assert "fewer instructions on churn" in foreign.read("variants/lean.yaml")
    header = f"build/lean-release-{cc}/gen/pool_gen.h"
    foreign.build("variant=lean", header)
    assert "drawer" not in foreign.read(header)
    assert not foreign.path(f"build/small-release-{cc}").exists(), "candidates are built elsewhere"

    for given, status, message in (
        (("write=lean",), 2, "write=lean: variants/lean.yaml exists: choose another name"),
        (("without=none", "with=box", "write=more"), 3, "nothing is written, because no change of small is"),
    ):
        refused = foreign.scons("ablate", "variant=small", *given)
        assert refused.status == status, (given, refused.stderr)
        assert message in " ".join(refused.stderr.split()), (given, refused.stderr)


def test_a_variant_without_a_layer_is_a_cell_like_any_other(project: Project, cc: str) -> None:
    run = project.build("variant=phase1", "without=ring_cache", "headers")
    assert run.made("GENERATE") == [f"phase1_without_ring_cache-release-{cc}/gen/tiny_alloc_fast_gen.h"]
    header = project.read(f"build/phase1_without_ring_cache-release-{cc}/gen/tiny_alloc_fast_gen.h")
    assert "ring_cache_pop" not in header
    assert "unified_cache_pop" in header


def test_a_story_is_written_from_the_results_and_accepted_on_request(foreign: Project, cc: str) -> None:
    run = foreign.scons("story")
    assert run.status == 1
    assert f"small-release-{cc}: build: there is no library" in run.stderr
    foreign.build("variant=small", "libs")
    shown = " ".join(foreign.build("report").stdout.split())
    assert (
        "not measured: only other targets of this cell were built; scons checks builds and takes it" in shown
    )
    assert "Failed" not in shown
    foreign.build("rounds=1")
    foreign.path(f"build/small-release-{cc}/evidence/tests.json").unlink()
    lost = foreign.scons("report")
    assert "tests: there is no tests.json of this cell" in lost.stdout
    foreign.build("rounds=1")
    assert foreign.build("story").stdout.splitlines() == ["written: build/report/story.md"]
    assert not foreign.path("docs/story.md").exists()
    foreign.build("story", "--accept")
    text = foreign.read("docs/story.md")
    assert text == foreign.read("build/report/story.md")
    assert text.startswith("# The story of pool\n")
    assert "## apart" in text
