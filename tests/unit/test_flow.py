"""Control flow in machine code: hit path, stack and spills, in bytes whose paths were worked out by hand."""

from __future__ import annotations

import pytest

from layermatrix.evidence.binary import elf, hit_path
from layermatrix.evidence.binary.machine import ARM, X86, decode


def function(*codes: str, machine: str = X86, cold: str = "") -> hit_path.Function:
    """The function `here` with these instructions, and its cold part."""
    hot, moved = bytes.fromhex("".join(codes)), bytes.fromhex(cold)
    sections = (
        elf.Section(0, ".text", True, True, hot),
        elf.Section(1, ".text.unlikely", True, True, moved),
    )
    symbols = [elf.Symbol("here", "STT_FUNC", 0, 0, len(hot))]
    if moved:
        symbols.insert(0, elf.Symbol("here.cold", "STT_FUNC", 1, 0, len(moved)))  # GCC may list it first
    return hit_path.read_function(elf.ObjectFile(machine, sections, tuple(symbols), ()), "here")


def hit(
    code: hit_path.Function, *, passing: int | None = None, avoiding: tuple[int, ...] = ()
) -> list[int] | None:
    """The addresses of the path with the fewest calls; among those, with the fewest of `avoiding`, then with
    the fewest instructions."""
    path = hit_path.cheapest_return(
        code,
        cost=lambda step: (step.instruction.is_call, step.instruction.address in avoiding, 1),
        passes=lambda step: passing in (None, step.instruction.address),
    )
    return None if path is None else [step.instruction.address for step in path]


# test rdi,rdi; je 0x8; mov rax,[rdi]; nop; nop?; ret | 8: call; ret
BRANCHING = ("4885ff", "7404", "488b07", "c3", "e800000000", "c3")


def test_the_way_without_a_call_is_the_hit() -> None:
    assert hit(function(*BRANCHING)) == [0, 3, 5, 8]


def test_a_longer_way_goes_before_one_with_a_call() -> None:
    longer = ("4885ff", "7406", "e800000000", "c3", *["90"] * 20, "c3")
    code = function(*longer)
    assert hit(code) == [0, 3, *range(11, 32)]


def test_where_every_way_has_a_call_the_one_with_the_fewest_is_the_hit() -> None:
    code = function("e800000000", "7405", "e800000000", "c3")
    assert hit(code) == [0, 5, 12]


def test_the_way_passes_what_it_has_to_pass() -> None:
    code = function("85ff", "7401", "90", "c3")  # the jump skips the nop
    assert hit(code) == [0, 2, 5]
    assert hit(code, passing=4) == [0, 2, 4, 5]
    assert hit(code, passing=77) is None


def test_the_way_keeps_away_from_other_layers_even_where_it_is_longer() -> None:
    code = function("85ff", "7404", "909090", "c3", "c3")
    assert hit(code) == [0, 2, 8]
    assert hit(code, avoiding=(8,)) == [0, 2, 4, 5, 6, 7]


def test_a_loop_is_left_and_a_jump_out_of_the_function_is_no_return() -> None:
    assert hit(function("ffc8", "75fc", "c3")) == [0, 2, 4]
    assert hit(function("eb10", "9090")) is None
    assert hit(function("ffe0", "c3")) is None, "where it goes only the run knows"
    assert hit(function("7402", "0f0b", "c3")) == [0, 4], "nothing follows ud2"


def test_the_way_may_lead_through_the_cold_part() -> None:
    hot, cold = "0f8400000000c3", "90c3"
    sections = (
        elf.Section(0, ".text", True, True, bytes.fromhex(hot)),
        elf.Section(1, ".text.unlikely", True, True, bytes.fromhex(cold)),
    )
    moved = elf.Symbol("here.cold", "STT_FUNC", 1, 0, 2)
    symbols = (elf.Symbol("here", "STT_FUNC", 0, 0, 7), moved)
    to_cold = elf.Relocation(0, 2, elf.Symbol("", "STT_SECTION", 1, 0, 0), -4)
    code = hit_path.read_function(elf.ObjectFile(X86, sections, symbols, (to_cold,)), "here")
    path = hit_path.cheapest_return(code, lambda step: (1,), lambda step: step.part.section == 1)
    assert path is not None
    assert [step.node for step in path] == [(0, 0), (1, 0), (1, 1)]
    assert not any(step.leaves for step in path)


def test_the_entry_is_that_of_the_function_wherever_its_cold_part_is_listed() -> None:
    assert function("c3", cold="90").entry == (0, 0)


@pytest.mark.parametrize(
    ("codes", "machine", "stack"),
    [
        (["53", "55", "4883ec58", "4883c458", "5d", "5b", "c3"], X86, 8 + 8 + 0x58),
        (["488d6424f8", "c3"], X86, 8),  # lea rsp, [rsp - 8]
        (["48894424f8", "c3"], X86, 8),  # a leaf function may write below the stack pointer
        (["4883ec18", "48894424f0", "c3"], X86, 0x18 + 16),
        (["55", "4889e5", "4883ec20", "c9", "c3"], X86, 8 + 0x20),
        (["55", "4889e5", "53", "488d65f8", "5b", "5d", "c3"], X86, 16),
        (["4883e4e0", "c3"], X86, None),  # alignment takes a number of bytes known only at run time
        (["fd7bbfa9", "ff8300d1", "ff830091", "fd7bc1a8", "c0035fd6"], ARM, 16 + 32),
        (["ff0740d1", "c0035fd6"], ARM, 4096),
        (["c0035fd6"], ARM, 0),
    ],
)
def test_the_stack_is_what_pushes_and_the_frame_take(
    codes: list[str], machine: str, stack: int | None
) -> None:
    code = function(*codes, machine=machine)
    assert code.stack(code.steps) == stack


def test_only_what_is_on_the_way_takes_stack() -> None:
    code = function("85ff", "7401", "c3", "53", "5b", "c3")
    path = hit_path.cheapest_return(code, lambda step: (1,), lambda step: True)
    assert path is not None
    assert (code.stack(path), code.stack(code.steps)) == (0, 8)


@pytest.mark.parametrize(
    ("codes", "machine", "spills"),
    [
        (["89442408", "c3"], X86, 1),  # mov [rsp + 8], eax
        (["8b442408", "c3"], X86, 0),  # mov eax, [rsp + 8]
        (["837c240800", "c3"], X86, 0),  # cmp dword ptr [rsp + 8], 0
        (["53", "ff742408", "c3"], X86, 0),  # pushes
        (["c7450801000000", "c3"], X86, 0),  # rbp is an ordinary register here
        (["4889e5", "c7450801000000", "c3"], X86, 1),
        (["fd7bbfa9", "c0035fd6"], ARM, 0),  # stp x29, x30, [sp, #-16]! is a push
        (["e00700f9", "e00740f9", "c0035fd6"], ARM, 1),  # a store and a load
    ],
)
def test_spills_are_stores_to_the_frame(codes: list[str], machine: str, spills: int) -> None:
    code = function(*codes, machine=machine)
    assert sum(code.is_spill(step) for step in code.steps) == spills


@pytest.mark.parametrize(
    ("machine", "code", "goes_on", "is_return"),
    [
        (X86, "c3", False, True),
        (X86, "f3c3", False, True),  # repz ret
        (X86, "eb00", False, False),
        (X86, "3effe0", False, False),  # notrack jmp rax
        (X86, "7400", True, False),
        (X86, "e800000000", True, False),
        (X86, "0f0b", False, False),
        (ARM, "c0035fd6", False, True),
        (ARM, "00000014", False, False),  # b
        (ARM, "40000054", True, False),  # b.eq
        (ARM, "00000094", True, False),  # bl
    ],
)
def test_each_instruction_shows_whether_the_next_may_follow(
    machine: str, code: str, goes_on: bool, is_return: bool
) -> None:
    (found,) = decode(bytes.fromhex(code), machine)
    assert (found.goes_on, found.is_return) == (goes_on, is_return)


@pytest.mark.parametrize(
    ("codes", "machine", "way"),
    [
        # xor eax,eax; test eax,eax; je +1; ret; nop; ret: a register set to 0 is known to be 0
        (["31c0", "85c0", "7401", "c3", "90", "c3"], X86, [0, 2, 4, 7, 8]),
        # the same for rbx after a call, which preserves it, and for rax, which the call may change
        (["31db", "e800000000", "4885db", "7401", "c3", "90", "c3"], X86, [0, 2, 7, 10, 13, 14]),
        (["31c0", "e800000000", "4885c0", "7401", "c3", "90", "c3"], X86, [0, 2, 7, 10, 12]),
        # mov rbx,rax copies the known value; a load makes it unknown
        (["31c0", "4889c3", "4885db", "7401", "c3", "90", "c3"], X86, [0, 2, 5, 8, 11, 12]),
        (["31c0", "488b07", "4885c0", "7401", "c3", "90", "c3"], X86, [0, 2, 5, 8, 10]),
        # 0 in eax does not determine rbx; xor al,al does not change the rest of rax
        (["31c0", "4885db", "7401", "c3", "90", "c3"], X86, [0, 2, 5, 7]),
        (["30c0", "4885c0", "7401", "c3", "90", "c3"], X86, [0, 2, 5, 7]),
        # the last instruction that sets the flags decides
        (["31c0", "85c0", "83c301", "7401", "c3", "90", "c3"], X86, [0, 2, 4, 7, 9]),
        # mov x0, #0; cbz x0, +8; ret; nop; ret
        (["000080d2", "400000b4", "c0035fd6", "1f2003d5", "c0035fd6"], ARM, [0, 4, 12, 16]),
        (["000080d2", "410000b4", "c0035fd6", "1f2003d5", "c0035fd6"], ARM, [0, 4, 8]),
    ],
)
def test_a_jump_on_a_register_that_is_0_leads_one_way(codes: list[str], machine: str, way: list[int]) -> None:
    assert hit(function(*codes, machine=machine)) == way


def test_what_a_jump_has_shown_to_be_0_is_known_after_it() -> None:
    """test rax,rax; je 9; nop; nop; nop; ret | 9: test rax,rax; jne 17; nop; nop; ret | 17: ret"""
    code = function("4885c0", "7404", *["90"] * 3, "c3", "4885c0", "7503", "9090", "c3", "c3")
    assert hit(code, passing=9) == [0, 3, 9, 12, 14, 15, 16]
