"""For any contents of the spec files, the loader returns a project or errors with places, never a traceback.

The inputs are mutants of this project's own files, and files that are malicious on purpose. Each mutant is
generated from a number, so that a failure can be reproduced.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from layermatrix.core.errors import Report, SpecError, SpecErrors
from layermatrix.core.kinds import Node
from layermatrix.spec import lockspec, yamlnodes
from layermatrix.spec.loader import load_project

ROOT = Path(__file__).resolve().parents[2]
REAL = {path.name: path.read_bytes() for path in sorted((ROOT / "variants").glob("*.yaml"))}
MUTANTS, A_RUN = 1000, 100
LOCK = (ROOT / lockspec.FILE).read_bytes()
WORDS = sorted({word for content in REAL.values() for word in content.split()})
ODD = [
    b": ", b"- ", b"[", b"]", b"{", b"}", b"\n", b"  ", b"\t", b"'", b'"', b"|", b"#", b"---\n", b"? ",
    b"<<: ", b"&a ", b"*a", b"!!int ", b"!!python/object:os.system ", b"%", b"\\", b"\0", b"\xff",
    b"\xef\xbb\xbf", b"~", b"on", b"0b1", b"0755", b"1:30", b"1_000", b".inf", b".nan", b"1e999",
    b"2020-01-01", b"9" * 5000, b"C0-C3", b"all", b"env", b"none", b"null", b"0", b"-1", b"[]", b"{}",
    b"[[]]", b"{a: {b: c}}", b"name: x", b"keys: all",
]  # fmt: skip
Edit = Callable[[random.Random, bytes], bytes]


def replaced(chance: random.Random, text: bytes) -> bytes:
    """Replace a piece of the text by something unusual."""
    at, length = chance.randrange(len(text)), chance.choice((0, 1, 3, 12))
    return text[:at] + chance.choice((*ODD, *WORDS)) + text[at + length :]


def without_line(chance: random.Random, text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    del lines[chance.randrange(len(lines))]
    return b"".join(lines)


def with_line_twice(chance: random.Random, text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    lines.insert(chance.randrange(len(lines)), chance.choice(lines))
    return b"".join(lines)


def value_changed(chance: random.Random, text: bytes) -> bytes:
    """Replace the value after a colon."""
    colons = [at for at in range(len(text)) if text[at : at + 2] == b": "]
    at = chance.choice(colons) + 2
    end = min((text.find(stop, at) % len(text) for stop in (b",", b"}", b"\n")), default=at)
    return text[:at] + chance.choice((*ODD, *WORDS)) + text[max(end, at) :]


def misspelt(chance: random.Random, text: bytes) -> bytes:
    """Swap two adjacent characters."""
    at = chance.randrange(len(text) - 1)
    return text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]


EDITS: tuple[Edit, ...] = (replaced, without_line, with_line_twice, value_changed, misspelt)


def mutant(number: int) -> dict[str, bytes]:
    """The files of one mutant."""
    chance = random.Random(number)
    files = dict(REAL)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        name = chance.choice(("layers.yaml", "matrix.yaml", *files))
        files[name] = chance.choice(EDITS)(chance, files[name]) or b"\n"
    return files


def check(root: Path) -> bool:
    """Whether the project is valid. Checks that each error has a place and is one line that any terminal can
    show."""
    output, found = "", list[SpecError]()
    try:
        load_project(root, "csrc")
    except SpecErrors as errors:
        output, found = str(errors), errors.errors
        assert found, "an error without errors"
    assert all(error.line >= 1 and error.column >= 1 for error in found)
    assert len(output.splitlines()) == len(found)
    output.encode()
    return not found


@contextlib.contextmanager
def naming(what: str) -> Iterator[None]:
    """Add this text to the message of a failure in the block."""
    try:
        yield
    except Exception as problem:
        raise AssertionError(f"{what}: {problem!r}") from problem


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project with the C files and tests of this project, and its own variants."""
    for name in ("csrc", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "variants").mkdir()
    return tmp_path


@pytest.fixture(autouse=True)
def only_changed_files_are_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parse a file of `REAL` once for all mutants without a change in it: parsing is a third of the time."""

    def read_document(file: Path, shown: str, report: Report) -> Node | None:
        if not file.is_file() or file.read_bytes() != REAL.get(file.name):
            return parse(file, shown, report)
        if shown not in PARSED:
            PARSED[shown] = parse(file, shown, report)
        return PARSED[shown]

    parse = yamlnodes.read_document
    monkeypatch.setattr(yamlnodes, "read_document", read_document)


PARSED: dict[str, Node | None] = {}


def write(root: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (root / "variants" / name).write_bytes(content)


@pytest.mark.parametrize("first", range(0, MUTANTS, A_RUN))
def test_a_mutant_is_a_project_or_errors_with_a_place(first: int, tree: Path) -> None:
    sound = 0
    for number in range(first, first + A_RUN):
        write(tree, mutant(number))
        with naming(f"mutant {number}"):
            sound += check(tree)
    assert 0 < sound < A_RUN, "mutants are neither all harmless nor all broken"


NASTY = {
    "empty": b"",
    "null": b"~\n",
    "list": b"[]\n",
    "number": b"1\n",
    "text": b"'text'\n",
    "binary": bytes(range(256)),
    "only keys": b"doc:\nsystem:\nlayers:\nclasses:\naxes:\nexperiments:\n",
    "empty mappings": b"doc: x\nsystem: {}\nlayers: {}\nclasses: {}\naxes: {}\nexperiments: {}\n",
    "empty lists": b"doc: x\nsystem: []\nlayers: []\nclasses: []\naxes: []\nexperiments: []\n",
    "lists as keys": b"{[a]: b}\n",
    "numbers as keys": b"doc: x\nsystem: {1: 2}\nlayers: {1: {2: 3}}\n",
    "lists of lists": b"doc: [[[]]]\nlayers: [[x]]\nset: [[]]\nadd: [[]]\nbudget: [[]]\n",
    "none everywhere": b"doc: none\n"
    + b"".join(
        b"%s: none\n" % key for key in (b"system", b"layers", b"keys", b"set", b"budget", b"reported")
    ),
    "parts of the wrong kind": b"doc: x\nset: {options: 1, capacity: []}\n"
    b"budget: {a: 1}\nreported: {mops: []}\nadd: [{}]\n",
    "no pattern": b"doc: x\ntests: {sources: 'a**b', timeout: 3}\nprograms: {scripts: '**a'}\n",
    "a circle": b"doc: x\nextends: phase0\n",
    "alias in itself": b"doc: &a [*a]\n",
    "names of Python": b"doc: x\nname: y\n__class__: z\n__pydantic_config__: {}\nlayers: {__init__: {}}\n",
    "a profile that there is not": b"doc: x\nprofile: mallok\nlayers: {}\nsystem: {}\n",
    "a profile that is a list": b"doc: x\nprofile: []\nlayers: {}\nsystem: {}\n",
    "keys and classes": b"doc: x\nprofile: malloc\nkeys: {a: 8}\nclasses: {b: 8}\nlayers: {}\nsystem: {}\n",
    "many errors": b"doc: 1\n" + b"".join(b"k%d: 1\n" % i for i in range(500)),
    "huge numbers": b"doc: x\nlayers: {a: {capacity: 99999999999999999999, bytes: 1e308}}\n",
    "deep": b"doc: " + b"[" * 40 + b"]" * 40,
}


@pytest.mark.parametrize(
    "file", ["layers.yaml", "matrix.yaml", "experiments.yaml", "phase2.yaml", "new.yaml", "lock"]
)
def test_no_nasty_file_is_too_much(file: str, tree: Path) -> None:
    for name, content in NASTY.items():
        write(tree, REAL)
        if file == "lock":
            (tree / lockspec.FILE).write_bytes(content)
            with pytest.raises(SpecErrors):
                lockspec.read(tree)
            continue
        write(tree, {file: content})
        with naming(f"{file}, {name}"):
            assert not check(tree) or name == "a circle"
