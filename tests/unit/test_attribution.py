"""The layer of each instruction: compiled C with layers in a header, line tables and inlined calls."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from layermatrix.core.records import NotMeasured
from layermatrix.evidence.binary import counting, dwarf, elf, hit_path
from layermatrix.evidence.binary.counts import Entry, Hit, Share, Sums
from layermatrix.evidence.binary.lines import Origins

# `top` and `bottom` are layers. Both use a helper in a file that is not a header. `front` is the frame.
HELPER = """
static inline int *step(int *list) { return (int *)(long)(*list ^ 0x5a5a5a5a); }
"""
HEADER = """
extern int *heads[2];
static inline __attribute__((always_inline)) int *top_pop(void) {
    int *head = heads[0];
    if (head) heads[0] = step(head);
    return head;
}
static inline __attribute__((always_inline)) int *bottom_pop(void) {
    int *head = heads[1];
    if (head) heads[1] = step(head) + 3;
    return head;
}
static inline __attribute__((always_inline)) int *front(unsigned n) {
    if (n == 0) return 0;
    int *head = top_pop();
    if (head) return head;
    head = bottom_pop();
    return head ? head : more(n);
}
"""
PROBE = """
extern int *more(unsigned n);
#include "helper.h"
#include "gen.h"
__attribute__((cold, noinline)) void elsewhere(int *p) { *p = 1; }
int *probe(unsigned n) { return front(n * 7 + 1); }
"""


@dataclass(frozen=True)
class Function:
    function: str
    probe: str


def lines_of(name: str) -> tuple[int, int]:
    """First and last line of a function of the header."""
    lines = HEADER.splitlines()
    first = next(number for number, line in enumerate(lines, 1) if f"*{name}(" in line)
    return first, next(number for number, line in enumerate(lines, 1) if number > first and line == "}")


ORIGINS = Origins("gen.h", {name: [lines_of(f"{name}_pop")] for name in ("top", "bottom")})


def compiled(compiler: str, folder: Path, *options: str) -> Path:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    for name, text in (("helper.h", HELPER), ("gen.h", HEADER), ("probe.c", PROBE)):
        (folder / name).write_text(text, encoding="utf-8")
    out = folder / f"probe{len(list(folder.glob('*.o')))}.o"
    command = [compiler, "-O2", "-fPIC", *options, "-c", "probe.c", "-o", str(out)]
    subprocess.run(command, cwd=folder, check=True, timeout=60)
    return out


def measured(probe: Path, hit: str | None = "top", origins: Origins = ORIGINS) -> Entry:
    how = counting.Counting(origins, {"take": hit}, cache_line=64)
    _, entries = counting.count(probe, None, {"take": Function("front", "probe")}, how)
    return entries["take"]


def hit_of(entry: Entry) -> Hit:
    assert isinstance(entry.hit, Hit)
    return entry.hit


def shares_of(entry: Entry) -> Mapping[str, Share]:
    assert not isinstance(entry.layers, NotMeasured)
    return entry.layers


@pytest.fixture(params=["gcc", "clang"])
def probe(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return compiled(request.param, tmp_path, "-g", "-gdwarf-4")


def test_each_instruction_belongs_to_one_layer_or_to_the_frame(probe: Path) -> None:
    entry = measured(probe)
    shares = shares_of(entry)
    assert set(shares) == {"frame", "top", "bottom"}
    assert sum(share.instructions for share in shares.values()) == entry.instructions
    on_hit = [share.hit.instructions for share in shares.values() if isinstance(share.hit, Sums)]
    assert sum(on_hit) == hit_of(entry).instructions


def test_code_of_another_file_belongs_to_the_layer_that_it_is_inlined_for(probe: Path) -> None:
    """The constant of `step` occurs once for each layer."""
    file, sources = elf.read(probe), dwarf.read(probe)
    code = hit_path.read_function(file, "probe")
    owners = []
    for step in code.steps:
        raw = file.sections[step.part.section].data[step.instruction.address : step.instruction.end]
        if bytes.fromhex("5a5a5a5a") in raw:
            owners += [ORIGINS.layer(line.file, line.line) for line in sources.lines(*step.node)]
    if file.machine != "EM_X86_64":
        pytest.skip(f"the constant is looked for in code for x86-64, not for {file.machine}")
    assert {"top", "bottom"} <= set(owners)
    assert [name for name in owners if name] == ["top", "bottom"]


def test_the_lines_lead_from_the_innermost_function_to_the_probe(probe: Path) -> None:
    sources = dwarf.read(probe)
    code = hit_path.read_function(elf.read(probe), "probe")
    chains = {tuple(Path(line.file).name for line in sources.lines(*step.node)) for step in code.steps}
    assert ("helper.h", "gen.h", "gen.h", "probe.c") in chains
    assert all(chain[-1] == "probe.c" for chain in chains if chain)


def test_the_hit_is_that_of_the_layer_that_is_requested(probe: Path) -> None:
    first, second = (hit_of(measured(probe, hit=name)) for name in ("top", "bottom"))
    assert first.layers == ("frame", "top")
    assert "bottom" in second.layers
    assert second.instructions > first.instructions
    assert first.calls == second.calls == 0


def test_without_the_layer_the_shortest_way_is_the_early_return(probe: Path) -> None:
    """This is why the rule exists: `n == 0` returns at once, and that is not a hit."""
    anywhere = hit_of(measured(probe, hit=None))
    assert "top" not in anywhere.layers
    assert anywhere.instructions < hit_of(measured(probe)).instructions


def test_a_layer_that_has_no_code_there_has_no_hit_and_reports_it(probe: Path) -> None:
    entry = measured(probe, hit="absent")
    assert entry.hit == NotMeasured("no path to a return passes code of layer 'absent'")
    assert shares_of(entry)["top"].instructions > 0
    assert shares_of(entry)["top"].hit == entry.hit


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_without_line_tables_the_whole_is_counted_and_the_rest_gives_the_reason(
    compiler: str, tmp_path: Path
) -> None:
    entry = measured(compiled(compiler, tmp_path, "-g0"))
    assert entry.instructions > 0
    assert entry.hit == entry.layers == NotMeasured("probe0.o was compiled without -g")


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_line_tables_add_no_code(compiler: str, tmp_path: Path) -> None:
    objects = [compiled(compiler, tmp_path, *options) for options in (("-g0",), ("-g", "-gdwarf-4"))]
    codes = [
        [(part.name, part.data) for part in elf.read(made).sections if part.executable] for made in objects
    ]
    assert codes[0] == codes[1]


def test_other_tables_than_ours_are_a_reason(tmp_path: Path) -> None:
    entry = measured(compiled("gcc", tmp_path, "-g", "-gdwarf-5"))
    assert entry.hit == NotMeasured("probe0.o has DWARF 5, only 4 is read here")


def test_sections_of_one_function_each_tell_the_same(tmp_path: Path) -> None:
    """Addresses start at 0 in each section, so the sections must not be confused."""
    options = ("-g", "-gdwarf-4")
    plain = measured(compiled("gcc", tmp_path, *options))
    assert measured(compiled("gcc", tmp_path, *options, "-ffunction-sections")).layers == plain.layers


def test_damaged_tables_are_a_reason_and_never_a_crash(tmp_path: Path) -> None:
    whole = compiled("gcc", tmp_path, "-g", "-gdwarf-4").read_bytes()
    damaged = tmp_path / "damaged.o"
    reasons = []
    (headers,) = struct.unpack_from("<Q", whole, 40)  # where the section headers begin
    anything = [(place, b"\xff\xff\xff\xff") for place in range(64, len(whole), 101)]
    too_long = [(place, b"\xf0\xff\xff\xff") for place in range(headers + 32, len(whole), 64)]
    for place, what in anything + too_long:
        damaged.write_bytes(whole[:place] + what + whole[place + 4 :])
        try:
            dwarf.read(damaged)
        except dwarf.DwarfError as error:
            reasons.append(str(error))
    assert reasons
    assert all(reason.startswith("damaged.o") for reason in reasons)
