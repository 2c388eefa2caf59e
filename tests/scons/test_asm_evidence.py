"""The counts of the real probes equal objdump's and those of a run of the same code, and the probes contain
no extra code for counting. The last phases reach their promised figures.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from tests.scons.conftest import Project, copy_tree

from layermatrix.evidence.binary import elf

if TYPE_CHECKING:
    from pathlib import Path

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
        block[0] = 1; // an unwritten block may look free, and is then checked twice
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
    """The instructions that ran in a function and in the functions that it calls."""
    out = project.path(f"callgrind.{function}")
    command = ["valgrind", "--tool=callgrind", f"--toggle-collect={function}", f"--callgrind-out-file={out}"]
    subprocess.run([*command, str(program)], check=True, capture_output=True, timeout=120)
    total = re.search(r"^(?:totals|summary): (\d+)", out.read_text(encoding="utf-8"), re.MULTILINE)
    assert total is not None
    return int(total[1])


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
# Not in debug mode: that code calls valgrind when it runs under it.
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


class Listing:
    """A function and its cold part, as objdump prints them; x86-64 only."""

    def __init__(self, file: Path, function: str) -> None:
        self.texts: list[str] = []
        self.sizes: list[int] = []  # of its parts, without the padding after them
        symbol = rf"^([0-9a-f]+) .* F \.text\S*\t([0-9a-f]+) (?:\.hidden )?({function}(?:\.cold)?)$"
        for start, size, name in re.findall(symbol, objdump("-t", file), re.MULTILINE):
            body = objdump("-d", "--no-show-raw-insn", f"--disassemble={name}", file)
            lines = re.findall(r"^ +([0-9a-f]+):\t(\S.*)$", body, re.MULTILINE)
            end = int(start, 16) + int(size, 16)
            self.texts += [text for address, text in lines if int(address, 16) < end]
            self.sizes.append(int(size, 16))

    def number(self, pattern: str) -> int:
        return sum(re.match(pattern, text) is not None for text in self.texts)

    def counts(self, cache_line: int) -> dict[str, int]:
        """The figures of the record `asm`, computed independently from the words of the listing."""
        pushed = {text.split()[1] for text in self.texts if text.startswith("push")}
        frames = [int(size, 16) for text in self.texts for size in re.findall(r"^sub +\$(\w+),%rsp", text)]
        pointers = "[sb]" if self.number(r"mov +%rsp,%rbp") else "s"
        on_frame = rf"-?(?:0x[0-9a-f]+)?\(%r{pointers}p[^)]*\)$"  # the last operand: the destination
        return {
            "instructions": len(self.texts),
            "branches": self.number(r"(notrack )?j"),
            "calls": self.number(r"call"),
            "atomics": self.number(r"lock |xchg .*\("),
            "stack": 8 * len(pushed) + max(frames, default=0),
            "spills": self.number(rf"(?!call|j|push|pop|cmp|test)\S+ +(.*,)?{on_frame}"),
            "bytes": sum(self.sizes),
            "cache_lines": sum((size - 1) // cache_line + 1 for size in self.sizes),
        }


def objdump(*words: str | Path) -> str:
    return subprocess.run(["objdump", *words], check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.skipif(shutil.which("objdump") is None, reason="objdump is not installed")
def test_the_counts_are_what_objdump_shows(project: Project, cc: str) -> None:
    """phase0 has a frame and spills; in debug mode, it spills through the frame pointer. phase2 has
    neither."""
    spills = []
    for of in ("phase0-release", "phase0-debug", "phase2-release"):
        record = probed(project, cell := f"{of}-{cc}")
        if record["arch"] != "x86_64":
            pytest.skip(f"the words looked for are those of x86-64, not of {record['arch']}")
        for entry in record["entries"].values():
            shown = Listing(project.path(f"build/{cell}/probe/tiny_probe.o"), entry["probe"]).counts(64)
            assert {name: entry[name] for name in shown} == shown, f"{entry['probe']} of {cell}"
            spills.append(shown["spills"])
        headings = objdump("-h", project.path(f"build/{cell}/libhakmem.so"))
        sizes = {
            name: int(size, 16) for name, size in re.findall(r"^ *\d+ (\S+) +(\w{8})", headings, re.MULTILINE)
        }
        of_thread = sizes.get(".tdata", 0) + sizes.get(".tbss", 0)
        assert record["library"] == {"text": sizes[".text"], "tls": of_thread}
    assert max(spills) > 0


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
            assert sum(on_hit.values()) - on_hit["frame"] <= 2, "moved up from after the hit"
        assert entries["refill"]["hit"]["calls"] == 1, "the backend's"


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_the_last_phases_are_as_short_and_miss_as_little_as_was_promised(
    checked: Path, tmp_path: Path, cc: str
) -> None:
    """The story requires these figures, independently of the budgets."""
    copy_tree(checked, tmp_path / "project")
    project = Project(tmp_path / "project")
    project.edit("variants/matrix.yaml", "loads: [random_mixed, larson, replace]", "loads: [random_mixed]")
    cells = [f"{variant}-release-{cc}" for variant in ("phase2", "phase3")]
    kinds = ("asm", "guards", "counters")
    files = [f"build/{cell}/evidence/{kind}.json" for cell in cells for kind in kinds]
    project.build("variant=phase2,phase3", *files, "build/baseline/evidence/counters.json")
    system = project.record("baseline", "counters")["loads"]["random_mixed"]["per_op"]
    for cell in cells:
        asm, guards, counters = (project.record(cell, kind) for kind in kinds)
        for entry, most in {"alloc": 24, "free": 26}.items():
            hit = asm["entries"][entry]["hit"]
            assert hit["instructions"] <= most
            assert hit["calls"] == hit["atomics"] == 0
        assert guards["debug_strings"]["count"] == 0
        own = counters["loads"]["random_mixed"]["per_op"]
        assert own["i1_misses"] + own["d1_misses"] <= system["i1_misses"] + system["d1_misses"]
