"""`strip`: C text without the code that a macro guards."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layermatrix.core.errors import SpecErrors
from layermatrix.evidence.source.strip import without

ROOT = Path(__file__).resolve().parents[2]


def left(text: str) -> list[str]:
    """The remaining text without blank lines."""
    stripped = without(text, "TALK", "x.c")
    assert stripped.count("\n") == text.count("\n"), "lines keep their numbers"
    return [line for line in stripped.split("\n") if line.strip()]


@pytest.mark.parametrize(
    "opening",
    [
        "#if TALK",
        "# if (TALK)",
        "#ifdef TALK",
        "#if defined(TALK)",
        "#if !!TALK // why",
        "#ifndef NO\n#if TALK",
    ],
)
def test_the_block_goes_and_the_else_stays(opening: str) -> None:
    end = "\n#endif" if "\n" in opening else ""
    outer = ["#ifndef NO", "#endif"] if end else []
    text = f"a\n{opening}\nb\n#else\nc\n#endif{end}\nd"
    assert left(text) == ["a", *outer[:1], "c", *outer[1:], "d"]


@pytest.mark.parametrize("opening", ["#if !TALK", "#ifndef TALK", "#if !defined TALK", "#if !(TALK)"])
def test_a_negated_condition_keeps_the_block(opening: str) -> None:
    assert left(f"{opening}\na\n#else\nb\n#endif") == ["a"]


def test_other_conditionals_stay_outside_and_go_inside() -> None:
    text = "#if A\n#if TALK\n#if B\nx\n#elif TALK\ny\n#else\nz\n#endif\n#endif\n#elif C\nw\n#else\nv\n#endif"
    assert left(text) == ["#if A", "#elif C", "w", "#else", "v", "#endif"]


def test_blocks_of_the_macro_nest() -> None:
    text = "#if !TALK\na\n#if TALK\nb\n#else\nc\n#endif\n#else\n#if TALK\nd\n#endif\n#endif\ne"
    assert left(text) == ["a", "c", "e"]


def test_directives_in_comments_and_strings_are_text() -> None:
    text = '/*\n#if TALK\n*/\na = "#if TALK";\n// #endif\n#if \\\n TALK\nb /*\n#endif\n*/ c\n#endif\nd'
    assert left(text) == ["/*", "#if TALK", "*/", 'a = "#if TALK";', "// #endif", "d"]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a\n#if TALK && X\n#endif", 2, "cannot tell what is left of this condition without 'TALK'"),
        ("#if TALK == 1\n#endif", 1, "cannot tell"),
        ("#if X\n#elif TALK\n#endif", 2, "#elif and 'TALK' in one conditional"),
        ("#if TALK\n#elif X\n#endif", 2, "#elif and 'TALK' in one conditional"),
        ("a\nif (TALK) b();", 2, "'TALK' is for conditionals around debug code only"),
        ("#define TALK 1", 1, "'TALK' is for conditionals"),
        ("#endif", 1, "#endif without #if"),
        ("#if A\n#else\n#else\n#endif", 3, "#else after #else"),
        ("\n#if TALK\na", 2, "this conditional has no #endif"),
    ],
)
def test_what_cannot_be_understood_is_an_error_at_its_line(text: str, line: int, what: str) -> None:
    with pytest.raises(SpecErrors) as caught:
        without(text, "TALK", "csrc/x.c")
    assert str(caught.value).startswith(f"csrc/x.c:{line}:1: error: ")
    assert what in str(caught.value)


BLOCK: st.SearchStrategy[str] = st.deferred(lambda: st.lists(LINE, max_size=4).map("\n".join))
LINE: st.SearchStrategy[str] = st.one_of(
    st.integers(0, 99).map(lambda n: f"x{n};"),
    st.tuples(st.sampled_from(["#if TALK", "#if !TALK", "#if OTHER", "#ifdef NONE"]), BLOCK, BLOCK).map(
        lambda parts: f"{parts[0]}\n{parts[1]}\n#else\n{parts[2]}\n#endif"
    ),
)


@settings(max_examples=15, deadline=None)
@given(BLOCK)
def test_a_preprocessor_sees_the_same_as_with_the_macro_at_0(text: str) -> None:
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("neither gcc nor clang is installed")

    def seen(source: str, *flags: str) -> list[str]:
        command = [compiler, "-E", "-P", *flags, "-"]
        done = subprocess.run(command, input=source + "\n", text=True, capture_output=True, check=True)
        return done.stdout.split()

    assert seen(without(text, "TALK", "x.c")) == seen(text, "-DTALK=0")


@pytest.mark.parametrize("path", sorted((ROOT / "csrc").glob("[!bp]*/*.[ch]")), ids=lambda path: path.name)
def test_the_allocators_own_files_are_understood(path: Path) -> None:
    stripped = without(path.read_text(encoding="utf-8"), "HAKMEM_DEBUG_OUTPUT", path.name)
    code = [line.split("//")[0] for line in stripped.split("\n")]
    assert not any("HAKMEM_DEBUG_OUTPUT" in line for line in code)
    assert not any("hak_debug_print" in line for line in code)
