"""The parts of ELF files that evidence needs are those that pyelftools finds."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from layermatrix.evidence.binary import elf

SOURCE = """
#include <stdio.h>
static __thread int mine;
int shared = 3, empty[100];
static const char *const words[] = {"one", "two"};
int print(int number);
static int more(int number) { return ++mine + number; }
int print(int number) { return printf("%s %d\\n", words[number & 1], more(number) + empty[number]); }
"""
pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("elf")
    source = folder / "a.c"
    source.write_text(SOURCE, encoding="ascii")
    files = {"object": folder / "a.o", "library": folder / "liba.so"}
    for name, options in {"object": ["-c"], "library": ["-shared"]}.items():
        command: list[str | Path] = [
            "gcc",
            "-O1",
            "-g",
            "-fPIC",
            "-ffunction-sections",
            *options,
            "-o",
            files[name],
            source,
        ]
        subprocess.run(command, check=True)
    return files


@pytest.mark.parametrize("which", ["object", "library"])
def test_sections_and_symbols_are_those_of_pyelftools(made: dict[str, Path], which: str) -> None:
    ours = elf.read(made[which])
    with made[which].open("rb") as stream:
        file: Any = ELFFile(stream)
        assert ours.machine == file["e_machine"]
        sections = list(file.iter_sections())
        assert [(one.name, one.size) for one in ours.sections] == [
            (one.name, one["sh_size"]) for one in sections
        ]
        for one, other in zip(ours.sections, sections, strict=True):
            assert one.loaded == bool(other["sh_flags"] & 2)
            assert one.executable == bool(other["sh_flags"] & 4)
            has_bytes = one.loaded and other["sh_type"] != "SHT_NOBITS"
            assert one.data == (other.data() if has_bytes else b"")
        symbols = list(file.get_section_by_name(".symtab").iter_symbols())
        assert [(one.name, one.kind, one.value, one.size, one.local) for one in ours.symbols] == [
            (
                one.name,
                one["st_info"]["type"],
                one["st_value"],
                one["st_size"],
                one["st_info"]["bind"] == "STB_LOCAL",
            )
            for one in symbols
        ]
        places = [one["st_shndx"] for one in symbols]
        assert [one.section for one in ours.symbols] == [
            place if isinstance(place, int) else None for place in places
        ]


def test_relocations_of_loaded_sections_are_those_of_pyelftools(made: dict[str, Path]) -> None:
    found: list[tuple[int, int, int, int]] = []
    with made["object"].open("rb") as stream:
        file: Any = ELFFile(stream)
        for table in file.iter_sections("SHT_RELA"):
            if file.get_section(table["sh_info"])["sh_flags"] & 2:
                found += [
                    (table["sh_info"], one["r_offset"], one["r_info_type"], one["r_addend"])
                    for one in table.iter_relocations()
                ]
    ours = elf.read(made["object"]).relocations
    assert [(one.section, one.offset, one.kind, one.addend) for one in ours] == found
    assert "printf" in {one.symbol.name for one in ours}
    assert elf.read(made["library"]).relocations == ()


def test_a_damaged_or_short_file_is_an_error_that_names_it(made: dict[str, Path], tmp_path: Path) -> None:
    whole, damaged = made["object"].read_bytes(), tmp_path / "damaged.o"
    table = int.from_bytes(whole[40:48], "little")
    for place in [*range(16, 64), *range(table, len(whole), 5)]:
        damaged.write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
        with contextlib.suppress(elf.ElfError):
            elf.read(damaged)
    for text, reason in {
        b"": "it does not begin as one",
        b"#!/bin/sh\n": "it does not begin as one",
        whole[:4] + b"\1" + whole[5:]: "only files of little-endian machines with 64 bits are read",
        whole[:-1]: "it ends before byte",
        whole[:30]: "unpack_from requires",
    }.items():
        damaged.write_bytes(text)
        with pytest.raises(elf.ElfError, match=rf"damaged\.o: no readable ELF file: .*{reason}"):
            elf.read(damaged)
