"""`evidence.code`: counts in the text of a fast path, with small artificial sources."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from layermatrix.core.records import NotMeasured
from layermatrix.evidence import code
from layermatrix.evidence.code import Code
from layermatrix.evidence.source import path_counts

PROBE = '#include "path_gen.h"\nint probe(int a)\n{\n    return take(a);\n}\n'
HEADER = """
// #if not this one, nor "switches.in" a comment
#ifndef PATH_GEN_H
#define PATH_GEN_H
#include "state.h"
static inline int pop(int a)
{
#if DEBUG
    if (talks) say("switches.text");
#elif LOUD
    say("loud");
#endif
    return switches.pop ? a : 0;
}
#define first_pop pop
static __attribute__((noinline, cold)) int slow(int a)
{
    return switches.slow + a;
}
static inline __attribute__((always_inline)) int take(int a)
{
    if (first_pop(a) || first_pop(a + 1)) return 1;
    return switches.take ? slow(a) : 0;
}
#endif
"""
PREPROCESSED = """
static inline int pop(int a)
{
    return switches.pop ? a : 0;
}
static __attribute__((noinline, cold)) int slow(int a)
{
    return switches.slow + a;
}
static inline __attribute__((always_inline)) int take(int a)
{
    if (pop(a) || pop(a + 1)) return 1;
    return switches.take ? slow(a) : 0;
}
int probe(int a)
{
    return take(a);
}
"""
STATE = "#ifdef WIDE\nextern long switches;\n#endif\nextern int talks;\n"
LIBRARY = '#include "path_gen.h"\n#include <stdio.h>\n#if DEBUG\nint debug;\n#endif\n'


@dataclass(frozen=True)
class Entry:
    function: str


class Sources:
    """The files of an artificial system; its entry is `take`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        texts = {"probe.c": PROBE, "gen/path_gen.h": HEADER, "state.h": STATE}
        for name, text in {**texts, "probe.i": PREPROCESSED, "lib.c": LIBRARY}.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        (self.root / name).parent.mkdir(exist_ok=True)
        (self.root / name).write_text(text, encoding="utf-8")

    def count(self) -> Code:
        found = self.measure()
        assert isinstance(found, Code)
        return found

    def measure(self, function: str = "take", reported: str = "lib.c") -> Code | NotMeasured:
        return code.measure(
            self.root / "probe.c",
            self.root / "probe.i",
            [self.root / "gen", self.root],
            "path_gen.h",
            {"alloc": Entry(function)},
            ["switches", "talks"],
            ["lib.c"],
            {reported: "300-400"},
        )


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return Sources(tmp_path)


def test_a_check_counts_once_for_each_call_that_is_inlined(sources: Sources) -> None:
    """The two calls of `pop` count two, and the entry itself has one. `slow` is out of line, and text in
    strings is not code."""
    entry = sources.count().entries["alloc"]
    assert (entry.runtime_checks, entry.switches) == (3, {"switches": 3})


def test_what_the_preprocessor_left_out_is_no_check(sources: Sources) -> None:
    debug = PREPROCESSED.replace(
        "    return switches.pop", '    if (talks) say("x");\n    return switches.pop'
    )
    sources.write("probe.i", debug)
    assert sources.count().entries["alloc"].switches == {"switches": 3, "talks": 2}


def test_conditionals_are_counted_where_they_choose_and_guards_are_not(sources: Sources) -> None:
    record = sources.count()
    assert record.header.conditional_paths == 2
    assert record.entries["alloc"].conditional_paths == 4, "an #if and an #elif, in each of two calls"


def test_the_librarys_conditionals_are_counted_without_the_generated_header(sources: Sources) -> None:
    assert sources.count().sources == code.Sources(files=2, conditional_paths=2)


def test_lines_stand_beside_those_that_are_reported(sources: Sources) -> None:
    assert sources.count().files == {"lib.c": code.Lines(5, reported="300-400")}


@pytest.mark.parametrize(
    "guard",
    [
        "#ifndef A_H\n#define A_H\n#endif\n",
        "#if defined(WANTED) && !defined(A_H)\n#define A_H\n#endif\n",
        "# if !defined(A_H)\n\n  #  define A_H 1\n#endif\n",
    ],
)
def test_guards_of_each_kind_are_known(guard: str) -> None:
    assert path_counts.conditionals(guard) == 0


def test_a_conditional_definition_of_something_else_chooses() -> None:
    assert path_counts.conditionals("#ifdef FAST\n#define SIZE 4\n#else\n#define SIZE 8\n#endif\n") == 1


@pytest.mark.parametrize(
    ("function", "reported", "reason"),
    [
        ("tkae", "lib.c", "no function 'tkae' is defined in what the probe includes"),
        ("take", "gone.c", "file gone.c, whose lines are reported, not found"),
    ],
)
def test_what_cannot_be_counted_gives_the_reason(
    sources: Sources, function: str, reported: str, reason: str
) -> None:
    assert sources.measure(function, reported) == NotMeasured(reason)


def test_a_function_that_calls_itself_has_no_count(sources: Sources) -> None:
    sources.write("probe.i", PREPROCESSED.replace("return switches.pop ? a : 0", "return pop(a - 1)"))
    assert sources.measure() == NotMeasured("'pop' calls itself")


def test_a_probe_without_the_header_is_not_counted(sources: Sources) -> None:
    sources.write("probe.c", "int probe;\n")
    assert sources.measure() == NotMeasured("probe.c does not include path_gen.h")
