"""The reference in docs/reference/, printed from the code: keys, command line, methods, messages, the store.

Reads the records of the spec, the targets and variables of the command line, and the source of the SCons tool
and of the messages. Returns the text of each page; no page holds anything of one machine.
"""

from __future__ import annotations

import ast
import enum
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

from layermatrix.build.targets import Kind, Target, Variable
from layermatrix.core.kinds import OR_NONE, Items, Node, OneOf, Short
from layermatrix.core.kinds import Kind as ValueKind
from layermatrix.report import message_texts, page_parts, store_reference
from layermatrix.spec import key_docs, schema
from layermatrix.spec.reading import hints, unfolded
from layermatrix.spec.schema_limits import BEYOND

LIBRARY = Path(__file__).resolve().parents[1]


def pages(targets: Sequence[Target], variables: Sequence[Variable]) -> dict[str, str]:
    """The text of each page, by its name. variables: those that every target takes, and the axes."""
    return {
        "keys.md": keys(),
        "command-line.md": command_line(targets, variables),
        "methods.md": methods(),
        "messages.md": messages(),
        "store.md": store_reference.store(),
    }


# --- keys


def keys() -> str:
    """Every key of every kind of spec file."""
    intro = (
        "A project describes its hot path in YAML files in `variants/`. This page lists every key, with the\n"
        "value that it has if it is not given. `scons schema` writes the same as JSON Schema, for editors."
    )
    blocks, shown = [], list[Any]()
    for form in schema.FORMS.values():
        blocks.append(f"## {form.title}: `{form.files}`")
        for record in _records(form.record):
            if record not in shown:
                shown.append(record)
                blocks.append(_record(record, top=record is form.record))
    beyond = "\n".join(f"- {rule}" for rule in BEYOND)
    note = "The loader checks these rules; an editor does not see them."
    blocks.append(f"## What a schema cannot check\n\n{note}\n\n{beyond}")
    return page_parts.page("Keys of the spec", intro, blocks)


def _records(top: Any) -> Iterator[Any]:
    """A record and the records in it, each before its parts."""
    yield top
    for one in fields(top):
        yield from _inner(hints(top)[one.name])


def _inner(hint: Any) -> Iterator[Any]:
    kind, _ = unfolded(hint)
    if _is_record(kind):
        yield from _records(kind)
    else:
        for part in get_args(kind):
            yield from _inner(part)


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and is_dataclass(kind) and kind is not Node


def _title(record: Any) -> str:
    return str(record.__name__).removesuffix("Spec").lower()


def _record(record: Any, *, top: bool) -> str:
    rows = []
    for one in fields(record):
        if one.name in key_docs.own_keys(record):
            default = _default(one)
            doc = key_docs.of_key(record, one.name)
            rows.append(
                (
                    f"`{one.name}`",
                    page_parts.field(doc),
                    page_parts.field(_value(hints(record)[one.name])),
                    default,
                )
            )
    head = "" if top else f"### {_title(record)}\n\n"
    table = page_parts.table(("key", "meaning", "value", "default"), rows)
    return f"{head}{key_docs.summary(record)}\n\n{table}"


def _default(one: Any) -> str:
    if one.default is MISSING and one.default_factory is MISSING:
        return "**required**"
    value = one.default.value if isinstance(one.default, enum.Enum) else one.default
    if value is MISSING or value is None or value in ("", (), 0):
        return ""
    if isinstance(value, (tuple, list)):
        return f"`{', '.join(map(str, value))}`"
    return f"`{('on' if value else 'off') if isinstance(value, bool) else value}`"


def _value(hint: Any) -> str:
    """What a key accepts, in words."""
    kind, marks = unfolded(hint)
    none = ", or `none`" if OR_NONE in marks else ""
    for mark in marks:
        if isinstance(mark, OneOf):
            return ", ".join(f"`{word}`" for word in mark.words) + none
        if isinstance(mark, ValueKind):
            return mark.expects + none
    if kind is Node:
        return "what the catalogue declares"
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return ", ".join(f"`{member.value}`" for member in kind)
    if _is_record(kind):
        short = next((mark.key for mark in marks if isinstance(mark, Short)), None)
        return f"{_linked(kind)}" + (f", or its `{short}` alone" if short else "") + none
    if get_origin(kind) is tuple:
        alone = any(isinstance(mark, Items) and mark.alone for mark in marks)
        return (
            f"a list of: {_value(get_args(kind)[0])}" + ("; one alone needs no list" if alone else "") + none
        )
    return f"a mapping to: {_value(get_args(kind)[1])}{none}"


def _linked(record: Any) -> str:
    return f"[{_title(record)}](#{_title(record)})"


# --- command line


def command_line(targets: Sequence[Target], variables: Sequence[Variable]) -> str:
    """Every target and variable. A project has those that it needs; `scons -h` shows them with its values."""
    intro = (
        "`scons [variable=value ...] [target ...]`. `scons -h` shows the targets and variables of one\n"
        "project, with its values. An axis accepts names, comma lists, patterns such as `phase*`, and `all`."
    )
    kinds = {
        Kind.JOB: "Jobs start builds of their own, and run alone.",
        Kind.ANSWER: "Answers print a text and build nothing.",
        Kind.GRAPH: "Aliases are files of the build; they can be combined with each other.",
    }
    blocks = [f"## Variables of every target\n\n{_variables(variables)}"]
    for kind, doc in kinds.items():
        own = [target for target in targets if target.kind is kind]
        rows = [
            (f"`{one.name}`", page_parts.field(one.doc), ", ".join(f"`{v.name}=`" for v in one.variables))
            for one in own
        ]
        shown = page_parts.table(("target", "what it does", "takes"), rows)
        blocks.append(f"## {kind.name.capitalize()}s\n\n{doc}\n\n{shown}")
    special = {one.name: one for target in targets for one in target.variables}
    blocks.append(f"## Variables of single targets\n\n{_variables(special.values())}")
    accepts = [(f"`{one.name} --accept`", page_parts.field(one.accept)) for one in targets if one.accept]
    blocks.append(f"## Accepting\n\n{page_parts.table(('command', 'writes'), accepts)}")
    status = [
        ("0", "everything passed"),
        ("1", "something failed"),
        ("2", "the command line or the spec is wrong, or a target that is not a job could not be built"),
        ("3", "there was nothing to do"),
        ("130", "interrupted"),
    ]
    blocks.append(f"## Exit status\n\n{page_parts.table(('status', 'meaning'), status)}")
    return page_parts.page(
        "Command line", intro, [block.replace("## Graphs", "## Aliases") for block in blocks]
    )


def _variables(variables: Iterable[Variable]) -> str:
    rows = [
        (
            f"`{one.name}=`",
            page_parts.field(one.doc),
            page_parts.field(one.described),
            page_parts.field(one.default),
        )
        for one in variables
    ]
    return page_parts.table(("variable", "meaning", "values", "default"), rows)


# --- methods and settings of the SCons tool


@dataclass(frozen=True)
class Method:
    """A method that the tool adds. signature: its arguments, without the environment."""

    name: str
    signature: str
    doc: str


def methods() -> str:
    """Every method that the tool adds, and the construction variables that it reads."""
    intro = (
        "The tool `layered` adds these methods to an environment; [The SCons tool](../scons-tool.md) shows\n"
        "how they are used together, and lists the construction variables of a cell."
    )
    groups = {
        "project": "Methods of an environment",
        "METHODS_OF_A_PROJECT": "Methods of an environment, after `LayeredProject`",
        "METHODS_OF_A_CELL": "Methods of a cell, from `LayeredCells`",
    }
    tree = ast.parse((LIBRARY / "scons/tool.py").read_text(encoding="utf-8"))
    listed = {**_tuples(tree), "project": ["project"]}
    found = {one.name: one for path in sorted((LIBRARY / "scons").glob("*.py")) for one in _functions(path)}
    blocks = []
    for group, title in groups.items():
        blocks.append(f"## {title}")
        for name in listed[group]:
            one = found[name]
            public = "Layered" + name.title().replace("_", "")
            blocks.append(f"`{public}({one.signature})`\n\n:   {_definition(one.doc)}")
    rows = [
        (f"`LAYERED_{name.upper()}`", f"`{json.dumps(value)}`") for name, value in _defaults(tree).items()
    ]
    table = page_parts.table(("construction variable", "default"), rows)
    blocks.append(
        f'## Settings\n\nEach is a keyword of the tool: `tools=[("layered", {{"sources": ...}})]`.\n\n{table}'
    )
    return page_parts.page("Methods and settings", intro, blocks)


def _definition(doc: str) -> str:
    lines = [f"    {line.strip()}" if line.strip() else "" for line in doc.splitlines()]
    return "\n".join(lines).strip()


def _functions(path: Path) -> Iterator[Method]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            arguments = node.args
            for one in (*arguments.args, *arguments.kwonlyargs, arguments.kwarg, arguments.vararg):
                if one is not None:
                    one.annotation = None
            arguments.args = arguments.args[1:]
            yield Method(node.name, ast.unparse(arguments), ast.get_docstring(node) or "")


def _tuples(tree: ast.Module) -> dict[str, list[str]]:
    """The names in the tuples of a module."""
    found = {}
    for node in tree.body:
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.value, ast.Tuple)
            and isinstance(node.target, ast.Name)
        ):
            found[node.target.id] = [part.id for part in node.value.elts if isinstance(part, ast.Name)]
    return found


def _defaults(tree: ast.Module) -> Mapping[str, Any]:
    for node in tree.body:
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and node.target.id == "DEFAULTS"
        ):
            assert node.value is not None
            found: Mapping[str, Any] = ast.literal_eval(node.value)
            return found
    raise AssertionError("the tool has no DEFAULTS")


# --- messages


def messages() -> str:
    """Every message of the spec and of the command line, by the module that prints it."""
    intro = (
        "A mistake in a spec is printed as `variants/mine.yaml:7:12: error: ...`, with all other\n"
        "mistakes of all files; nothing is built then. A mistake on the command line is one line, and the\n"
        "status is 2. In this list, `{...}` stands for a part of the message; the text after the\n"
        "semicolon is the hint."
    )
    blocks = []
    for group, title in message_texts.GROUPS.items():
        found = message_texts.of_modules(LIBRARY, group)
        blocks.append(f"## {title}")
        for doc, texts in found:
            blocks.append(f"{doc}\n\n" + "\n".join(f"- `{text.replace('`', '')}`" for text in texts))
    return page_parts.page("Messages", intro, blocks)
