"""`statements` and `origins`: debug statements, their sentinels and their origins."""

from __future__ import annotations

import re
from collections.abc import Mapping

from layermatrix.core.errors import Place
from layermatrix.evidence.source import statements
from layermatrix.evidence.source.line_origins import LineOrigins, SourceLine

SENTINEL = re.compile(r"\[toy:[a-z.]+\]")


class Layer:
    name = "ring"


class Map:
    """The header's line 1 is the frame's; line 2 is a macro's, for the layer ring."""

    def chain(self, line: int) -> tuple[Place, ...]:
        frame = Place("templates/toy.h.j2", 9, 1)
        macro = (Place("templates/debug.h.j2", 3, 1), Place("templates/layers/ring.h.j2", 5, 1), frame)
        return {1: (frame,), 2: macro}.get(line, ())

    def layer(self, line: int) -> Layer | None:
        return Layer() if line == 2 else None


ORIGINS = LineOrigins("toy_gen.h", Map)


def gather(texts: Mapping[str, str]) -> statements.Gathered:
    return statements.gather(texts, ["say", "tell"], SENTINEL, ORIGINS)


def test_a_line_of_the_header_is_the_templates_and_others_are_themselves() -> None:
    assert ORIGINS.origin("src/a.c", 2) == SourceLine("src/a.c", 2, "src/a.c")
    assert ORIGINS.origin("build/x/gen/toy_gen.h", 1) == SourceLine(
        "templates/toy.h.j2", 9, "templates/toy.h.j2"
    )
    origin = ORIGINS.origin("build/x/bare/gen/toy_gen.h", 2)
    assert origin.owner == "layer ring"
    assert origin.error("no") == (
        "templates/debug.h.j2:3:1: error: no, layer ring, "
        "printed for templates/layers/ring.h.j2:5, templates/toy.h.j2:9"
    )
    assert ORIGINS.origin("build/x/gen/toy_gen.h", 7).path == "build/x/gen/toy_gen.h"


def test_each_statement_has_its_sentinel_and_its_place() -> None:
    found = gather(
        {"a.c": '\nsay("[toy:one] %d", 1);\ntell(2, "x [toy:two]");', "gen/toy_gen.h": 'say("[toy:c]");'}
    )
    assert [(one.sentinel, one.origin.path, one.origin.line) for one in found.statements] == [
        ("[toy:one]", "a.c", 2), ("[toy:two]", "a.c", 3), ("[toy:c]", "templates/toy.h.j2", 9),
    ]  # fmt: skip
    assert found.mistakes == ()


def test_a_statement_without_a_sentinel_is_a_mistake() -> None:
    found = gather({"a.c": 'say("[toy:one]");\nsay("plain");\ntell(x);'})
    assert found.mistakes == (
        "a.c:2:1: error: this call of say has no sentinel",
        "a.c:3:1: error: this call of tell has no sentinel",
    )


def test_two_statements_with_one_sentinel_are_a_mistake_with_both_places() -> None:
    found = gather({"a.c": 'say("[toy:one]");', "b.c": '\n\nsay("[toy:one]");'})
    assert found.mistakes == ("b.c:3:1: error: the sentinel '[toy:one]' is already used at a.c:1",)


def test_one_statement_with_two_sentinels_is_a_mistake() -> None:
    (mistake,) = gather({"a.c": 'say("[toy:one] [toy:two]");'}).mistakes
    assert mistake.endswith("has 2 sentinels, [toy:one] and [toy:two]")


def test_a_printing_function_that_is_handed_on_is_a_mistake() -> None:
    (mistake,) = gather({"a.c": "\nf(say);"}).mistakes
    assert mistake.startswith("a.c:2:1: error: 'say' is used without being called")


def test_conditionals_decide_which_statements_are_compiled_in() -> None:
    found = gather({"a.c": 'say("[toy:one]");\nsay("[toy:two]");'}).statements
    left = statements.compiled_in(found, ['# 2 "a.c"\nsay("[toy:two]");'])
    assert [one.sentinel for one in left] == ["[toy:two]"]
