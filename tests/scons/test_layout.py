"""Phase 3 is phase 2 compiled as modules: the same files, hit path and behaviour."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from layermatrix.evidence.binary import elf

if TYPE_CHECKING:
    from tests.scons.conftest import Project

# A fixed trace of requests. For each block, it prints the 64 KiB page, numbered by first appearance, and the
# offset in the page; then the library's own statistics.
TRACE = """
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uintptr_t pages[4096];
static unsigned page_count;

static unsigned page_number(uintptr_t page)
{
    for (unsigned i = 0; i < page_count; i++)
        if (pages[i] == page) return i;
    pages[page_count] = page;
    return page_count++;
}

int main(void)
{
    static char out[1 << 16]; /* the program's own output must not allocate in between */
    static void *slots[2048];
    setvbuf(stdout, out, _IOFBF, sizeof out);
    uint32_t state = 1;
    for (int i = 0; i < 60000; i++) {
        state = state * 1664525u + 1013904223u;
        unsigned slot = (state >> 8) % 2048, size = (state >> 20) % 1500 + 1;
        if (slots[slot] != NULL && size % 7 == 0) {
            slots[slot] = realloc(slots[slot], size);
        } else {
            free(slots[slot]);
            slots[slot] = malloc(size);
        }
        memset(slots[slot], 1, size);
        uintptr_t address = (uintptr_t)slots[slot];
        printf("%u %u\\n", page_number(address >> 16), (unsigned)(address & 0xffff));
    }
    fflush(stdout);
    malloc_stats();
    return 0;
}
"""


@pytest.fixture
def traced(project: Project) -> Project:
    project.write("trace.c", TRACE)
    project.compile("trace.c", "trace")
    return project


def library(project: Project, variant: str, cc: str) -> Path:
    return project.path(f"build/{variant}-release-{cc}/libhakmem.so")


def trace(project: Project, variant: str, cc: str) -> tuple[list[str], str]:
    """The place of each block, and the statistics at the end."""
    done = subprocess.run(
        ["./trace"],
        cwd=project.root,
        env={**os.environ, "LD_PRELOAD": str(library(project, variant, cc))},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines(), done.stderr


def code(project: Project, variant: str, cc: str, function: str) -> tuple[bytes, list[tuple[int, str, int]]]:
    """The machine code of an entry, and its relocations: offset, name of the target, addend."""
    for path in sorted(project.path(f"build/{variant}-release-{cc}/obj").rglob("hakmem*.o")):
        file = elf.read(path)
        for symbol in file.symbols:
            if symbol.name == function and symbol.section is not None:
                start, end = symbol.value, symbol.value + symbol.size
                filled = [
                    (place.offset - start, place.symbol.name, place.addend)
                    for place in file.relocations
                    if place.section == symbol.section and start <= place.offset < end
                ]
                return file.sections[symbol.section].data[start:end], filled
    raise AssertionError(f"no object of {variant} defines {function}")


@pytest.mark.parametrize("function", ["malloc", "free"])
def test_the_entries_have_the_same_code_in_one_unit_and_in_modules(
    project: Project, cc: str, function: str
) -> None:
    whole = code(project, "phase2", cc, function)
    assert len(whole[0]) > 20
    assert code(project, "phase3", cc, function) == whole
    assert code(project, "phase1", cc, function) != whole, "another variant has other code"


def test_blocks_lie_in_the_same_places_in_one_unit_and_in_modules(traced: Project, cc: str) -> None:
    places, statistics = trace(traced, "phase2", cc)
    assert len(places) == 60000
    assert trace(traced, "phase2", cc) == (places, statistics), "the trace repeats"
    assert trace(traced, "phase3", cc) == (places, statistics)
    assert trace(traced, "phase1", cc)[0] != places, "another variant has other places"


def test_both_layouts_are_compiled_from_the_same_files(project: Project, cc: str) -> None:
    """The unit includes exactly the modules that are compiled separately."""
    unit = project.read(f"build/phase2-release-{cc}/gen/tiny_unity_gen.c")
    included = re.findall(r'^#include "(\w+/\w+\.c)"$', unit, re.MULTILINE)
    objects = {path.name for path in project.path(f"build/phase3-release-{cc}/obj").rglob("*.o")}
    apart = {path.name for path in project.path(f"build/phase2-release-{cc}/obj").rglob("*.o")}
    reported = project.read("variants/layers.yaml").split("\nlines:\n")[1].split("\nlayers:\n")[0]
    assert set(re.findall(r"^  (\S+\.c):", reported, re.MULTILINE)) <= set(included)
    assert {Path(name).with_suffix(".o").name for name in included} == objects - apart
    assert apart - objects == {"tiny_unity_gen.o"}
