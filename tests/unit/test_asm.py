"""Counting machine code: in bytes, in compiled C compared with objdump, in assembly text."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from layermatrix.core.records import NotMeasured
from layermatrix.evidence import asm
from layermatrix.evidence.binary import counting, elf, hit_path
from layermatrix.evidence.binary.counts import Counts, Entry
from layermatrix.evidence.binary.lines import Origins
from layermatrix.evidence.binary.machine import AsmError, decode

X86, ARM = "EM_X86_64", "EM_AARCH64"

# `front` has a cold part (GCC), tail calls to a function of another file and to a static one, calls, a locked
# instruction and padding; `choose` has a jump table; `swap` an exchange with memory
SOURCE = """
#include <stdio.h>
#include <stdlib.h>
extern void *refill(unsigned long n);
extern int counter, *table;
extern _Thread_local void **head;
__attribute__((noinline, cold)) static void *slow(unsigned long n) {
    fprintf(stderr, "slow %lu", n);
    return malloc(n);
}
void *front(unsigned long n) {
    if (__builtin_expect(n > 1024, 0)) { fprintf(stderr, "%lu", n); abort(); }
    if (n == 77) return slow(n + 1);
    void **block = head;
    if (!block) return refill(n);
    head = *block;
    __atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
    return block;
}
int choose(int n) {
    switch (n) {
    case 0: return *table;
    case 1: return refill(7) != 0;
    case 2: return table[9] / 3;
    case 3: puts("three"); return 8;
    case 4: return table[3] * table[4];
    case 5: abort();
    default: return 9;
    }
}
int swap(int *place) { return __atomic_exchange_n(place, 3, __ATOMIC_SEQ_CST); }
"""
FUNCTIONS = ("front", "choose", "swap")


@dataclass(frozen=True)
class Function:
    function: str
    probe: str


def compiled(compiler: str, folder: Path, *options: str) -> tuple[Path, Path]:
    """Object and assembly of SOURCE by this compiler."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    source = folder / "source.c"
    source.write_text(SOURCE, encoding="utf-8")
    made = folder / "source.o", folder / "source.s"
    for option, out in zip(("-c", "-S"), made, strict=True):
        command = [compiler, "-O2", "-fPIC", *options, option, str(source), "-o", str(out)]
        subprocess.run(command, check=True, timeout=60)
    return made


@pytest.fixture(params=["gcc", "clang"])
def built(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    return compiled(request.param, tmp_path)


def count_code(file: elf.ObjectFile, name: str) -> Counts:
    code = hit_path.read_function(file, name)
    return counting.counts_of(code, code.steps, cache_line=64)


def counted(probe: Path, listing: Path | None, **entries: Function) -> dict[str, Entry]:
    """The counts of these entries, whose only layer is the whole source."""
    return measured(probe, listing, entries)[1]


def measured(probe: Path, listing: Path | None, entries: dict[str, Function]) -> tuple[str, dict[str, Entry]]:
    origins = Origins("source.c", {"all": [(1, 1000)]})
    how = counting.Counting(origins, dict.fromkeys(entries, "all"), cache_line=64)
    return counting.count(probe, listing, entries, how)


def hexes(*codes: str) -> bytes:
    return bytes.fromhex("".join(codes))


# --- bytes


@pytest.mark.parametrize(
    ("machine", "code", "kinds"),
    [
        (X86, "f30f1efa", "-"),  # endbr64
        (X86, "7743", "b"),  # ja
        (X86, "e900000000", "b"),  # jmp
        (X86, "3eff24c500000000", "b"),  # notrack jmp through a table
        (X86, "e2fe", "b"),  # loop
        (X86, "e800000000", "c"),  # call
        (X86, "ff1500000000", "c"),  # call through the GOT
        (X86, "66666648e800000000", "c"),  # call as padded for thread-local storage
        (X86, "f0830001", "a"),  # lock add
        (X86, "8707", "a"),  # xchg with memory
        (X86, "87c3", "-"),  # xchg of registers
        (X86, "0fc138", "-"),  # xadd without lock
        (X86, "f3aa", "-"),  # rep stosb
        (X86, "c3", "-"),  # ret
        (ARM, "00000014", "b"),  # b
        (ARM, "40000054", "b"),  # b.eq
        (ARM, "400000b4", "b"),  # cbz
        (ARM, "40000036", "b"),  # tbz
        (ARM, "00001fd6", "b"),  # br
        (ARM, "00000094", "c"),  # bl
        (ARM, "00003fd6", "c"),  # blr
        (ARM, "207c5f88", "a"),  # ldxr
        (ARM, "20fc0088", "a"),  # stlxr
        (ARM, "2000e0b8", "a"),  # ldaddal
        (ARM, "20802038", "a"),  # swpb
        (ARM, "207ca088", "a"),  # cas
        (ARM, "20fcdf88", "-"),  # ldar orders memory accesses and modifies nothing
        (ARM, "c0035fd6", "-"),  # ret
    ],
)
def test_each_instruction_is_of_its_kind(machine: str, code: str, kinds: str) -> None:
    (found,) = decode(bytes.fromhex(code), machine)
    flags = {"b": found.is_branch, "c": found.is_call, "a": found.is_atomic}
    assert "".join(kind for kind, on in flags.items() if on) == kinds.strip("-")


def test_a_direct_jump_has_its_target_in_the_section() -> None:
    assert [found.target for found in decode(hexes("7410", "c3"), X86, 0x20)] == [0x32, None]
    assert [found.target for found in decode(hexes("40000036", "c0035fd6"), ARM, 0x20)] == [0x28, None]


def test_bytes_that_are_no_instruction_are_an_error_with_their_place() -> None:
    with pytest.raises(AsmError, match="no EM_X86_64 instruction at offset 0x11: 06c3"):
        decode(hexes("90", "06", "c3"), X86, 0x10)
    with pytest.raises(AsmError, match="objects for EM_386 are not decoded"):
        decode(b"\x90", "EM_386")


# --- an artificial object: the targets of jumps


def an_object(
    code: bytes, *symbols: elf.Symbol, relocations: tuple[elf.Relocation, ...] = ()
) -> elf.ObjectFile:
    text = elf.Section(0, ".text", True, True, code)
    cold = elf.Section(1, ".text.unlikely", True, True, hexes("c3", "0f0b"))
    data = elf.Section(2, ".rodata", True, False, b"\0" * 8)
    return elf.ObjectFile(X86, (text, cold, data), symbols, relocations)


def function(name: str, start: int, size: int, section: int = 0) -> elf.Symbol:
    return elf.Symbol(name, "STT_FUNC", section, start, size)


HERE = function("here", 0, 6)
COLD = function("here.cold", 1, 2, section=1)
ELSEWHERE = elf.Symbol("elsewhere", "STT_NOTYPE", None, 0, 0)
COLD_SECTION = elf.Symbol("", "STT_SECTION", 1, 0, 0)


@pytest.mark.parametrize(
    ("symbol", "addend", "tail_calls"),
    [
        (ELSEWHERE, -4, 1),
        (HERE, -4, 0),  # a loop over the whole function
        (function("neighbour", 6, 1), -4, 1),
        (COLD_SECTION, -4, 1),  # section offset 0: another function
        (COLD_SECTION, -3, 0),  # section offset 1: the function's own cold part
        (elf.Symbol("", "STT_SECTION", 2, 0, 0), -4, 0),  # through a table in data
    ],
    ids=["another file", "itself", "neighbour", "another's cold code", "own cold part", "data"],
)
def test_a_tail_call_is_a_jump_out_of_the_function_and_its_cold_part(
    symbol: elf.Symbol, addend: int, tail_calls: int
) -> None:
    file = an_object(
        hexes("90", "e900000000", "c3"), HERE, COLD, relocations=(elf.Relocation(0, 2, symbol, addend),)
    )
    counted = count_code(file, "here")
    assert (counted.branches, counted.tail_calls) == (1, tail_calls)


def test_a_jump_that_the_assembler_resolved_is_followed_too() -> None:
    inside = count_code(an_object(hexes("90", "ebfd", "c3", "9090"), HERE), "here")
    outside = count_code(an_object(hexes("90", "eb10", "c3", "9090"), HERE), "here")
    assert (inside.tail_calls, outside.tail_calls) == (0, 1)


def test_a_jump_through_a_register_is_no_tail_call() -> None:
    counted = count_code(an_object(hexes("ffe0", "90909090"), HERE), "here")
    assert (counted.branches, counted.tail_calls) == (1, 0)


def test_the_cold_part_is_counted_and_the_padding_after_the_symbol_is_not() -> None:
    file = an_object(hexes("90", "31c0", "0f1f00", "909090"), HERE, COLD)
    counted = count_code(file, "here")
    assert (counted.instructions, counted.bytes, counted.nops) == (4, 8, 2)


def test_a_function_that_is_not_there_or_has_no_size_is_an_error() -> None:
    with pytest.raises(AsmError, match="defines no function 'there'"):
        count_code(an_object(b"\xc3", HERE), "there")
    with pytest.raises(AsmError, match="'here' has no size"):
        count_code(an_object(b"\xc3", function("here", 0, 0)), "here")
    with pytest.raises(AsmError, match="2 bytes reaches beyond the end"):
        count_code(an_object(b"\xc3", function("here", 0, 2)), "here")


# --- compiled C


def objdump_body(path: Path, name: str) -> list[str]:
    """The instructions of a function and its cold part, as objdump prints them, without padding."""
    if shutil.which("objdump") is None:
        pytest.skip("objdump is not installed")
    sizes = {symbol.name: symbol for symbol in elf.read(path).symbols if symbol.kind == "STT_FUNC"}
    command = ["objdump", "-d", "--no-show-raw-insn", str(path)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    body, within = [], None
    for line in printed.splitlines():
        head = re.match(r"[0-9a-f]+ <(.+)>:$", line)
        instruction = re.match(r"\s+([0-9a-f]+):\s+(\S.*)", line)
        if head:
            within = sizes[head.group(1)] if head.group(1) in (name, f"{name}.cold") else None
        elif instruction and within and int(instruction.group(1), 16) < within.value + within.size:
            body.append(instruction.group(2))
    return body


def test_counts_are_those_of_objdump(built: tuple[Path, Path]) -> None:
    path, _ = built
    file = elf.read(path)
    if file.machine != X86:
        pytest.skip(f"the words looked for in objdump's output are those of x86-64, not of {file.machine}")
    for name in FUNCTIONS:
        counted, body = count_code(file, name), objdump_body(path, name)
        assert counted.instructions == len(body) > 0
        assert counted.branches == sum(bool(re.match(r"((bnd|notrack) )*j", line)) for line in body)
        assert counted.calls == sum(bool(re.search(r"\bcall", line)) for line in body)
        locked = [line for line in body if line.startswith("lock ") or re.match(r"xchg .*\(", line)]
        assert counted.atomics == len(locked)


def test_tail_calls_and_atomics_of_compiled_c_are_found(built: tuple[Path, Path]) -> None:
    file = elf.read(built[0])
    counted = {name: count_code(file, name) for name in FUNCTIONS}
    assert [counted[name].tail_calls for name in FUNCTIONS] == [2, 0, 0]
    assert counted["swap"].atomics == counted["front"].atomics == 1
    assert counted["swap"].calls == counted["swap"].branches == 0


def test_an_object_for_another_machine_is_decoded_too(tmp_path: Path) -> None:
    source = tmp_path / "small.c"
    source.write_text(
        "extern void *refill(long); extern void **head;"
        "void *front(long n) { void **block = head; if (!block) return refill(n);"
        " head = *block; return block; }",
        encoding="utf-8",
    )
    if shutil.which("clang") is None:
        pytest.skip("clang, which compiles for other machines, is not installed")
    out = tmp_path / "small.o"
    command = ["clang", "--target=aarch64-linux-gnu", "-O2", "-c", str(source), "-o", str(out)]
    tried = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if tried.returncode != 0:
        pytest.skip(f"this clang does not compile for aarch64: {tried.stderr[:200]}")
    arch, entries = measured(out, None, {"alloc": Function("front", "front")})
    entry = entries["alloc"]
    assert arch == "aarch64"
    assert entry.bytes == 4 * entry.instructions
    assert (entry.branches, entry.tail_calls, entry.calls, entry.atomics) == (2, 1, 0, 0)


def test_lines_of_instructions_are_the_decoded_instructions(built: tuple[Path, Path]) -> None:
    path, listing = built
    file, text = elf.read(path), listing.read_text(encoding="utf-8")
    for name in ("choose", "swap"):  # GCC writes prefixes in `front` as separate lines
        counted = count_code(file, name)
        assert (
            counting.count_lines(text, name) - jump_labels(text, name) == counted.instructions - counted.nops
        )


def jump_labels(text: str, name: str) -> int:
    """The number of jump labels in the function. GCC prints the cold part before the `.size`."""
    body = re.search(rf"^{name}:.*?^\t\.size\t{name},", text, re.MULTILINE | re.DOTALL)
    assert body is not None
    table = re.compile(r"\t\.section\t\.rodata\n.*?\t(?=\.text\n|\.section\t\.text)", re.DOTALL)
    return len(re.findall(r"^\.L(?:\d+|BB\d+_\d+):", table.sub("", body.group()), re.MULTILINE))


def test_debug_information_adds_no_lines(tmp_path: Path) -> None:
    for compiler in ("gcc", "clang"):
        if shutil.which(compiler) is None:
            continue
        plain, debug = tmp_path / compiler / "plain", tmp_path / compiler / "debug"
        plain.mkdir(parents=True)
        debug.mkdir()
        listings = [
            compiled(compiler, folder, option)[1] for folder, option in ((plain, "-g0"), (debug, "-g"))
        ]
        lines = [
            [counting.count_lines(file.read_text("utf-8"), name) for name in FUNCTIONS] for file in listings
        ]
        assert lines[0] == lines[1]


# --- assembly text

GCC_TEXT = """\
	.text
	.globl	front
	.type	front, @function
front:
.LFB22:
	.cfi_startproc
	endbr64
	cmpq	$1024, %rdi
	ja	.L6
#APP
# 12 "source.c" 1
	lock; addl $0, (%rsp)
# 0 "" 2
#NO_APP
	ret
	.p2align 4,,10
.L7:
	jmp	refill@PLT
	.section	.rodata
.L9:
	.long	.L7-.L9
	.section	.text.unlikely
	.type	front.cold, @function
front.cold:
.LFSB22:
.L6:

	call	abort@PLT
.LFE22:
	.text
	.size	front, .-front
	.section	.text.unlikely
	.size	front.cold, .-front.cold
	.text
frontier:
	ret
	.size	frontier, .-frontier
"""

CLANG_TEXT = """\
	.globl	front                           # -- Begin function front
	.type	front,@function
front:                                  # @front
.Lfunc_begin0:
	.cfi_startproc
# %bb.0:
	testq	%rdi, %rdi
	je	.LBB0_2                         # a note: with a colon
.LBB0_2:                                # =>This Inner Loop Header: Depth=1
                                        # kill: def $eax killed $eax
	jmp	refill@PLT                      # TAILCALL
.Ltmp0:
.Lfunc_end0:
	.size	front, .Lfunc_end0-front
	.cfi_endproc
                                        # -- End function
behind:
	retq
"""

ARM_TEXT = """\
front:                                  // @front
// %bb.0:
	cbz	x0, .LBB0_2
	ret
.LBB0_2:
	b	refill
.Lfunc_end0:
	.size	front, .Lfunc_end0-front
"""


@pytest.mark.parametrize(
    ("text", "lines"),
    [(GCC_TEXT, 9), (CLANG_TEXT, 4), (ARM_TEXT, 4)],
    ids=["gcc", "clang", "aarch64"],
)
def test_lines_are_instructions_and_jump_labels_from_the_label_to_the_size(text: str, lines: int) -> None:
    assert counting.count_lines(text, "front") == lines


def test_a_label_that_is_not_in_the_text_is_an_error() -> None:
    with pytest.raises(AsmError, match="no label 'fron'"):
        counting.count_lines(GCC_TEXT, "fron")


# --- the record


def test_the_record_names_each_entry_with_all_its_counts(built: tuple[Path, Path]) -> None:
    entries = counted(*built, alloc=Function("inlined", "front"), free=Function("other", "swap"))
    alloc = entries["alloc"]
    assert (alloc.function, alloc.probe) == ("inlined", "front")
    for name in ("instructions", "bytes", "branches", "calls", "tail_calls", "lines"):
        value = alloc.metric(name)
        assert isinstance(value, int)
        assert value > 0
    assert list(entries) == ["alloc", "free"]


def test_without_assembly_text_only_the_lines_are_missing(built: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "other.s"
    other.write_text("nothing:\n", encoding="utf-8")
    for listing, reason in ((None, "there is no assembly text"), (other, "the assembly has no label 'swap'")):
        entry = counted(built[0], listing, free=Function("other", "swap"))["free"]
        assert entry.instructions > 0
        assert entry.lines == NotMeasured(reason)


ALLOC = Function("inlined", "front")


def test_an_object_that_cannot_be_counted_is_an_error_that_names_it(tmp_path: Path) -> None:
    text = tmp_path / "probe.o"
    text.write_text("int main;", encoding="utf-8")
    with pytest.raises(elf.ElfError, match=r"none\.o: No such file or directory"):
        counted(tmp_path / "none.o", None, alloc=ALLOC)
    with pytest.raises(elf.ElfError, match=r"probe\.o: no readable ELF file"):
        counted(text, None, alloc=ALLOC)


def test_an_object_that_is_cut_off_is_not_counted(tmp_path: Path) -> None:
    whole = compiled("gcc", tmp_path)[0].read_bytes()
    cut = tmp_path / "cut.o"
    for size in range(0, len(whole), 97):
        cut.write_bytes(whole[:size])
        with pytest.raises((elf.ElfError, AsmError)):
            counted(cut, None, alloc=ALLOC)


def test_a_damaged_object_is_counted_or_not_but_never_stops_the_others(tmp_path: Path) -> None:
    whole = compiled("gcc", tmp_path)[0].read_bytes()
    damaged = tmp_path / "damaged.o"
    headers = int.from_bytes(whole[40:48], "little")  # offset of the section headers
    for place in [*range(64), *range(headers, len(whole), 7)]:
        damaged.write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
        with contextlib.suppress(elf.ElfError, AsmError):
            counted(damaged, None, alloc=ALLOC)


def test_a_library_that_is_none_has_no_size(tmp_path: Path) -> None:
    size = asm.size_of(tmp_path / "libnone.so")
    assert size == NotMeasured("libnone.so: No such file or directory")
