"""`csource`: tokens, logical lines and calls of C text."""

from __future__ import annotations

import pytest

from layermatrix.core.errors import SpecErrors
from layermatrix.evidence.source import csource


def words(text: str) -> list[tuple[str, int]]:
    return [(token.text, token.line) for token in csource.tokens(text, "x.c") if token.kind == "word"]


def calls(text: str) -> list[tuple[int, tuple[str, ...]]]:
    return [(call.line, call.strings) for call in csource.calls(text, "x.c", {"say"})]


def test_words_in_comments_and_strings_are_no_words() -> None:
    text = (
        'one /* two\nthree */ four // five \\\nsix\n"seven\\"eight" \'n\' L"ten" u8"eleven" twelve 0xthirteen'
    )
    assert words(text) == [("one", 1), ("four", 2), ("twelve", 4)]


def test_a_logical_line_ends_where_the_preprocessor_ends_it() -> None:
    text = "#define A \\\n  b\nc /* d\ne */ f\n\n# if X // y\n"
    lines = list(csource.logical_lines(text, "x.c"))
    assert [(line.first, line.last, line.directive) for line in lines] == [
        (1, 2, "define"), (3, 4, ""), (5, 5, ""), (6, 6, "if"),
    ]  # fmt: skip
    assert [token.text for token in lines[1].tokens] == ["c", "f"]


def test_the_last_line_needs_no_line_break() -> None:
    assert [(line.first, line.last) for line in csource.logical_lines("a\n/* b\n c */", "x.c")] == [
        (1, 1), (2, 3),
    ]  # fmt: skip


@pytest.mark.parametrize(("text", "what"), [("a\n b /* c", "comment"), ('a\n b "c\n', "string")])
def test_what_has_no_end_is_an_error_with_its_place(text: str, what: str) -> None:
    with pytest.raises(SpecErrors) as caught:
        csource.tokens(text, "x.c")
    assert str(caught.value) == f"x.c:2:4: error: this {what} has no end"


def test_calls_are_distinguished_from_declarations() -> None:
    text = """
    void say(const char *format, ...);
    static char *say(int);
    void f(void) { say("a"); if (x) say("b"); else say("c"); return say("d"); }
    """
    assert [strings for _, strings in calls(text)] == [("a",), ("b",), ("c",), ("d",)]


def test_a_directive_is_no_part_of_the_call_after_it() -> None:
    text = '#if TALK\nsay("a");\n#endif\n#define SAY say("b")\n#define TELL(x) say("c", x)\nvoid\nsay(int);'
    assert calls(text) == [(2, ("a",)), (4, ("b",)), (5, ("c",))]


def test_neighbouring_strings_are_one_and_those_of_other_arguments_are_apart() -> None:
    text = 'say(stream, "[a" "]: %" PRIu64 "\\n", g(1, "b"), x);\n\nsay(y)'
    assert calls(text) == [(1, ("[a]: %\\n", "b")), (3, ())]


def test_a_function_that_is_passed_on_cannot_be_followed() -> None:
    with pytest.raises(SpecErrors) as caught:
        calls("\n#define SAY say\nf(say);")
    assert [str(error).split(": error: ")[0] for error in caught.value.errors] == ["x.c:2:1", "x.c:3:1"]
    assert "'say' is used without being called" in str(caught.value)
