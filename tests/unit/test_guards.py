"""Debug messages that a library still has."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from layermatrix import records
from layermatrix.evidence import guards

SENTINEL = r"\[demo:[a-z0-9_.]+\]"


def library(folder: Path, source: str, *options: str) -> Path:
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("neither gcc nor clang is installed")
    (folder / "source.c").write_text(source, encoding="utf-8")
    out = folder / "libdemo.so"
    command = [compiler, "-shared", "-fPIC", "-O2", *options, str(folder / "source.c"), "-o", str(out)]
    subprocess.run(command, check=True, timeout=60)
    return out


def test_distinct_sentinels_are_counted_in_constants_and_in_variables(tmp_path: Path) -> None:
    source = """
    const char *one(void) { return "[demo:alloc.refill] took %d blocks"; }
    const char *two(void) { return "x [demo:alloc.refill] again"; }
    char three[64] = "[demo:free_9]";
    const char *four(void) { return "[DEMO:other] [demo:] plain"; }
    char zeroed[4096];
    """
    record = guards.debug_strings(library(tmp_path, source), SENTINEL)
    assert records.check(record, "guards") is record
    assert record["debug_strings"] == {
        "count": 2,
        "examples": ["[demo:alloc.refill] took %d blocks", "[demo:free_9]"],
    }
    assert record["sentinel"] == SENTINEL


def test_a_library_without_sentinels_has_none(tmp_path: Path) -> None:
    record = guards.debug_strings(library(tmp_path, "int demo(void) { return 1; }", "-g"), SENTINEL)
    assert record["debug_strings"] == {"count": 0, "examples": []}


def test_what_only_debug_information_or_names_of_functions_say_is_not_in_the_program(tmp_path: Path) -> None:
    source = '#define TEXT "[demo:macro]"\nint demo_function(void) { return sizeof TEXT; }'
    path = library(tmp_path, source, "-g3")
    assert b"[demo:macro]" in path.read_bytes()
    assert b"demo_function" in path.read_bytes()
    assert guards.debug_strings(path, SENTINEL)["debug_strings"]["count"] == 0
    assert guards.debug_strings(path, "demo_function")["debug_strings"]["count"] == 0


def test_at_most_five_examples_are_given_in_the_order_of_the_alphabet(tmp_path: Path) -> None:
    source = "\n".join(f'const char *f{n}(void) {{ return "[demo:m{n}] " "{"y" * 300}"; }}' for n in range(7))
    found = guards.debug_strings(library(tmp_path, source), SENTINEL)["debug_strings"]
    assert found["count"] == 7
    assert [example[:9] for example in found["examples"]] == [f"[demo:m{n}]" for n in range(5)]
    assert max(map(len, found["examples"])) == 120


def test_a_pattern_that_matches_nothing_finds_nothing(tmp_path: Path) -> None:
    assert guards.debug_strings(library(tmp_path, "char text[9] = {1};"), "q*")["debug_strings"]["count"] == 0


def test_what_cannot_be_searched_is_not_measured_with_the_reason(tmp_path: Path) -> None:
    text = tmp_path / "libdemo.so"
    assert guards.debug_strings(text, SENTINEL)["reason"] == "libdemo.so: No such file or directory"
    text.write_text("INPUT(other.so)", encoding="utf-8")
    record = guards.debug_strings(text, SENTINEL)
    assert record["status"] == "not measured"
    assert record["reason"].startswith("libdemo.so: no readable ELF file")
    assert "is no regular expression" in guards.debug_strings(text, "[")["reason"]
