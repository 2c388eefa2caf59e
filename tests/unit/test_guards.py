"""The checks for debug code in a library, and how each fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from test_statements import Map
from toy_objects import build

from layermatrix.evidence import guards
from layermatrix.evidence.binary import elf
from layermatrix.evidence.references import Compiled
from layermatrix.evidence.source.line_origins import LineOrigins
from layermatrix.model.system import Allowed

SENTINEL = r"\[demo:[a-z0-9_.]+\]"
CODE = """
extern int say(const char *format, ...);
extern int puts(const char *text);
extern void *malloc(unsigned long size);
int work(int n)
{
#if TALK
    say("[demo:work] %d", n);
#endif
    return n + 1;
}
void *get(void) { return malloc(8); }
"""
RULE = SimpleNamespace(symbols=("put*", "printf"), reason="it prints.", allowed=())

Make = Callable[..., guards.Subject]


@pytest.fixture
def subject(tmp_path: Path) -> Make:
    """A small library, built from `code`. Its instrumented build comes from `bare`, or from `code` without
    it."""

    def make(code: str = CODE, bare: str | None = None, **changes: Any) -> guards.Subject:
        flags = ["-DTALK=1"] if changes.pop("talks", False) else ["-DTALK=0"]
        made = build(tmp_path, "demo.o", code, *flags)
        traced = build(tmp_path, "bare.o", f'#line 1 "src/demo.c"\n{bare or code}', *flags, "-gdwarf-4")
        library = build(tmp_path, "libdemo.so", code, *flags)
        origins = LineOrigins("demo_gen.h", Map)
        how = {
            "texts": {"src/demo.c": code},
            "prints": ("say",),
            "rules": (RULE,),
            "preprocessed": (code,),
            **changes,
        }
        objects = (Compiled("src/demo.c", made, traced),)
        return guards.Subject(library, objects, written=origins, traced=origins, sentinel=SENTINEL, **how)

    return make


def statuses(record: guards.Guards) -> dict[str, str]:
    return {check.name: check.status.value for check in record.checks}


def mistakes(record: guards.Guards) -> list[str]:
    """All mistakes, from all checks."""
    return [mistake for check in record.checks for mistake in check.mistakes]


# --- the messages in a library


def messages(path: Path) -> dict[str, str]:
    import re

    return guards.messages(elf.read(path), re.compile(SENTINEL.encode()))


def test_distinct_sentinels_are_found_in_constants_and_in_variables(tmp_path: Path) -> None:
    source = """
    const char *one(void) { return "[demo:alloc.refill] took %d blocks\\n"; }
    const char *two(void) { return "x [demo:alloc.refill] again"; }
    char three[64] = "[demo:free_9]";
    const char *four(void) { return "[DEMO:other] [demo:] plain"; }
    char zeroed[4096];
    """
    found = messages(build(tmp_path, "libdemo.so", source))
    assert found == {
        "[demo:alloc.refill]": "[demo:alloc.refill] took %d blocks",
        "[demo:free_9]": "[demo:free_9]",
    }


def test_what_only_debug_information_contains_is_not_in_the_program(tmp_path: Path) -> None:
    source = '#define TEXT "[demo:macro]"\nint demo_function(void) { return sizeof TEXT; }'
    path = build(tmp_path, "libdemo.so", source, "-g3")
    assert b"[demo:macro]" in path.read_bytes()
    assert messages(path) == {}


def test_at_most_five_examples_are_given_in_the_order_of_the_alphabet(subject: Make) -> None:
    more = "\n".join(f'const char *f{n}(void) {{ return "[demo:m{n}] " "{"y" * 300}"; }}' for n in range(7))
    found = guards.counted(subject(CODE + more), "a test").debug_strings
    assert found.count == 7
    assert [example[:9] for example in found.examples] == [f"[demo:m{n}]" for n in range(5)]
    assert max(map(len, found.examples)) == 120


def test_what_is_no_library_cannot_be_searched(subject: Make, tmp_path: Path) -> None:
    unreadable = subject()
    unreadable.binary.write_text("INPUT(other.so)", encoding="utf-8")
    with pytest.raises(elf.ElfError, match=r"libdemo\.so: no readable ELF file"):
        guards.absent(unreadable)


# --- the checks


def test_a_release_without_debug_code_passes_and_takes_no_control(subject: Make) -> None:
    record = guards.absent(subject(bare=CODE.replace('    say("[demo:work] %d", n);', "")))
    assert mistakes(record) == []
    assert statuses(record) == {
        "statements": "passed", "same code": "passed", "nothing left": "passed", "control": "not claimed",
    }  # fmt: skip
    assert record.debug_strings == guards.Messages(0, ())
    assert record.sources == {"src/demo.c": guards.OfSource(statements=1, strings=0, forbidden=0)}
    assert record.checks[1].facts["objects"] == 1


def test_code_that_the_guard_does_not_keep_out_is_not_the_same(subject: Make) -> None:
    counts = CODE.replace("return n + 1;", "static int calls; calls++; return n + calls;")
    record = guards.absent(subject(code=counts, bare=CODE))
    assert statuses(record)["same code"] == "failed"
    assert statuses(record)["nothing left"] == "passed"
    (text, *_) = [one for one in mistakes(record) if ".text" in one]
    assert text.startswith("src/demo.c:")
    assert "in work changes without debug code: .text differs" in text


def test_a_forbidden_call_is_shown_at_its_line(subject: Make) -> None:
    code = CODE.replace("    return n + 1;", '    puts("hello");\n    return n + 1;')
    record = guards.absent(subject(code=code))
    assert statuses(record) == {
        "statements": "passed", "same code": "passed", "nothing left": "failed", "control": "not claimed",
    }  # fmt: skip
    assert mistakes(record) == ["src/demo.c:10:1: error: puts in work is forbidden in a release: it prints"]
    assert record.forbidden == guards.ForbiddenCalls(1, ("puts",))
    assert record.sources["src/demo.c"].forbidden == 1


def test_a_forbidden_call_that_the_other_object_lacks_is_shown_with_its_file(subject: Make) -> None:
    code = CODE.replace("    return n + 1;", '    puts("hello");\n    return n + 1;')
    wrong = mistakes(guards.absent(subject(code=code, bare=CODE)))
    assert "src/demo.c: error: puts in work is forbidden in a release: it prints" in wrong


def test_a_file_may_be_allowed_what_others_are_not(subject: Make) -> None:
    code = CODE.replace("    return n + 1;", '    puts("hello");\n    return n + 1;')
    allowing = SimpleNamespace(
        symbols=("puts",), reason="it prints.", allowed=[Allowed("demo.c", "It has to.")]
    )
    assert mistakes(guards.absent(subject(code=code, rules=(allowing,)))) == []
    other = SimpleNamespace(symbols=("puts",), reason="it prints.", allowed=[Allowed("mo.c", "It has to.")])
    assert len(mistakes(guards.absent(subject(code=code, rules=(other,))))) == 1


def test_a_message_in_a_release_is_shown_at_its_statement(subject: Make) -> None:
    record = guards.absent(subject(talks=True))
    assert mistakes(record) == ["src/demo.c:8:1: error: the release contains the message [demo:work]"]
    assert record.sources["src/demo.c"].strings == 1


def test_a_message_of_no_statement_is_shown_too(subject: Make) -> None:
    code = CODE + 'const char *left(void) { return "[demo:left] over"; }\n'
    (wrong,) = mistakes(guards.absent(subject(code=code)))
    assert (
        wrong == "libdemo.so: error: the library has a message of no known debug statement: [demo:left] over"
    )


def test_a_search_for_nothing_proves_nothing(subject: Make) -> None:
    code = CODE.replace('say("[demo:work] %d", n);', "")
    (wrong,) = mistakes(guards.absent(subject(code=code)))
    assert wrong == "libdemo.so: error: its sources have no debug statement, so the search proves nothing"


def test_a_debug_build_has_every_message(subject: Make) -> None:
    record = guards.present(subject(talks=True))
    assert statuses(record) == {
        "statements": "passed", "same code": "not claimed", "nothing left": "not claimed",
        "control": "passed",
    }  # fmt: skip
    assert record.checks[3].facts["sentinels"] == 1


def test_a_message_that_a_debug_build_does_not_show_fails_the_control(subject: Make) -> None:
    (wrong,) = mistakes(guards.present(subject()))
    assert wrong == ("src/demo.c:8:1: error: the message [demo:work] is compiled in, but libdemo.so lacks it")


def test_a_control_that_has_nothing_to_look_for_fails(subject: Make) -> None:
    (wrong,) = mistakes(guards.present(subject(talks=True, preprocessed=("",))))
    assert "no debug statement is compiled in" in wrong


def test_statements_are_checked_in_every_cell(subject: Make) -> None:
    code = CODE.replace('say("[demo:work] %d", n);', 'say("%d", n);')
    for judge in (guards.absent, guards.present, lambda what: guards.counted(what, "a test")):
        record = judge(subject(code=code, talks=True))
        assert statuses(record)["statements"] == "failed"
        assert "src/demo.c:8:1: error: this call of say has no sentinel" in mistakes(record)


def test_a_cell_that_keeps_its_output_claims_nothing_and_counts(subject: Make) -> None:
    record = guards.counted(subject(talks=True), "debug_output: always")
    assert set(statuses(record).values()) == {"passed", "not claimed"}
    assert [check.reason for check in record.checks[1:]] == ["debug_output: always"] * 3
    assert record.debug_strings.count == 1
    assert record.sources["src/demo.c"] == guards.OfSource(statements=1, strings=1, forbidden=0)


def test_without_a_word_on_debug_code_only_the_messages_are_looked_for(subject: Make) -> None:
    record = guards.absent(subject(prints=()))
    assert statuses(record) == {
        "statements": "not claimed", "same code": "not claimed", "nothing left": "passed",
        "control": "not claimed",
    }  # fmt: skip
    assert mistakes(guards.absent(subject(prints=(), talks=True))) != []
    assert mistakes(guards.present(subject(prints=()))) == []
