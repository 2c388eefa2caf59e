"""The files that `new` writes: a layer like another one, a variant like another one, a project.

Reads the spec files of a project, and `starter/`, which every new project is a copy of. Returns the texts by
path; `write` writes them, and never over a file that exists. Raises StartError with what is wrong and what
helps.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.core import command
from layermatrix.core.errors import Report, SpecErrors, hint_for, quote
from layermatrix.core.kinds import NAME, NOT_ALL, Misfit, node_of

if TYPE_CHECKING:
    from layermatrix.model.catalogue import Catalogue
    from layermatrix.model.project import Project
    from layermatrix.model.variants import Variant

CI = {"github": ".github/workflows/layers.yml", "gitlab": ".gitlab-ci.yml"}  # service -> the path of its file
CI_FILES = Path(__file__).resolve().parents[1] / "starter_ci"
STARTER = Path(__file__).resolve().parents[1] / "starter"
RENAMED = {"gitignore": ".gitignore"}  # a wheel leaves out files that begin with a dot
CATALOGUE = "variants/layers.yaml"
Texts = Mapping[str, str]  # path in the project -> content


class StartError(Exception):
    """A starting point cannot be written; str() is one line."""


def check_name(what: str, name: str) -> None:
    """Raise StartError if the name is none that the spec accepts."""
    try:
        NAME.read(NOT_ALL.before(node_of(name)))
    except Misfit as wrong:
        hint = f"; {wrong.hint}" if wrong.hint else ""
        raise StartError(f"{what}={name}: the name {wrong.what}{hint}") from None


def check_free(what: str, name: str, taken: Mapping[str, object]) -> None:
    if name in taken:
        raise StartError(f"{what}={name}: there is a {what} of this name already")


def check_like(what: str, like: str, known: Mapping[str, object]) -> None:
    """Raise StartError if the model is missing or unknown."""
    if not like:
        raise StartError(f"{what}= needs like=, the {what} to start from; known: {', '.join(known)}")
    if like not in known:
        hint = hint_for(like, known)
        raise StartError(f"like={like}: unknown {what}" + (f"; {hint}" if hint else ""))


def write(root: Path, texts: Texts) -> None:
    """Write the files; raise StartError, and write none, if one exists."""
    from layermatrix.core import records

    for path in texts:
        if (root / path).exists() or (root / path).is_symlink():
            raise StartError(f"{root / path} exists, and nothing is overwritten: choose another name")
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        records.write_text(root / path, text)


# --- a project


def of_project(name: str) -> Texts:
    """The files of a project whose system has this name."""
    from layermatrix.spec import schema

    texts = {}
    for file in sorted(
        path for path in STARTER.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ):
        path = file.relative_to(STARTER).as_posix()
        text = file.read_text(encoding="utf-8").replace("@name@", name).replace("@NAME@", name.upper())
        texts[RENAMED.get(path) or re.sub(r"(?<=[/_])project(?=\.)", name, path)] = text
    return texts | {f"{schema.FOLDER}/{form}.json": schema.text(form) for form in schema.FORMS}


def of_ci(service: str) -> Texts:
    """The workflow file of a service. A project with its own wrapper installs nothing."""
    start = command.scons()
    install = (
        "python -m pip install layermatrix # or the path of its wheel"
        if start == "scons"
        else f"{start} list >/dev/null"
    )
    text = (CI_FILES / f"{service}.yml").read_text(encoding="utf-8")
    return {CI[service]: text.replace("@scons@", start).replace("@install@", install)}


def project_name(folder: Path) -> str:
    """The name of the system in a new project: that of its folder."""
    name = folder.resolve().name.replace("-", "_")
    check_name("project", name)
    return name


# --- a variant


def of_variant(root: Path, project: Project, name: str, like: str) -> Texts:
    """A variant that extends another one, with every key that it may change as a comment. If the project has
    schemas, its first line names the variant's."""
    from layermatrix.profiles import registry
    from layermatrix.spec import schema

    check_name("variant", name)
    check_free("variant", name, project.variants)
    if schema.form_of(f"{name}.yaml") != schema.VARIANT:
        raise StartError(f"variant={name}: variants/{name}.yaml is a file of another kind")
    check_like("variant", like, project.variants)
    parent = project.variants[like]
    keys = registry.of(project.catalogue.profile).words.get("keys", "keys")
    lines = [
        *([schema.comment(schema.VARIANT)] if (root / schema.FOLDER).is_dir() else []),
        f"# It begins as {like}. Each commented key shows the value of {like}: remove the # to change it.",
        f"# `{command.scons('explain', f'variant={name}')}` shows the result.",
        f"doc: {like.capitalize()}, with changes that are not described yet.",
        f"extends: {like}",
        *_layer_lines(project.catalogue, parent),
        *_set_lines(project.catalogue, parent),
        *_budget_lines(parent),
        f"# `{keys}:` is a table of its own, in place of the catalogue's.",
    ]
    return {f"variants/{name}.yaml": "\n".join(lines) + "\n"}


def _layer_lines(catalogue: Catalogue, parent: Variant) -> list[str]:
    own = [layer.name for layer in parent.layers]
    others = [name for name in catalogue.layers if name not in own]
    more = [
        f"# add: [{{layer: {others[0]}}}]  # `before:` or `after:` another one; others: {', '.join(others)}"
    ]
    return [
        f"# Layers that it does not have, of {', '.join(own)}:",
        f"# remove: [{own[0]}]",
        *(["# Layers that it has besides:", *more] if others else []),
    ]


def _set_lines(catalogue: Catalogue, parent: Variant) -> list[str]:
    """The settings, options and capacities, with the parent's values."""
    lines = ["# set:"]
    for name, value in parent.settings.items():
        setting = catalogue.settings[name]
        lines.append(f"#   {name}: {value}  # {', '.join(map(str, setting.values))}: {setting.doc}")
    bounded = [f"{layer.name}: {layer.capacity}" for layer in parent.layers if layer.capacity]
    lines += [f"#   capacity: {{{', '.join(bounded)}}}  # entries for each key"] if bounded else []
    sized = [f"{layer.name}: {layer.bytes_bound}" for layer in parent.layers if layer.bytes_bound]
    lines += [f"#   bytes: {{{', '.join(sized)}}}  # bytes for each key"] if sized else []
    options = [f"{name}: {_written(option.default)}" for name, option in catalogue.options.items()]
    return lines + ([f"#   options: {{{', '.join(options)}}}"] if options else [])


def _written(value: object) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def _budget_lines(parent: Variant) -> list[str]:
    entries = ", ".join(f"{name}: {{calls: 0}}" for name in parent.system.entries)
    return [
        "# Upper limits for its code; the limits of the parent apply as well.",
        f"# budget: {{{entries}}}",
    ]


# --- a layer


def of_layer(root: Path, project: Project, name: str, like: str) -> tuple[str, Texts]:
    """The catalogue's text with one more layer, and the new layer's own template, if its model has one."""
    check_name("layer", name)
    layers = project.catalogue.layers
    check_free("layer", name, layers)
    check_like("layer", like, layers)
    changed = with_entry((root / CATALOGUE).read_text(encoding="utf-8"), name, like, root)
    template = root / "templates" / layers[like].own_template
    if not template.is_file():
        return changed, {}
    text = renamed(template.read_text(encoding="utf-8"), like, name, _c_text(root))
    return changed, {f"templates/layers/{name}.h.j2": text}


def with_entry(text: str, name: str, like: str, root: Path) -> str:
    """The catalogue with a copy of the entry `like` below it, under another name."""
    first, last = _lines_of(like, root)
    lines = text.splitlines(keepends=True)
    block = lines[first:last]
    while len(block) > 1 and (not block[-1].strip() or block[-1].lstrip().startswith("#")):
        block.pop()  # a comment of the next entry
    copied = "".join(block)
    if not copied.lstrip().startswith(f"{like}:") or copied.strip().endswith(f"{like}:"):
        raise StartError(f"like={like}: {CATALOGUE} has this layer within a line; add the new one by hand")
    copied = copied.replace(f"{like}:", f"{name}:", 1)
    title = name.replace("_", " ").capitalize()
    copied = re.sub(r"(\btitle: *)[^\n,}#]*[^\n,}# ]", rf"\g<1>{title}", copied, count=1)
    copied = re.sub(r"(\benv: *)(\w+)", rf"\g<1>\g<2>_{name.upper()}", copied)
    indent = " " * (len(copied) - len(copied.lstrip(" ")))
    note = f"{indent}# A copy of {like}: say in `doc` what it does, and change its bounds.\n"
    end = first + len(block)
    return "".join(
        [*lines[:end], *([] if lines[end - 1].endswith("\n") else ["\n"]), note, copied, *lines[end:]]
    )


def _lines_of(layer: str, root: Path) -> tuple[int, int]:
    """The lines of a layer's entry: from the first one to the start of the next key."""
    from layermatrix.spec import yamlnodes

    document = yamlnodes.read_document(root / CATALOGUE, CATALOGUE, Report())
    assert document is not None  # it was loaded before
    entries = document.entries["layers"].entries
    starts = [node.key.line - 1 for node in (*document.entries.values(), *entries.values()) if node.key]
    key = entries[layer].key
    assert key is not None
    first = key.line - 1
    following = [line for line in starts if line > first]
    return first, min(following, default=len((root / CATALOGUE).read_text(encoding="utf-8").splitlines()))


def renamed(template: str, like: str, name: str, others: str) -> str:
    """A template whose own identifiers are named after another layer. others: the text of C sources, whose
    identifiers keep their names, except those of functions that the template defines."""
    defined = re.findall(r"\b(\w+)\([^;{}]*\)\s*\{", template)
    kept = {*re.findall(r"\w+", others)} - {*defined}
    return re.sub(
        rf"\b{re.escape(like)}(?=\b|_)(\w*)",
        lambda found: found[0] if found[0] in kept else name + found[1],
        template,
    )


def _c_text(root: Path) -> str:
    """The C files of the project, except those in build/."""
    files = [path for suffix in ("c", "h") for path in root.rglob(f"*.{suffix}") if path.is_file()]
    own = [path for path in files if path.relative_to(root).parts[0] != "build"]
    return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in own)


def write_layer(root: Path, project: Project, name: str, like: str) -> list[str]:
    """Write a layer, and check that the project can still be read. Returns the paths."""
    from layermatrix.core import records
    from layermatrix.spec.loader import load_project

    changed, texts = of_layer(root, project, name, like)
    before = (root / CATALOGUE).read_text(encoding="utf-8")
    write(root, texts)
    records.write_text(root / CATALOGUE, changed)
    try:
        load_project(root)
    except SpecErrors as errors:
        records.write_text(root / CATALOGUE, before)
        for path in texts:
            (root / path).unlink()
        raise StartError(f"the copy of {quote(like)} is no valid layer: {errors.errors[0]}") from None
    return [CATALOGUE, *texts]
