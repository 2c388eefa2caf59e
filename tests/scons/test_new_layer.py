"""A new layer is one entry in the catalogue. It is built and run, and the suite still passes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.scons.conftest import Project

ENTRY = """
  spare_cache:
    title: Spare Cache
    doc: A list for the blocks of 64 bytes.
    role: cache
    classes: [C3]
    storage: linked_list
    capacity: 96
"""
VARIANT = """
doc: Phase 2 with a spare cache in front.
extends: phase2
add: [{layer: spare_cache, before: unified_cache}]
"""
PROGRAM = """
#include <malloc.h>
#include <stdlib.h>

int main(void)
{
    void *blocks[10];
    for (int i = 0; i < 10; i++) blocks[i] = malloc(64);
    for (int i = 0; i < 10; i++) free(blocks[i]);
    for (size_t size = 1; size < 2000; size++) free(malloc(size));
    malloc_stats();
    return 0;
}
"""


def add_layer(project: Project) -> None:
    project.append("variants/layers.yaml", ENTRY)
    project.write("variants/mine.yaml", VARIANT)


def test_a_new_layer_is_one_entry(project: Project, cc: str) -> None:
    add_layer(project)
    run = project.build("variant=phase*,mine", "libs")
    assert run.variants == {"mine"}, "an entry that is not used changes no other variant"
    assert "Spare Cache" in project.path(f"build/mine-release-{cc}/gen/tiny_alloc_fast_gen.h").read_text(
        encoding="utf-8"
    )


def test_a_new_layer_holds_the_blocks_that_a_program_frees(project: Project, cc: str) -> None:
    add_layer(project)
    project.build("variant=mine", "libs")
    project.write("program.c", PROGRAM)
    project.compile("program.c", "program")
    library = project.path(f"build/mine-release-{cc}/libhakmem.so")
    done = subprocess.run(
        ["./program"],
        cwd=project.root,
        env={**os.environ, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        check=True,
    )
    held = re.search(r"^Spare Cache .* (\d+) blocks", done.stderr, re.MULTILINE)
    assert held is not None, done.stderr
    assert int(held[1]) >= 10


def test_a_new_layer_is_counted_like_the_others(project: Project, cc: str) -> None:
    add_layer(project)
    project.build("variant=mine", "mode=stats", "libs")
    project.write("program.c", PROGRAM)
    project.compile("program.c", "program")
    library = str(project.path(f"build/mine-stats-{cc}/libhakmem.so"))
    environment = {**os.environ, "LD_PRELOAD": library, "HAKMEM_STATS_FILE": "counts-%p.json"}
    subprocess.run(["./program"], cwd=project.root, env=environment, check=True, stderr=subprocess.DEVNULL)
    (report,) = project.root.glob("counts-*.json")
    counts = json.loads(report.read_text(encoding="utf-8"))
    spare = counts["layers"]["spare_cache"]
    assert counts["classes"][3] == 64
    requests = 10 + len(range(33, 65))  # the ten blocks, and those of each size of the class
    assert (spare["entries"][3], spare["accepted"][3]) == (requests, requests)
    assert sum(spare["offered"]) == requests, "it serves that class alone"
    assert 10 <= spare["held"][3] <= 96


def test_a_layer_with_neither_storage_nor_template_is_an_error_that_names_the_file(project: Project) -> None:
    entry = ENTRY.replace("role: cache", "role: refill").replace(
        "    storage: linked_list\n    capacity: 96\n", ""
    )
    project.append("variants/layers.yaml", entry)
    project.write("variants/mine.yaml", "doc: Phase 2.\nextends: phase2\nadd: [spare_cache]\n")
    run = project.scons("variant=mine", "libs")
    assert run.status == 2
    assert "templates/layers/spare_cache.h.j2:1:1: error: template not found" in run.stderr
    assert "Traceback" not in run.stderr
    assert run.actions == []


def test_a_template_of_its_own_goes_before_that_of_the_storage(project: Project, cc: str) -> None:
    add_layer(project)
    project.build("variant=mine", "headers")
    own = project.read("templates/storage/linked_list.h.j2").replace("typedef", "// its own\ntypedef", 1)
    project.write("templates/layers/spare_cache.h.j2", own)
    run = project.build("variant=mine,phase2", "headers")
    assert run.variants == {"mine"}
    assert "// its own" in project.read(f"build/mine-release-{cc}/gen/tiny_alloc_fast_gen.h")


def test_the_suite_is_green_with_a_new_layer_and_a_new_variant_in_the_matrix(project: Project) -> None:
    add_layer(project)
    project.edit(
        "variants/matrix.yaml",
        "  variant: [phase0, phase1, phase2, phase3, hakmem, hardened]\n",
        "  variant: [mine, phase0, phase1, phase2, phase3, hakmem, hardened]\n",
    )
    suite = ["tests/golden", "tests/unit/test_model.py", "tests/unit/test_linemap.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *suite],
        cwd=project.root,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
