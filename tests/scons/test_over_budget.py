"""A figure over budget fails the build with its layers and differences. Once fixed, the build passes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.scons.conftest import Project

TIGHT = "doc: The same, compiled apart.\nextends: small\nset: {layout: modules}\n"


def test_a_layer_that_grows_is_over_budget_and_is_reported_with_the_difference(
    project: Project, cc: str
) -> None:
    """The pop of phase2's only hot layer does needless work; phase1 was built before."""
    gate = f"build/phase2-release-{cc}/evidence/budget.json"
    assert project.build(f"build/phase1-release-{cc}/evidence/budget.json", gate).status == 0
    work = "".join(f'    __asm__ volatile("nop # {number}");\n' for number in range(20))
    template = "templates/storage/linked_list.h.j2"
    good = project.read(template)
    project.write(template, re.sub(r"(void \*\{\{ layer\.name \}\}_pop\(.*\)\n\{\n)", rf"\1{work}", good))
    for _ in range(2):  # like a failed test, it is checked again in each build
        run = project.scons(gate)
        assert run.status == 2
        assert "over budget: alloc hit_instructions is " in run.stderr
        assert f"phase1-release-{cc} has " in run.stderr
        message = run.stderr.split("alloc hit_instructions is")[1].splitlines()
        line = next(line for line in message if line.split()[:1] == ["unified_cache"])
        assert "templates/storage/linked_list.h.j2, variants/layers.yaml:" in line
        assert int(line.split()[1]) == int(line.split()[2]) > 20, "phase1 does not pass this layer in a hit"
    assert not project.path(f"build/phase2-release-{cc}/evidence/budget.passed").exists()
    record = project.record(f"phase2-release-{cc}", "budget")
    assert (record["over"][0]["entry"], record["over"][0]["metric"]) == ("alloc", "hit_instructions")
    project.write(template, good)
    project.build(gate)
    assert project.record(f"phase2-release-{cc}", "budget")["over"] == []


def test_evidence_shows_tables_and_ends_with_1_where_a_figure_is_over_budget(
    foreign: Project, cc: str
) -> None:
    run = foreign.build("evidence")
    assert "Hit path" in run.stdout
    assert f"apart-release-{cc}: instructions by layer" in run.stdout
    assert "2 cells: 2 passed, 0 failed, 0 not tested." in run.stdout
    assert "OVER BUDGET" not in run.stdout
    foreign.write("variants/apart.yaml", TIGHT + "budget: {take: {instructions: 3}}\n")
    run = foreign.scons("evidence")
    assert run.status == 1
    assert f"OVER BUDGET  apart-release-{cc}: take instructions is " in run.stdout
    assert "the limit is 3 (variants/apart.yaml:4)" in run.stdout
    assert "templates/layers/shelf.h.j2" in run.stdout
    assert f"small-release-{cc}" in run.stdout.split("OVER BUDGET")[1]
    assert "2 cells: 1 passed, 1 failed, 0 not tested." in run.stdout
    foreign.write("variants/apart.yaml", TIGHT + "budget: {take: {instructions: 300}}\n")
    run = foreign.build("evidence")
    assert run.made("EVIDENCE") == [f"apart-release-{cc}/evidence/budget.json"]


def test_a_limit_holds_in_release_unless_it_names_another_configuration(foreign: Project, cc: str) -> None:
    foreign.write("variants/apart.yaml", TIGHT + "budget: {take: {instructions: 3}}\n")
    debug = f"build/apart-debug-{cc}/evidence/budget.json"
    foreign.build(debug)
    assert foreign.record(f"apart-debug-{cc}", "budget")["reason"] == "no budget is set for this cell"
    foreign.write("variants/apart.yaml", TIGHT + "budget: {take: {instructions: {debug: 3}}}\n")
    run = foreign.scons(debug)
    assert run.status == 2
    assert "over budget: take instructions" in run.stderr
    assert foreign.build(f"build/apart-release-{cc}/evidence/budget.json").status == 0


def test_a_dry_run_and_cleaning_of_evidence_do_what_their_names_promise(foreign: Project, cc: str) -> None:
    foreign.build("-n", "evidence", "variant=small")
    assert not list(foreign.path("build").glob("small-*/evidence/*"))
    foreign.build("evidence", "variant=small")
    assert foreign.path(f"build/small-release-{cc}/evidence/guards.passed").exists()
    foreign.build("-c", "evidence", "variant=small")
    assert not list(foreign.path("build").glob("small-*/evidence/*.json"))
