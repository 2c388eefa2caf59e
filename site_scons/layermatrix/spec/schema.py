"""JSON Schema (2020-12) of the spec files, generated from the records that `reading` fills.

A schema accepts what the loader accepts, except for the rules in `schema_limits`. Editors show the schema's
texts while a file is written; `variants/schema/` holds one schema for each kind of file.
"""

from __future__ import annotations

import enum
import functools
import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import Annotated, Any, get_args, get_origin

from layermatrix.core import kinds
from layermatrix.core.kinds import (
    OR_NONE,
    REST,
    Entries,
    Items,
    Kind,
    Node,
    OneOf,
    OwnName,
    Range,
    Reserved,
    Short,
    Single,
    Text,
)
from layermatrix.model.budgets import ENTRY_METRICS, LIBRARY_METRICS
from layermatrix.model.matrix import Matrix
from layermatrix.model.measuring import Cache, Link
from layermatrix.model.quarantine import Quarantine
from layermatrix.model.system import LIBRARY
from layermatrix.model.tuning import GROUPS
from layermatrix.profiles.registry import PROFILES
from layermatrix.spec import key_docs
from layermatrix.spec.reading import hints, unfolded
from layermatrix.spec.shapes import CatalogueSpec, ExperimentsSpec, VariantSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = "variants/schema"
LAYERS, MATRIX, EXPERIMENTS, QUARANTINE, VARIANT = "layers", "matrix", "experiments", "quarantine", "variant"
SWITCHES = (
    "on",
    "off",
    "yes",
    "no",
)  # text for a reader of YAML 1.2, such as an editor; the loader reads them as switches
Schema = dict[str, Any]


@dataclass(frozen=True)
class Form:
    """One kind of file. record: what it is read into. title: for editors. files: which files it describes."""

    record: Any
    title: str
    files: str


FORMS: Mapping[str, Form] = {
    LAYERS: Form(CatalogueSpec, "Layer catalogue", "variants/layers.yaml"),
    MATRIX: Form(Matrix, "Matrix", "variants/matrix.yaml"),
    EXPERIMENTS: Form(ExperimentsSpec, "Experiments", "variants/experiments.yaml"),
    QUARANTINE: Form(Quarantine, "Quarantine", "variants/quarantine.yaml"),
    VARIANT: Form(VariantSpec, "Variant", "variants/<variant>.yaml"),
}


def of_file(name: str, profile: str = "") -> Schema:
    """The schema of a kind of file. profile: the project's, whose terms variants use. A catalogue names its
    own profile, so its schema has the terms of each."""
    form = FORMS[name]
    made = _Definitions({})
    if name == LAYERS:
        top: Schema = made.of(form.record)
        for one, found in PROFILES.items():
            has_profile = {"required": ["profile"], "properties": {"profile": {"const": one}}}
            own = made.with_words(found.words, f"{one}.").of(form.record)
            top = {"if": has_profile, "then": own, "else": top}
    else:
        words = PROFILES[profile].words if name == VARIANT and profile in PROFILES else {}
        top = made.with_words(words, "").of(form.record)
    head = {"$schema": DIALECT, "title": form.title, "description": f"{form.files} of layermatrix"}
    return {**head, **top, "$defs": dict(sorted(made.found.items()))}


def of_hint(hint: Any) -> Schema:
    """The schema of one value of a type."""
    return _Definitions({}).of(hint)


def text(name: str, profile: str = "") -> str:
    """The schema file."""
    return json.dumps(of_file(name, profile), indent=1, ensure_ascii=False) + "\n"


def comment(name: str) -> str:
    """The first line of a file in variants/, by which editors find its schema."""
    return f"# yaml-language-server: $schema=schema/{name}.json"


def form_of(file_name: str) -> str:
    """The kind of a file in variants/."""
    stem = file_name.removesuffix(".yaml")
    return stem if stem in (LAYERS, MATRIX, EXPERIMENTS, QUARANTINE) else VARIANT


# --- records and their fields


@dataclass(frozen=True)
class _Definitions:
    """Collects the definitions of one schema. words: the file's names for the core's terms. prefix: of the
    names of definitions with these words."""

    words: Mapping[str, str]
    prefix: str = ""
    found: dict[str, Schema] = field(default_factory=dict)

    def with_words(self, words: Mapping[str, str], prefix: str) -> _Definitions:
        return _Definitions(words, prefix, self.found)

    def of(self, hint: Any) -> Schema:
        """The schema of a value of this type."""
        kind, marks = unfolded(hint)
        single = next((mark for mark in marks if isinstance(mark, Kind)), None)
        if single:
            made = self._shared(single)
        elif kind is Node:
            made = {}
        elif isinstance(kind, type) and issubclass(kind, enum.Enum):
            made = of_kind(OneOf(*(str(member.value) for member in kind)))
        elif isinstance(kind, type) and is_dataclass(kind):
            made = self._record(kind)
        elif get_origin(kind) is tuple:
            made = {"type": "array", "items": self.of(get_args(kind)[0])}
        else:
            made = self._mapping(*get_args(kind))
        for mark in marks:
            made = self._around(mark, made, kind)
        return made

    def _shared(self, kind: Kind) -> Schema:
        """A kind with a name in `core.kinds` is a definition, so that a schema stays readable."""
        name = _named().get(id(kind))
        if name is None:
            return of_kind(kind)
        self.found.setdefault(name, of_kind(kind))
        return {"$ref": f"#/$defs/{name}"}

    def _mapping(self, key: Any, value: Any) -> Schema:
        return {"type": "object", "propertyNames": self.of(key), "additionalProperties": self.of(value)}

    def _record(self, record: Any) -> Schema:
        name = f"{self.prefix}{record.__name__.removesuffix('Spec')}"
        if name not in self.found:
            self.found[name] = {}  # a record may contain itself
            self.found[name] = self._fields(record)
        return {"$ref": f"#/$defs/{name}"}

    def _fields(self, record: Any) -> Schema:
        made: Schema = {"type": "object", "description": key_docs.summary(record)}
        properties, required, excluded = dict[str, Schema](), list[str](), list[Schema]()
        made["properties"] = properties
        made["additionalProperties"] = False
        for one in fields(record):
            hint = hints(record)[one.name]
            if hint == OwnName:
                continue
            if REST in unfolded(hint)[1]:
                rest = self.of(hint)
                made["additionalProperties"] = rest["additionalProperties"]
                made["propertyNames"] = rest["propertyNames"]
                continue
            doc = key_docs.of_key(record, one.name)
            word = self.words.get(one.name, one.name)
            properties[word] = {"description": doc, **_default(one), **self.of(hint)}
            if word != one.name:  # the core's term works, too, but not both
                properties[one.name] = {**properties[word], "deprecated": True}
                excluded.append({"not": {"required": [word, one.name]}})
            elif one.default is MISSING and one.default_factory is MISSING:
                required.append(word)
        if required:
            made["required"] = required
        more = [*excluded, *RULES.get(record.__name__, ())]
        return {**made, "allOf": more} if more else made

    def _around(self, mark: Any, made: Schema, kind: Any) -> Schema:
        """The schema with one more annotation."""
        if mark is OR_NONE:
            return {"anyOf": [{"const": "none"}, made]}
        if isinstance(mark, Reserved):
            return {"allOf": [made], "not": {"const": mark.name}}
        if isinstance(mark, Items):
            return _list(mark, made, get_args(kind)[0])
        if isinstance(mark, Entries):
            return _entries(mark, made)
        if isinstance(mark, Short):
            return self._short(mark, made, kind)
        return mark.schema(made) if isinstance(mark, kinds.Around) else made

    def _short(self, mark: Short, made: Schema, kind: Any) -> Schema:
        record: Any = kind
        of_value = hints(record)[mark.key] if is_dataclass(kind) else get_args(kind)[1]
        none = [{"const": "none"}] if mark.none else []
        return {"anyOf": [*none, self.of(of_value), made]}


def _default(one: Any) -> Schema:
    value = one.default
    if isinstance(value, enum.Enum):
        value = value.value
    return {"default": value} if isinstance(value, (str, int, float)) and value != "" else {}


def _list(mark: Items, made: Schema, of_item: Any) -> Schema:
    made = {**made, **({"minItems": mark.at_least} if mark.at_least else {})}
    if isinstance(mark, Cache):
        made |= {"minItems": 3, "maxItems": 3}
    # two values of other types may be equal although they are written in two ways
    if mark.unique and any(isinstance(one, (Text, OneOf)) for one in unfolded(of_item)[1]):
        made["uniqueItems"] = True
    return {"anyOf": [made["items"], made]} if mark.alone else made


def _entries(mark: Entries, made: Schema) -> Schema:
    made = {**made, "minProperties": mark.at_least, "maxProperties": mark.at_most}
    if not mark.listed:
        return made
    # `on` and `null` in a list are names, because their text counts
    item = {"anyOf": [made["propertyNames"], {"type": ["boolean", "null"]}]}
    listed = {
        "type": "array",
        "items": item,
        "minItems": mark.at_least,
        "maxItems": mark.at_most,
        "uniqueItems": True,
    }
    return {"anyOf": [made, listed]}


# --- single values


@functools.singledispatch
def of_kind(kind: Kind) -> Schema:
    """The schema of a single value."""
    raise TypeError(f"spec.schema has no schema for {type(kind).__name__}")


@of_kind.register
def _(kind: Text) -> Schema:
    made: Schema = {"type": "string", "maxLength": kind.longest, "description": kind.expects}
    if kind.then is kinds.no_keyword:
        made["not"] = {"enum": kinds.C_KEYWORDS}
    pattern = ecma(kind.fits)
    if kind.fits == Text.fits:
        pattern = r"\S"
    elif re.fullmatch(kind.fits, " ", re.ASCII):
        pattern = rf"^(?=[\s\S]*\S)(?:{pattern})$"
    else:
        pattern = f"^(?:{pattern})$"
    return {**made, "pattern": pattern, "patternErrorMessage": f"must be {kind.expects}"}


@of_kind.register
def _(kind: OneOf) -> Schema:
    return {"enum": list(kind.words)}


@of_kind.register
def _(kind: Range) -> Schema:
    step = {"multipleOf": kind.step} if kind.step > 1 else {}
    whole = "number" if float in kind.types else "integer"
    return {"type": whole, "minimum": kind.low, "maximum": kind.high, **step}


@of_kind.register
def _(kind: Single) -> Schema:
    if kind.types == (bool,):
        return {"anyOf": [{"type": "boolean"}, {"enum": list(SWITCHES)}]}
    if kind.written:
        empty = ["null"] if not kind.types else []
        return {"type": ["string", "boolean", "number", *empty], "minLength": 1}
    if kind.fits is None and not kind.written:
        return {"type": [TYPES[one] for one in kind.types]}
    raise TypeError(f"spec.schema has no schema for {kind.expects}")


TYPES = {str: "string", bool: "boolean", int: "integer", float: "number"}


def ecma(pattern: str) -> str:
    """A pattern of Python in the form of JSON Schema, in which \\w and \\d cover ASCII alone, too."""
    made, inside = [], False
    for token in re.findall(r"\\.|.", pattern, re.DOTALL):
        inside = (inside or token == "[") and token != "]"
        letters = {r"\w": "A-Za-z0-9_", r"\d": "0-9"}.get(token)
        made.append(token if letters is None else letters if inside else f"[{letters}]")
    return "".join(made)


@functools.cache
def _named() -> dict[int, str]:
    """The kinds that have a name in `core.kinds`, by identity."""
    found: dict[int, str] = {}
    for name, alias in vars(kinds).items():
        if get_origin(alias) is Annotated:
            for mark in alias.__metadata__:
                if isinstance(mark, Text):
                    found.setdefault(id(mark), name)
    return found


# --- rules between the keys of a record, which the records check themselves

_METRICS = {
    "properties": {LIBRARY: {"propertyNames": {"enum": list(LIBRARY_METRICS)}}},
    "additionalProperties": {"propertyNames": {"enum": list(ENTRY_METRICS)}},
}
RULES: Mapping[str, list[Schema]] = {
    "AddSpec": [{"not": {"required": ["before", "after"]}}],
    "Condition": [{"minProperties": 1}],
    "Rule": [
        {"oneOf": [{"required": ["exclude", "reason"]}, {"required": ["include"]}]},
        {"properties": {"exclude": {"minProperties": 1}, "include": {"minProperties": 1}}},
    ],
    "System": [
        {"dependentRequired": {"unity": ["unity_skeleton"], "unity_skeleton": ["unity"]}},
    ],
    "Option": [
        {
            "if": {"properties": {"type": {"const": "bool"}}},
            "then": {"properties": {"default": {"anyOf": [{"type": "boolean"}, {"enum": list(SWITCHES)}]}},
                     "not": {"anyOf": [{"required": ["min"]}, {"required": ["max"]}]}},
            "else": {"properties": {"default": {"type": "integer"}}},
        }
    ],
    "Values": [
        {
            "oneOf": [
                {"required": ["choices"], "not": {"anyOf": [
                    {"required": [key]} for key in ("min", "max", "step", "log")
                ]}},
                {"required": ["min", "max"], "not": {"required": ["choices"]}},
            ]
        },
        {"not": {"required": ["step", "log"]}},
    ],
    "Tuning": [
        {
            "anyOf": [
                *({"required": [key], "properties": {key: {"minProperties": 1}}} for key in GROUPS),
                {"required": ["keys_of"], "properties": {"keys_of": {"minItems": 1}}},
            ]
        }
    ],
    "PeerLoad": [{"properties": {"link": {"not": {"const": Link.INLINED.value}}}}],
    "Peer": [
        {
            "if": {"not": {"required": ["found_in"], "properties": {"found_in": {"const": "python"}}}},
            "then": {"properties": {"file": {"pattern": "^[^/]*$"}}},
        }
    ],
    "VariantSpec": [
        {"anyOf": [{"required": ["extends"]}, {"required": ["layers"]}]},
        {
            "if": {"anyOf": [{"required": ["remove"]}, {"required": ["add"]}]},
            "then": {"required": ["extends"]},
        },
        {"properties": {"budget": _METRICS}},
    ],
}  # fmt: skip
