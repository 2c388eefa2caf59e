"""`spec.schema`: a schema accepts what the loader accepts, except for the listed rules."""

from __future__ import annotations

import json
import random
import re
import tempfile
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

import jsonschema
import pytest
import yaml
from test_spec_fuzz import REAL, ROOT, naming, write
from test_spec_fuzz import mutant as mutant_of_text

from layermatrix.core.errors import Report, SpecErrors
from layermatrix.core.kinds import Around, Kind, Node, OneOf
from layermatrix.jobs import schema as job
from layermatrix.profiles import registry
from layermatrix.spec import key_docs, schema, schema_limits, yamlnodes
from layermatrix.spec.loader import load_project
from layermatrix.spec.reading import Document, hints, read, unfolded

PROFILE = "malloc"  # of this project
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 8, 3.5, 10**12, "", " ", "x", "all", "none", "env", "a b", "a\nb\n",
    "x\n", "é", "9x", "int", "library", "floor", "../x", "x.c", "C0-C1", "on", "\\", '"', "y" * 70, "z" * 600,
    [], {}, ["x"], ["x", "x"],
    [["x"]], {"x": 1}, {"x": {}}, [{}], [1, 2, 3], [32768, 8, 64], {"layer": "x"}, {"size": 8},
)  # fmt: skip
OF_PROFILE = re.compile("class .* (size|larger|has)|no class size |checks mark free blocks")  # its messages
TEXTS, STRUCTURES = 15, 500  # the first 100 and 3,000 agreed, too


def _pattern(_validator: object, pattern: str, value: object, _schema: object) -> Iterator[Any]:
    """`$` is the end of the text, as in ECMA-262; in Python, a line break may follow it."""
    if isinstance(value, str) and not re.search(re.sub(r"(?<!\\)\$", r"\\Z", pattern), value):
        yield jsonschema.ValidationError(f"{value!r} does not match {pattern}")


DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
BASE: Any = jsonschema.Draft202012Validator
VALIDATOR: Any = jsonschema.validators.extend(BASE, {"pattern": _pattern})
SCHEMAS = {name: schema.of_file(name, PROFILE) for name in schema.FORMS}
VALIDATORS = {name: VALIDATOR(found) for name, found in SCHEMAS.items()}


def plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: plain(part) for key, part in node.value.items()}
    return [plain(part) for part in node.value] if isinstance(node.value, list) else node.value


def data_of(path: Path) -> Any:
    """The content of a file as the loader reads it; None if it is no YAML."""
    node = yamlnodes.read_document(path, path.name, Report())
    return None if node is None else plain(node)


def refused(name: str, data: Any) -> list[str]:
    """The errors of the schema."""
    return [f"{list(one.absolute_path)}: {one.message}" for one in VALIDATORS[name].iter_errors(data)]


def errors_of(root: Path, file: str) -> list[str]:
    """The loader's errors in one file of variants/."""
    try:
        load_project(root, "csrc")
    except SpecErrors as found:
        return [one.what for one in found.errors if one.path == f"variants/{file}"]
    return []


def compare(root: Path, file: str, data: Any) -> None:
    """Check that the schema and the loader agree about a file."""
    wrong = refused(schema.form_of(file), data)
    errors = errors_of(root, file)
    assert errors or not wrong, f"only the schema refuses {file}: {wrong[0]}"
    if not wrong:
        left = [what for what in errors if not schema_limits.is_beyond(what) and not OF_PROFILE.match(what)]
        assert not left, f"the schema accepts {file}: {left}"


@pytest.fixture(scope="module")
def tree() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("csrc", "tests"):
            (root / name).symlink_to(ROOT / name)
        (root / "variants").mkdir()
        write(root, REAL)
        yield root


@pytest.mark.parametrize("name", schema.FORMS)
def test_a_schema_is_valid_and_checked_in(name: str) -> None:
    BASE.check_schema(SCHEMAS[name])
    for folder, profile in ((ROOT, PROFILE), (ROOT / "examples/symbol_lookup", "")):
        file = folder / schema.FOLDER / f"{name}.json"
        assert file.read_text(encoding="utf-8") == schema.text(name, profile), (
            f"./sconsw schema writes {file}"
        )


def spec_files() -> list[Path]:
    found = [
        path for folder in (ROOT, ROOT / "examples/symbol_lookup") for path in folder.glob("variants/*.yaml")
    ]
    return sorted(found)


@pytest.mark.parametrize("path", spec_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_spec_file_names_its_schema_and_meets_it(path: Path) -> None:
    name = schema.form_of(path.name)
    assert path.read_text(encoding="utf-8").startswith(schema.comment(name) + "\n")
    found = VALIDATOR(json.loads((path.parent / "schema" / f"{name}.json").read_text(encoding="utf-8")))
    assert [one.message for one in found.iter_errors(data_of(path))] == []


def test_editors_that_read_yaml_1_2_accept_switches() -> None:
    toggle = {
        "layers": {"x": {"title": "X", "doc": "X.", "role": "cache", "toggle": {"env": "X", "default": "on"}}}
    }
    assert not [one for one in refused("layers", {"doc": "x", **toggle}) if "toggle" in one]


def test_a_mutated_text_is_refused_by_both_or_by_neither(tree: Path) -> None:
    for number in range(TEXTS):
        files = mutant_of_text(number)
        write(tree, files)
        for file in [file for file in files if files[file] != REAL[file]]:
            data = data_of(tree / "variants" / file)
            if data is not None:
                with naming(f"mutant {number}"):
                    compare(tree, file, data)
    write(tree, REAL)


def mutated(chance: random.Random, data: Any) -> Any:
    """A copy of the data in which one value is replaced, added or removed."""
    copy = json.loads(json.dumps(data))
    holder, steps = copy, chance.randrange(1, 5)
    for _ in range(steps):
        keys = [*range(len(holder))] if isinstance(holder, list) else [*holder]
        inner = [key for key in keys if isinstance(holder[key], (list, dict)) and holder[key]]
        if not inner:
            break
        holder = holder[chance.choice(inner)]
    keys = [*range(len(holder))] if isinstance(holder, list) else [*holder]
    key, value = chance.choice(keys), chance.choice(VALUES)
    act = chance.randrange(5)
    if act == 0:
        del holder[key]
    elif act == 1 and isinstance(holder, dict):
        holder[chance.choice(NAMES)] = value
    else:
        holder[key] = value
    return copy


RECORDS: list[Any] = []


def _collect(hint: Any) -> None:
    kind, _ = unfolded(hint)
    if isinstance(kind, type) and is_dataclass(kind) and kind is not Node and kind not in RECORDS:
        RECORDS.append(kind)
        for one in fields(kind):
            _collect(hints(kind)[one.name])
    for part in get_args(kind):
        _collect(part)


for _form in schema.FORMS.values():
    _collect(_form.record)
NAMES = sorted(
    {name for record in RECORDS for name in key_docs.own_keys(record)} | {"x", "C0", "classes", "interpose"}
)
FILES = ("layers.yaml", "matrix.yaml", "experiments.yaml", "phase0.yaml", "phase1.yaml", "hakmem.yaml")


def read_alone(root: Path, file: str) -> list[str]:
    """The errors of reading one file, without the checks of several values. This is fast."""
    report = Report()
    document = Document(root, f"variants/{file}", report)
    form = schema.form_of(file)
    if form in (schema.LAYERS, schema.VARIANT):
        document.words = registry.of(PROFILE).words
    read(schema.FORMS[form].record, document)
    return [one.what for one in report.errors]


def test_a_mutated_value_is_refused_by_both_or_by_neither(tree: Path) -> None:
    real = {file: data_of(tree / "variants" / file) for file in FILES}
    both = 0
    for number in range(STRUCTURES):
        chance = random.Random(number)
        file = FILES[number % len(FILES)]
        changed = yaml.dump(mutated(chance, real[file]), Dumper=DUMPER, sort_keys=False, allow_unicode=True)
        path = tree / "variants" / file
        path.write_text(changed, encoding="utf-8")
        data = data_of(path)
        if data is not None:
            wrong, errors = refused(schema.form_of(file), data), read_alone(tree, file)
            both += bool(wrong and errors)
            if bool(wrong) != bool(errors):
                with naming(f"mutant {number}"):
                    compare(tree, file, data)
        path.write_bytes(REAL[file])
    assert STRUCTURES / 4 < both < STRUCTURES


def test_every_key_is_documented_and_no_key_that_there_is_not() -> None:
    missing = [
        f"{one.__name__}.{key}"
        for one in RECORDS
        for key in key_docs.own_keys(one)
        if not key_docs.of_key(one, key)
    ]
    assert missing == []
    known = {record.__name__: key_docs.own_keys(record) for record in RECORDS}
    stale = [
        f"{name}.{key}"
        for name, docs in key_docs.DOCS.items()
        if name != "*"
        for key in docs
        if key not in known[name]
    ]
    assert stale == []
    assert [record.__name__ for record in RECORDS if not key_docs.summary(record)] == []


def test_a_kind_without_a_schema_is_named() -> None:
    class Odd(Kind):
        pass

    with pytest.raises(TypeError, match="no schema for Odd"):
        schema.of_kind(Odd())


def test_the_job_writes_what_changed_and_names_files_without_their_line(tmp_path: Path) -> None:
    (tmp_path / "variants").mkdir()
    (tmp_path / "variants/mine.yaml").write_text("doc: x\n", encoding="utf-8")
    (tmp_path / "variants/layers.yaml").write_text(schema.comment("layers") + "\ndoc: x\n", encoding="utf-8")
    lines = [f"{schema.FOLDER}/{name}.json is written" for name in schema.FORMS]
    assert [*job.write(tmp_path, PROFILE)] == lines
    (tmp_path / schema.FOLDER / "matrix.json").write_text("{}", encoding="utf-8")
    again = [line.replace("is written", "is up to date") for line in lines]
    assert [*job.write(tmp_path, PROFILE)] == [lines[1] if "matrix" in line else line for line in again]
    assert [*job.without_comment(tmp_path)] == [("variants/mine.yaml", schema.comment("variant"))]


class Doubled(Around):
    """A form of a value that another module would declare."""

    def schema(self, made: dict[str, Any]) -> dict[str, Any]:
        return {"anyOf": [made, {"const": "twice"}]}


def test_another_form_of_a_value_describes_itself() -> None:
    word = schema.of_hint(Annotated[str, OneOf("once"), Doubled()])
    assert word == {"anyOf": [{"enum": ["once"]}, {"const": "twice"}]}
