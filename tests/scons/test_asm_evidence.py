"""The counts of the real probes: against a run of the same code, and with nothing added to count by."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from layermatrix.evidence import elf

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scons.conftest import Project

PASSES = 1000
DRIVER = f"""
#include "hakmem.h"

void *tiny_probe_alloc(size_t size);
void tiny_probe_free(void *block);

int main(void)
{{
    void *blocks[8];
    for (int i = 0; i < 8; i++) blocks[i] = hak_malloc(32);
    for (int i = 0; i < 8; i++) hak_free(blocks[i]);
    for (int i = 0; i < {PASSES}; i++) {{
        char *block = tiny_probe_alloc(32);
        block[0] = 1; // a block that nobody has written to may look free, and is looked at twice
        tiny_probe_free(block);
    }}
    return 0;
}}
"""


def probed(project: Project, cell: str) -> Any:
    """The record `asm` of a cell, and its probe built."""
    project.build(f"build/{cell}/evidence/asm.json", f"build/{cell}/libhakmem.a")
    return project.record(cell, "asm")


def executed(project: Project, program: Path, function: str) -> int:
    """Instructions that ran in a function, those that it calls included."""
    out = project.path(f"callgrind.{function}")
    command = ["valgrind", "--tool=callgrind", f"--toggle-collect={function}", f"--callgrind-out-file={out}"]
    subprocess.run([*command, str(program)], check=True, capture_output=True, timeout=120)
    total = re.search(r"^(?:totals|summary): (\d+)", out.read_text(encoding="utf-8"), re.MULTILINE)
    assert total is not None
    return int(total[1])


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
# Not in debug: there the code talks to valgrind where it runs under it.
@pytest.mark.parametrize("of", ["phase0-release", "phase2-release", "hakmem-release"])
def test_as_many_instructions_run_in_a_hit_as_were_counted(project: Project, cc: str, of: str) -> None:
    cell = f"{of}-{cc}"
    entries = probed(project, cell)["entries"]
    project.write("driver.c", DRIVER)
    objects = [f"build/{cell}/{name}" for name in ("probe/tiny_probe.o", "libhakmem.a")]
    project.compile("driver.c", "driver", *objects, "-Icsrc", "-pthread")
    for entry in ("alloc", "free"):
        ran = executed(project, project.path("driver"), f"tiny_probe_{entry}")
        assert ran == PASSES * entries[entry]["hit"]["instructions"]


def test_the_line_tables_of_the_probe_add_no_code(project: Project, cc: str) -> None:
    for variant in ("phase0", "phase2"):
        run = project.build(f"build/{variant}-release-{cc}/evidence/asm.json")
        (line,) = [line for line in run.stdout.splitlines() if " -gdwarf-4 " in line]
        words = [word for word in shlex.split(line) if not word.startswith("-g")]
        with_tables = project.path(words[words.index("-o") + 1])
        words[words.index("-o") + 1] = "plain.o"
        subprocess.run(words, cwd=project.root, check=True, timeout=60)
        code = [
            [(part.name, part.data) for part in elf.read(file).sections if part.executable]
            for file in (with_tables, project.path("plain.o"))
        ]
        assert code[0] == code[1]


def test_a_hit_is_that_of_the_first_layer_and_calls_nothing(project: Project, cc: str) -> None:
    first = {"phase0": "fast_cache", "phase1": "fast_cache", "phase2": "unified_cache"}
    project.build(*(f"build/{variant}-release-{cc}/evidence/asm.json" for variant in first))
    for variant, layer in first.items():
        entries = project.record(f"{variant}-release-{cc}", "asm")["entries"]
        for name in ("alloc", "free"):
            hit, layers = entries[name]["hit"], entries[name]["layers"]
            assert hit["calls"] == hit["atomics"] == 0
            on_hit = {owner: share["hit"]["instructions"] for owner, share in layers.items()}
            assert on_hit.pop(layer) > 0
            assert sum(on_hit.values()) - on_hit["frame"] <= 2, "moved up from behind the hit"
        assert entries["refill"]["hit"]["calls"] == 1, "the backend's"
