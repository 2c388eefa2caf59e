"""One YAML file: each mistake causes one error, at its place."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from toy_specs import marked

from layermatrix.core.errors import Place, Report
from layermatrix.core.kinds import Node
from layermatrix.model.budgets import CONFIGURATIONS
from layermatrix.model.measuring import METRICS
from layermatrix.spec import yamlnodes
from layermatrix.spec.yamlnodes import read_document

Mistakes = Callable[..., list[str]]
Change = Callable[[str, str], str]

LIBYAML = hasattr(yaml, "CSafeLoader")


def read(path: Path, content: str | bytes) -> tuple[object, list[str]]:
    """The tree of a file with this content, and the mistakes."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    report = Report()
    return read_document(path, "x.yaml", report), [str(error) for error in report.errors]


@pytest.fixture(params=["libyaml", "pure Python"])
def either_loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML exists with and without libyaml."""
    if request.param == "pure Python":
        monkeypatch.setattr(yamlnodes, "_Loader", yaml.SafeLoader)
    elif not LIBYAML:
        pytest.skip("this PyYAML is built without libyaml")


# --- YAML text


@pytest.mark.usefixtures("either_loader")
def test_nodes_know_their_line_and_column(tmp_path: Path) -> None:
    tree, mistakes = read(tmp_path / "x.yaml", "a: 1\nb:\n  - on\n  - 'off'\n")
    assert not mistakes
    assert isinstance(tree, Node)
    one, two = tree.entries["a"], tree.entries["b"]
    assert [node.key for node in (one, two)] == [Place("x.yaml", 1, 1), Place("x.yaml", 2, 1)]
    assert (one.value, one.place) == (1, Place("x.yaml", 1, 4))
    assert [item.value for item in two.value] == [True, "off"]
    assert [item.place for item in two.value] == [Place("x.yaml", 3, 5), Place("x.yaml", 4, 5)]


BAD_TEXT = {
    "": "1:1: error: is empty",
    "# a comment only\n": "1:1: error: is empty",
    "~": "1:1: error: is empty",
    "a: 1\nb: [": "bad YAML: ",
    "a: 1\n\tb: 2": "2:1: error: bad YAML: ",
    "a: 'open": "bad YAML: ",
    "a: 1\n---\nb: 1\n": "2:1: error: a second document begins here; one file holds one",
    "a: *absent": "1:4: error: unknown alias 'absent'",
    "a: &a [*a]": "1:8: error: alias 'a' stands for something that holds it",
    "a: 1\n[b]: 2": "2:1: error: a key must be a single word, not a list or a mapping",
    "? [b]\n: 2": "1:3: error: a key must be a single word, not a list or a mapping",
    "a: !!python/name:x y": "1:4: error: tag '!!python/name:x' is not allowed; leave it out",
    "a: !mine {}": "1:4: error: tag '!mine' is not allowed; leave it out",
    "a: !!seq {}": "1:4: error: tag '!!seq' is not allowed; leave it out",
    "a: !!binary abcd": "1:4: error: tag '!!binary' is not allowed; leave it out",
    "a: !!int twelve": "1:4: error: 'twelve' does not fit its tag; leave the tag out",
    'a: "\\0"': "1:4: error: '\\x00' holds a control character",
    "a: 1\nb: 2\na: 3": "3:1: error: key 'a' is given twice; first on line 1",
}


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize("text", BAD_TEXT)
def test_text_that_is_no_plain_yaml_gives_one_error(text: str, tmp_path: Path) -> None:
    _, mistakes = read(tmp_path / "x.yaml", text)
    assert len(mistakes) == 1
    assert BAD_TEXT[text] in mistakes[0]


def test_the_place_of_a_byte_that_is_not_utf_8_is_found(tmp_path: Path) -> None:
    _, mistakes = read(tmp_path / "x.yaml", "a: 1\nö: ".encode() + b"\xff")
    assert mistakes == ["x.yaml:2:4: error: is not UTF-8 text"]


def test_the_place_of_a_control_character_is_found(tmp_path: Path) -> None:
    _, mistakes = read(tmp_path / "x.yaml", "a: 1\nb: \0")
    assert mistakes == ["x.yaml:2:4: error: character U+0000 is not allowed in YAML"]


def test_a_byte_order_mark_at_the_start_is_passed_over(tmp_path: Path) -> None:
    tree, mistakes = read(tmp_path / "x.yaml", b"\xef\xbb\xbfa: 1\n")
    assert not mistakes
    assert isinstance(tree, Node)
    assert tree.entries["a"].key == Place("x.yaml", 1, 1)


def test_a_missing_file_a_folder_and_a_pipe_are_unreadable(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    errors = []
    for name in ("missing", ".", "pipe"):
        report = Report()
        assert read_document(tmp_path / name, "x.yaml", report) is None
        errors += [str(error) for error in report.errors]
    assert errors == [
        "x.yaml:1:1: error: cannot be read: no such file or directory",
        "x.yaml:1:1: error: cannot be read: not a regular file",
        "x.yaml:1:1: error: cannot be read: not a regular file",
    ]


LETTERS = "abcdefghijklmn"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in itertools.pairwise(LETTERS)
)
TOO_MUCH = {
    "alias bomb": (BOMB, "holds more than 20000 values (what an alias stands for counts each time)"),
    "deep lists": ("[" * 500_000, "is nested more than 32 deep"),
    "deep mappings": ("{a: " * 100_000, "is nested more than 32 deep"),
    "deep blocks": ("- " * 100_000, "is nested more than 32 deep"),
    "many values": (
        "- a\n" * 30_000,
        "holds more than 20000 values (what an alias stands for counts each time)",
    ),
    "many bytes": ("#" * 1_100_000, "is larger than 1048576 bytes"),
    "many digits": ("a: " + "9" * 9000, f"'{'9' * 60}...' is no number that can be used"),
}


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize("case", TOO_MUCH)
def test_what_is_too_deep_or_too_large_is_refused_quickly(case: str, tmp_path: Path) -> None:
    text, what = TOO_MUCH[case]
    start = time.monotonic()
    _, mistakes = read(tmp_path / "x.yaml", text)
    assert [mistake.split(": error: ")[1] for mistake in mistakes] == [what]
    assert time.monotonic() - start < 5


# --- layers.yaml


def test_the_small_project_is_sound(mistakes: Mistakes) -> None:
    assert mistakes() == []


LAYER_KEYS = "title, doc, role, classes, storage, capacity, bytes, toggle, needs, conflicts"

# the replaced text of the small catalogue; its replacement, with a « at the place of the error; the message
IN_LAYERS = [
    ("title: Stack", "«titel: Stack", "unknown key 'titel' in layer 'stack'; did you mean 'title'?"),
    (
        "title: Stack",
        "title: Stack\n    «colour: red",
        f"unknown key 'colour' in layer 'stack'; known: {LAYER_KEYS}",
    ),
    ("  stack:\n    title: Stack\n", "  «stack:\n", "layer 'stack' has no 'title'"),
    ("title: Stack", "«title:", "'title' must be one line without quotes and backslashes, not nothing"),
    ("title: Stack", "title: «''", "'title' must be one line without quotes and backslashes, not empty"),
    (
        "title: Stack",
        'title: «a "b"',
        "'title' must be one line without quotes and backslashes, not 'a \"b\"'",
    ),
    (
        "title: Stack",
        "title: «12",
        "'title' must be one line without quotes and backslashes, not 12; put it in quotes",
    ),
    ("title: Stack", f"title: «{'x' * 81}", "'title' is longer than 80 characters"),
    (
        "doc: A small catalogue.",
        "doc: «a \\ b",
        "'doc' must be a sentence or two without backslashes, not 'a \\\\ b'",
    ),
    (
        "storage: array_stack",
        "storage: «array_stak",
        "unknown storage 'array_stak'; did you mean 'array_stack'?",
    ),
    ("capacity: 32", "capacity: «many", "'capacity' must be a whole number from 1 to 65535, not 'many'"),
    (
        "capacity: 32",
        "capacity: «040",
        (
            "'capacity' must be a whole number from 1 to 65535, not '040'; "
            "write it without quotes and leading zeroes"
        ),
    ),
    ("capacity: 32", "capacity: «0x20", "'capacity' must be a whole number from 1 to 65535, not '0x20'"),
    ("capacity: 32", "capacity: «1_000", "'capacity' must be a whole number from 1 to 65535, not '1_000'"),
    ("capacity: 32", "capacity: «1:30", "'capacity' must be a whole number from 1 to 65535, not '1:30'"),
    ("capacity: 32", "capacity: «0", "'capacity' must be a whole number from 1 to 65535, not 0"),
    ("capacity: 32", "capacity: «65536", "'capacity' must be a whole number from 1 to 65535, not 65536"),
    ("capacity: 32", "capacity: «[1]", "'capacity' must be a whole number from 1 to 65535, not a list"),
    ("capacity: 32", "capacity: «on", "'capacity' must be a whole number from 1 to 65535, not on"),
    ("capacity: 32", "capacity: «1.5", "'capacity' must be a whole number from 1 to 65535, not 1.5"),
    (
        "storage: array_stack\n    capacity: 32\n",
        "storage: «array_stack\n",
        "a layer with storage array_stack needs a 'capacity'",
    ),
    ("capacity: 32", "«capcity: 32", "unknown key 'capcity' in layer 'stack'; did you mean 'capacity'?"),
    ("capacity: 64", "capacity: «48", "a ring's capacity is a power of two, not 48"),
    (
        "storage: array_stack\n    capacity: 32",
        "storage: magazine\n    capacity: «33",
        "a magazine's capacity is even, not 33",
    ),
    (
        "storage: linked_list\n    bytes: 4096\n",
        "storage: «linked_list\n",
        "a layer with storage linked_list needs a bound: 'capacity', 'bytes' or both",
    ),
    ("needs: [list]", "capacity: «3", "a layer without storage has no bound"),
    (
        "storage: none",
        "storage: «ring",
        "storage 'ring' does not go with role refill; layers of this role have none",
    ),
    ("classes: C1-C2", "classes: «C1-C9", "unknown class 'C9'; known: C0, C1, C2, C3"),
    ("classes: C1-C2", "classes: «C2-C1", "the range 'C2-C1' runs backwards; write C1-C2"),
    ("classes: C1-C2", "classes: «C1-", "unknown class ''; known: C0, C1, C2, C3"),
    ("classes: C1-C2", "classes: [C1, C2, «C0-C1]", "class 'C1' is given twice"),
    ("classes: C1-C2", "classes: [all, «C1]", "class 'C1' is given twice"),
    ("classes: C1-C2", "classes: «[]", "'classes' must be a list of 1 or more, not 0"),
    ("classes: C1-C2", "classes: «{C1: on}", "'classes' must be a list of 1 or more, not a mapping"),
    ("needs: [list]", "needs: [«lst]", "unknown layer 'lst'; did you mean 'list'?"),
    ("needs: [list]", "needs: [«refill]", "layer 'refill' is in its own 'needs'"),
    ("needs: [list]", "needs: [list, «list]", "'list' is in 'needs' twice"),
    ("needs: [list]", "needs: [list]\n    conflicts: [«list]", "layer 'refill' needs 'list' as well"),
    (
        "{env: TOY_STACK, default: on}",
        "{env: «toy, default: on}",
        "'env' must be the name of an environment variable, such as FRONT_RING, not 'toy'",
    ),
    ("toggle: {env: TOY_STACK, default: on}", "«toggle: {env: TOY_STACK}", "'toggle' has no 'default'"),
    ("{env: TOY_STACK, default: on}", "{env: TOY_STACK, default: «1}", "'default' must be on or off, not 1"),
    (
        "{env: TOY_STACK, default: on}",
        "{env: «TOY_EAGER, default: on}",
        "TOY_EAGER is taken by 'eager' already",
    ),
    ("  ring:\n", "  «while:\n", "the name of a layer must be a C identifier, not the keyword 'while'"),
    ("  ring:\n", "  «a-ring:\n", "the name of a layer must be a C identifier, not 'a-ring'"),
    ("C2: 32", "C2: «16", "class C2 (16) is not larger than C1 (16)"),
    ("C2: 32", "C2: «33", "class 'C2' must be a whole number from 8 to 65536, a multiple of 8, not 33"),
    ("C3: 64", "C3: 64, «all: 72", "the name of a class cannot be 'all': that is the word for all of them"),
    (
        "{C0: 8, C1: 16, C2: 32, C3: 64}",
        "«[C0]",
        "class 'C0' must be a whole number from 8 to 65536, a multiple of 8, not nothing",
    ),
    (
        "classes: {C0: 8, C1: 16, C2: 32, C3: 64}",
        "«classes: {}",
        "'classes' must have 1 to 64 entries, not 0",
    ),
    ("default: off", "default: «3", "'default' must be on or off, not 3"),
    ("default: 8,", "default: «65,", "'default' must be a whole number from 1 to 64, not 65"),
    ("min: 1, max: 64", "min: 9, max: «7", "'max' is less than 'min', 9"),
    ("default: off,", "default: off, min: «0,", "an option of type bool has no 'min'"),
    ("type: bool", "type: «boolean", "'type' must be one of bool, int, not 'boolean'; did you mean 'bool'?"),
    (
        "'toy:'",
        "«'(toy'",
        "'sentinel' is not a regular expression: missing ), unterminated subpattern at position 0",
    ),
    ("'toy:'", "«'[[a]b'", "'sentinel' is not a regular expression: Possible nested set at position 1"),
    (
        "'toy:'",
        "«'a{9999999999}'",
        "'sentinel' is not a regular expression: the repetition number is too large",
    ),
    ("'toy:'", "«'toy:|'", "'sentinel' matches even the empty text"),
    ("'toy:'", "«'töy'", "'sentinel' must be a regular expression in ASCII, not 'töy'"),
    (
        "'toy:'",
        "'toy:'\n  debug: {macro: «if, prints: [say]}",
        "'macro' must be a C identifier, not the keyword 'if'",
    ),
    ("'toy:'", "'toy:'\n  debug: {macro: TALK, prints: «[]}", "'prints' must be a list of 1 or more, not 0"),
    (
        "'toy:'",
        "'toy:'\n  forbidden: [{symbols: [«'*'], reason: No.}]",
        "an item of 'symbols' must be the name of a C function or a pattern such as *printf, not '*'",
    ),
    (
        "'toy:'",
        "'toy:'\n  forbidden: [{symbols: [puts], reason: No., when: {«togles: fixed}}]",
        "unknown key 'togles' in 'when'; did you mean 'toggles'?",
    ),
    (
        "'toy:'",
        "'toy:'\n  forbidden: [{symbols: [puts], reason: No., when: {toggles: «fix}}]",
        "'toggles' must be one of env, fixed, not 'fix'; did you mean 'fixed'?",
    ),
    (
        "'toy:'",
        "'toy:'\n  forbidden: [{symbols: [puts], reason: No., «when: {}}]",
        "this condition is always true; leave it out, or name toggles or options",
    ),
    (
        "'toy:'",
        "'toy:'\n  forbidden: [{symbols: [puts], reason: No., allowed: [{source: «c.c, reason: Why.}]}]",
        "unknown source 'c.c'; did you mean 'b.c'?",
    ),
    (
        "'toy:'",
        "'toy:'\n  stats: {mode: «slow, of: release, env: TOY_COUNTS}",
        "'mode' must be one of release, debug, stats, not 'slow'",
    ),
    ("'toy:'", "'toy:'\n  «stats: {mode: stats, of: release}", "'stats' has no 'env'"),
    (
        "'toy:'",
        "'toy:'\n  stats: {mode: stats, of: release, env: TOY_COUNTS, sources: [«/a.c]}",
        "an item of 'sources' must be a relative path, not '/a.c'",
    ),
    ("[a.c, b.c]", "[a.c, «../b.c]", "an item of 'modules' must be a relative path, not '../b.c'"),
    ("[a.c, b.c]", "[a.c, «/b.c]", "an item of 'modules' must be a relative path, not '/b.c'"),
    (
        "  sentinel",
        "  switches: [«2go]\n  sentinel",
        "an item of 'switches' must be a C identifier, not '2go'",
    ),
    (
        "doc: A small",
        "lines: {«../a.c: '9'}\ndoc: A small",
        "the name of a file must be a relative path, not '../a.c'",
    ),
    ("doc: A small", "lines: {a.c: «9}\ndoc: A small", "file 'a.c' must be text, not 9; put it in quotes"),
    (
        "{function: take, probe: probe_take}",
        "{function: take, probe: probe_take, role: «first}",
        "unknown role 'first'; known: cache, overflow, refill",
    ),
    (
        "{alloc: {function: take",
        "{«library: {function: take",
        "the name of an entry cannot be 'library': budgets use that for the whole library",
    ),
    ("[a.c, b.c]", "«a.c", "'modules' must be a list, not 'a.c'"),
]


@pytest.mark.parametrize(("old", "new", "what"), IN_LAYERS)
def test_a_mistake_in_the_catalogue_gives_one_error_in_its_place(
    old: str, new: str, what: str, layers: Change, mistakes: Mistakes
) -> None:
    text, line, column = marked(layers(old, new))
    assert mistakes(layers=text) == [f"variants/layers.yaml:{line}:{column}: error: {what}"]


def test_every_mistake_of_every_file_is_reported_at_once(
    layers: Change, matrix: Change, mistakes: Mistakes
) -> None:
    errors = mistakes(
        layers=layers("capacity: 64", "capacity: 65").replace("doc: A toy.", "doc: 1"),
        matrix=matrix("rounds: 3", "rounds: 0"),
        base="doc: Base.\nlayers: [stak, list, refill]\nset: {layout: untiy}\n",
        other="doc: [",
    )
    assert [line.split("error: ")[1].split(",")[0] for line in errors] == [
        "unknown layer 'stak'; did you mean 'stack'?",
        "'layout' must be one of modules",
        "'doc' must be a sentence or two without backslashes",
        "a ring's capacity is a power of two",
        "'rounds' must be a whole number from 1 to 1000",
        "bad YAML: did not find expected node content" if LIBYAML else "bad YAML: expected the node content",
    ]


def test_names_are_checked_beside_other_mistakes(layers: Change, mistakes: Mistakes) -> None:
    said = mistakes(
        layers=layers("needs: [list]", "needs: [lits]\n    bytes: many"),
        mine="extends: bsae\nremove: [stakc]\nset: {togles: env}\n",
    )
    assert [line.split("error: ")[1].split(";")[0] for line in said] == [
        "unknown layer 'lits'",
        "'bytes' must be a whole number from 1 to 1073741824, not 'many'",
        "the file has no 'doc'",
        "unknown variant 'bsae'",
        "unknown layer 'stakc'",
        "unknown setting 'togles'",
    ]


# --- a variant's file

A_FIGURE = "a figure or a range of two, such as '23.6' or '40-50'"
IN_A_VARIANT = [
    ("«layers: [list, refill]", "the file has no 'doc'"),
    ("doc: X.\n«extedns: base", "unknown key 'extedns' in the file; did you mean 'extends'?"),
    (
        "doc: X.\nextends: base\nbudget: {alloc: {«calls: }}",
        "metric 'calls' must be a whole number, 'none', or a mapping of modes and compilers, not nothing",
    ),
    ("«doc: X.", "a variant has 'layers', or 'extends' another one"),
    (
        "doc: X.\nremove: [«stack]",
        "'remove' and 'add' need a variant to change; name it with 'extends'",
    ),
    (
        "doc: X.\nextends: base\nlayers: [list, refill]\nadd: [«stack]",
        "'remove' and 'add' change the layers of another variant, but here are 'layers'",
    ),
    ("doc: X.\nextends: base\nset: {layout: «3}", "'layout' must be one of modules, unity, not 3"),
    (
        "doc: X.\nextends: base\nset: {«togles: env}",
        "unknown setting 'togles'; did you mean 'toggles'?",
    ),
    (
        "doc: X.\nextends: base\nset: {tls: «dynamic}",
        "'tls' must be one of initial_exec, global_dynamic, not 'dynamic'; did you mean 'global_dynamic'?",
    ),
    ("doc: X.\nextends: base\nset: {min_align: «12}", "'min_align' must be one of 8, 16, not 12"),
    ("doc: X.\nextends: base\nset: «[a]", "'set' must be a mapping, not a list"),
    ("doc: X.\nextends: base\nadd: [«{before: list}]", "an item of 'add' has no 'layer'"),
    (
        "doc: X.\nextends: base\nadd: [{layer: ring, before: list, «after: stack}]",
        "give 'before' or 'after', not both",
    ),
    (
        "doc: X.\nextends: base\nreported: {mops: «23.6}",
        f"reported figure 'mops' must be {A_FIGURE}, not 23.6; put it in quotes",
    ),
    (
        "doc: X.\nextends: base\nreported: {mops: «very fast}",
        f"reported figure 'mops' must be {A_FIGURE}, not 'very fast'",
    ),
    (
        "doc: X.\nextends: base\nreported: {«mosp: '2'}",
        "unknown reported figure 'mosp'; did you mean 'mops'?",
    ),
    (
        "doc: X.\nextends: base\nset: {checks: «ful}",
        "'checks' must be one of none, basic, full, not 'ful'; did you mean 'full'?",
    ),
    ("doc: X.\nextends: base\nclasses: {A: 16, B: «8}", "class B (8) is not larger than A (16)"),
    (
        "doc: X.\nextends: base\nclasses: {A: «12}",
        "class 'A' must be a whole number from 8 to 65536, a multiple of 8, not 12",
    ),
    ("doc: X.\nextends: base\nbudget: «[alloc]", "'budget' must be a mapping, not a list"),
    (
        "doc: X.\nextends: base\nbudget: {«aloc: {calls: 0}}",
        "unknown entry 'aloc'; did you mean 'alloc'?",
    ),
    (
        "doc: X.\nextends: base\nbudget: {alloc: {«hit_instruction: 3}}",
        "unknown metric 'hit_instruction'; did you mean 'hit_instructions'?",
    ),
    (
        "doc: X.\nextends: base\nbudget: {library: {«stack: 3}}",
        "unknown metric 'stack'; known: text, tls",
    ),
    (
        "doc: X.\nextends: base\nbudget: {alloc: {calls: «few}}",
        "metric 'calls' must be a whole number from 0 to 2147483647, not 'few'",
    ),
    (
        "doc: X.\nextends: base\nbudget: {alloc: {calls: «on}}",
        "metric 'calls' must be a whole number from 0 to 2147483647, not on",
    ),
    (
        "doc: X.\nextends: base\nbudget: {alloc: {calls: «-1}}",
        "metric 'calls' must be a whole number from 0 to 2147483647, not -1",
    ),
    (
        "doc: X.\nextends: base\nbudget: {alloc: {calls: {«clnag: 1}}}",
        (
            f"the name of a configuration must be one of {', '.join(CONFIGURATIONS)}, not 'clnag'; "
            "did you mean 'clang'?"
        ),
    ),
    (
        "doc: X.\nextends: base\nbudget: {alloc: {calls: {debug-gcc: «many}}}",
        "configuration 'debug-gcc' must be a whole number from 0 to 2147483647, not 'many'",
    ),
    ("doc: X.\nextends: base\nbudget: {alloc: «[calls]}", "entry 'alloc' must be a mapping, not a list"),
    ("doc: X.\nextends: base\n«extends: base", "key 'extends' is given twice; first on line 2"),
    ("doc: X.\nextends: «not-one", "'extends' must be a C identifier, not 'not-one'"),
    ("«[a, b]", "the file must be a mapping, not a list"),
    ("«word", "the file must be a mapping, not 'word'"),
]


@pytest.mark.parametrize(("text", "what"), IN_A_VARIANT)
def test_a_mistake_in_a_variant_gives_one_error_in_its_place(
    text: str, what: str, mistakes: Mistakes
) -> None:
    text, line, column = marked(text)
    assert mistakes(mine=text) == [f"variants/mine.yaml:{line}:{column}: error: {what}"]


# --- matrix.yaml

NO_CACHE = (
    "must be [bytes, ways, line]; line and the number of sets must be powers of two; such as [32768, 8, 64]"
)
IN_MATRIX = [
    (
        "mode: [release, debug]",
        "mode: [release, «debgu]",
        "an item of 'mode' must be one of release, debug, stats, not 'debgu'; did you mean 'debug'?",
    ),
    ("mode: [release, debug]", "mode: [release, debug, «debug]", "'debug' is in 'mode' twice"),
    (
        "exclude: {mode: release, sanitizer: asan}",
        "«exclude: {}",
        "this rule excludes every cell; name one of variant, mode, compiler, sanitizer, target",
    ),
    ("timeout: 10, soak", "timeout: «0, soak", "'timeout' must be a whole number from 1 to 86400, not 0"),
    (
        "10, soak",
        "10, scripts: «/in/*.py, soak",
        "'scripts' must be a relative path or pattern, not '/in/*.py'",
    ),
    ('[--for, "{seconds}"]', "«[]", "program 'test_soak' must be a list of 1 or more, not 0"),
    ("args: [--ops, 10]", "args: [--ops, «[10]]", "an item of 'args' must be a single value, not a list"),
    ("I1: [32768, 8, 64]", "I1: [«32768, 8]", f"'I1' {NO_CACHE}"),
    ("I1: [32768, 8, 64]", "I1: [«30000, 8, 64]", f"'I1' {NO_CACHE}"),
    ("I1: [32768, 8, 64]", "I1: [«32768, 8, 48]", f"'I1' {NO_CACHE}"),
    (
        "64]}",
        "64], limits: {«branchs: {percent: 1, soft: 1, hard: 1}}}",
        f"the name of a limit must be one of {', '.join(METRICS)}, not 'branchs'; did you mean 'branches'?",
    ),
    (
        "64]}",
        "64], limits: {branches: {percent: «-1, soft: 1, hard: 1}}}",
        "'percent' must be a number from 0 to 1000, not -1",
    ),
    (
        "64]}",
        "64], limits: {branches: {percent: «.nan, soft: 1, hard: 1}}}",
        "'percent' must be a number from 0 to 1000, not '.nan'",
    ),
    (
        "64]}",
        "64], limits: {branches: {percent: 1, soft: «0.5, hard: 0.25}}}",
        "'soft' is greater than 'hard'",
    ),
    ("doc: A small matrix.\n", "«", "the file has no 'doc'"),
]


@pytest.mark.parametrize(("old", "new", "what"), IN_MATRIX)
def test_a_mistake_in_the_matrix_gives_one_error_in_its_place(
    old: str, new: str, what: str, matrix: Change, mistakes: Mistakes
) -> None:
    text, line, column = marked(matrix(old, new))
    assert mistakes(matrix=text) == [f"variants/matrix.yaml:{line}:{column}: error: {what}"]
