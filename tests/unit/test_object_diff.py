"""`object_diff`: the changes that make two objects of one source differ, and those that do not."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_objects import build

from layermatrix.evidence.binary import elf, object_diff

BASE = """
extern int log_it(const char *text);
static int counter = 3;
static const char *names[] = {"one", "two"};
int hot(int n) { static int calls; return n * 7 + counter + calls++; }
int cold(int n) { counter = n; return names[n & 1][0] + hot(n); }
"""


def compare(folder: Path, second: str, first: str = BASE, *options: str) -> list[object_diff.Difference]:
    ours = elf.read(build(folder, "first.o", first))
    return object_diff.compare(ours, elf.read(build(folder, "second.o", second, *options)))


def test_one_source_gives_equal_objects_with_line_tables_or_without(tmp_path: Path) -> None:
    assert compare(tmp_path, f"\n\n#line 1\n{BASE}", BASE, "-g", "-gdwarf-4") == []
    count, size = object_diff.compared(elf.read(tmp_path / "first.o"))
    assert count >= 3
    assert size > 50


def test_a_symbol_in_a_table_of_debugging_does_not_matter(tmp_path: Path) -> None:
    """With -flto and -g, gcc gives such a symbol a name that differs from run to run."""
    tag = ".weak tag.1\\n.hidden tag.1\\ntag.1:\\n.byte 1\\n.text"
    table = f'__asm__(".section .debug_tag,\\"\\",@progbits\\n{tag}");\n'
    assert compare(tmp_path, BASE + table) == []
    loaded = table.replace("debug_tag,", "data.tag,").replace('\\"\\"', '\\"aw\\"')
    assert any("tag.1" in one.what for one in compare(tmp_path, BASE + loaded))


def test_names_of_statics_do_not_matter(tmp_path: Path) -> None:
    assert compare(tmp_path, BASE.replace("counter", "another").replace("calls", "other")) == []


STRINGS = r"""
__asm__(".section .rodata.s,\"aMS\",@progbits,1\n %s\n %s\n .text");
extern const char first[], second[];
const char *both(int n) { return n ? first : second; }
const char *texts[] = {first, second};
"""
ONE, TWO = r"first: .asciz \"abc\"", r"second: .asciz \"de\""


def test_the_order_of_strings_that_the_linker_merges_does_not_matter(tmp_path: Path) -> None:
    there, back = STRINGS % (ONE, TWO), STRINGS % (TWO, ONE)
    assert compare(tmp_path, back, there) == []
    changed = [one.what for one in compare(tmp_path, back.replace("abc", "abd"), there)]
    assert ".rodata.s differs" in changed
    exchanged = STRINGS % (ONE.replace("abc", "de"), TWO.replace("de", "abc"))
    found = [one.what.split(".")[1] for one in compare(tmp_path, exchanged, there)]
    assert found == ["text differs", "data"]


@pytest.mark.parametrize(
    ("old", "new", "section", "function"),
    [
        ("n * 7", "n * 9", ".text", "hot"),
        ("counter = n;", "counter = n + 1;", ".text", "cold"),
        ("counter = 3", "counter = 4", ".data", None),
        ('"one"', '"uno"', ".rodata", None),
        ("static int calls", "static long calls", ".bss", None),
    ],
)
def test_a_changed_section_is_named_with_the_place_where_it_begins_to_differ(
    tmp_path: Path, old: str, new: str, section: str, function: str | None
) -> None:
    found = compare(tmp_path, BASE.replace(old, new))
    assert any(one.what.startswith(section) and one.function == function for one in found), found


def test_another_function_is_called_from_the_same_bytes(tmp_path: Path) -> None:
    source = "int {0}(void);\nint ours(void) {{ return {0}() + 1; }}\n"
    found = compare(tmp_path, source.format("there"), source.format("here"))
    assert found[0].what == "a relocation of .text differs"
    assert found[0].function == "ours"
    assert [one.what for one in found[1:]] == [
        "symbol here is in one of them only",
        "symbol there is in one of them only",
    ]


def test_a_section_that_only_one_has_is_named(tmp_path: Path) -> None:
    more = '\n__attribute__((section("extra"))) int more = 1;\n'
    assert "extra is in one of them only" in [one.what for one in compare(tmp_path, BASE + more)]


def test_one_more_call_at_the_end_is_seen(tmp_path: Path) -> None:
    found = compare(tmp_path, BASE + 'int last(void) { return log_it("x"); }\n')
    assert any(one.what.startswith(".text differs (") and one.section is not None for one in found)
    assert "symbol last is in one of them only" in [one.what for one in found]


def test_the_counterpart_of_a_reference_is_the_one_at_the_same_place(tmp_path: Path) -> None:
    source = "int f(int);\nint g(int n) { return f(n) + 1; }\nint h(int n) { return f(n) + 2; }\n"
    ours = elf.read(build(tmp_path, "first.o", source))
    same = elf.read(build(tmp_path, "second.o", source, "-g"))
    other = elf.read(build(tmp_path, "third.o", source.replace("f(n) + 2", "f(n * 41 + 2)")))
    calls = [one for one in ours.relocations if one.symbol.name == "f"]
    assert [object_diff.function_at(ours, one.section, one.offset) for one in calls] == ["g", "h"]
    sections = [object_diff.counterpart(ours, same, one) for one in calls]
    assert {same.sections[section].name for section in sections if section is not None} == {".text"}
    assert object_diff.counterpart(ours, other, calls[1]) is None
