"""Print a variant's generated C: the fast path's header, and the unit that includes all modules.

Reads a resolved `model.Variant` and the folder of templates. Returns text; the build writes it. Mistakes in
templates become SpecErrors that name the template and its line. jinja2 is imported late, because a build that
prints nothing does not need it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from layermatrix.core import templates
from layermatrix.core.errors import Place, Report, SpecError, SpecErrors, hint_for, quote
from layermatrix.model.layers import Layer
from layermatrix.model.variants import Variant

if TYPE_CHECKING:
    import jinja2
    import jinja2.ext

COMMENT_WIDTH = 100
# Marks around text that belongs to a layer: characters of Unicode's private use area, which no C source
# contains.
OPEN, NAMED, CLOSE = "\ue010", "\ue011", "\ue012"


@dataclass(frozen=True)
class Header:
    """A printed header. layers: for each line, the name of the layer it belongs to; None for the frame."""

    text: str
    layers: tuple[str | None, ...]

    def runs(self) -> dict[str, list[tuple[int, int]]]:
        """The lines of each layer, as (first, last) of every run of lines; lines count from 1."""
        found: dict[str, list[tuple[int, int]]] = {}
        for line, name in enumerate(self.layers, start=1):
            if name is None:
                continue
            own = found.setdefault(name, [])
            if own and own[-1][1] == line - 1:
                own[-1] = (own[-1][0], line)
            else:
                own.append((line, line))
        return found


class LayerMacros:
    """The macros of a layer's template; their output is marked as the layer's."""

    def __init__(self, layer: str, module: Any) -> None:
        self._layer, self._module = layer, module

    def __getattr__(self, name: str) -> Any:
        macro = getattr(self._module, name)
        return (lambda *values: mark(self._layer, macro(*values))) if callable(macro) else macro


@dataclass(frozen=True)
class PrintedLayer:
    """A layer as the skeleton sees it. model: its values. t: the macros of its template."""

    model: Layer
    t: LayerMacros


def print_header(variant: Variant, templates_dir: Path) -> Header:
    """The variant's fast-path header, with the layer of each line. Raises SpecErrors for wrong templates."""
    return recorded(header_text(variant, templates_dir))


def render_header(variant: Variant, templates_dir: Path) -> str:
    """The text of the variant's fast-path header. Raises SpecErrors for wrong templates."""
    return print_header(variant, templates_dir).text


def header_text(variant: Variant, templates_dir: Path, *extensions: type[jinja2.ext.Extension]) -> str:
    """The header before it is tidied, with the marks of its layers. extensions: jinja2 extensions, see
    `linemap`."""
    templates = _Templates(templates_dir, variant, extensions)
    templates.closure([variant.system.skeleton, *templates.of_layers()])
    layers = [
        PrintedLayer(layer, LayerMacros(layer.name, templates.module(templates.of_layer(layer))))
        for layer in variant.layers
    ]
    return templates.render(variant.system.skeleton, layers=layers)


def render_unity(variant: Variant, templates_dir: Path) -> str:
    """The text of the unit that includes the variant's modules. Raises SpecErrors for a wrong template."""
    assert variant.system.unity_skeleton is not None
    templates = _Templates(templates_dir, variant)
    templates.closure([variant.system.unity_skeleton])
    return tidy(templates.render(variant.system.unity_skeleton))


def template_closure(variant: Variant, templates_dir: Path) -> list[str]:
    """The templates from which the variant is printed, relative to `templates_dir`, sorted.

    If the variant's layout is `unity`, the unit's template is one of them.
    """
    unity = [variant.system.unity_skeleton or ""] if variant.layout == "unity" else []
    templates = _Templates(templates_dir, variant)
    return templates.closure([variant.system.skeleton, *unity, *templates.of_layers()])


def template_of(layer: Layer, templates_dir: Path) -> str:
    """The template that a layer is printed from: its own if it exists, otherwise that of its storage."""
    own = (templates_dir / layer.own_template).is_file()
    return layer.own_template if own or layer.storage_template is None else layer.storage_template


class _Templates:
    """The templates of one variant. jinja2 can load only those that `closure` has found, so the build knows
    every template that is used."""

    def __init__(
        self, folder: Path, variant: Variant, extensions: Sequence[type[jinja2.ext.Extension]] = ()
    ) -> None:
        import jinja2

        self.folder = folder
        # the build does not depend on these fields (see `as_value`), so templates must not see them
        self.variant = replace(variant, reported={}, budget={}, roles={})
        self.declared: set[str] = set()
        self.environment = templates.environment(jinja2.FunctionLoader(self._load), extensions=extensions)
        self.environment.globals["serves"] = serves
        self.environment.globals["part_of"] = part_of
        self.environment.filters["serves"] = serves
        self.environment.filters["comment"] = comment

    def of_layer(self, layer: Layer) -> str:
        return template_of(layer, self.folder)

    def of_layers(self) -> list[str]:
        return [self.of_layer(layer) for layer in self.variant.layers]

    def closure(self, roots: list[str]) -> list[str]:
        """`roots` and all templates that they include, import or extend. Raises SpecErrors with every mistake
        in them."""
        report = Report()
        waiting = [(name, Place(self.variant.source, 1, 1)) for name in roots]
        while waiting:
            name, place = waiting.pop()
            if name not in self.declared:
                self.declared.add(name)
                waiting.extend(self._references(name, place, report))
        report.raise_if_any()
        return sorted(self.declared)

    def module(self, name: str) -> Any:
        """A template's macros."""
        with _Blaming(self):
            return self.environment.get_template(name).make_module({"variant": self.variant})

    def render(self, name: str, **values: Any) -> str:
        with _Blaming(self):
            return str(self.environment.get_template(name).make_module({"variant": self.variant, **values}))

    def shown(self, name: str) -> str:
        """A template's path in messages."""
        return f"{self.folder.name}/{name}"

    def _references(self, name: str, place: Place, report: Report) -> list[tuple[str, Place]]:
        """The templates that `name` refers to, each with its place. place: where `name` itself is named."""
        import jinja2

        try:
            source = self._read(name)
            if source is None:
                self._report_missing(name, place, report)
                return []
            return list(self._find(name, self.environment.parse(source), report))
        except UnicodeDecodeError:
            report.error(Place(self.shown(name), 1, 1), "is not UTF-8 text")
        except OSError as problem:
            report.error(Place(self.shown(name), 1, 1), f"cannot be read: {str(problem.strerror).lower()}")
        except jinja2.TemplateSyntaxError as problem:
            report.error(Place(self.shown(name), problem.lineno, 1), str(problem.message))
        return []

    def _find(self, name: str, tree: jinja2.nodes.Template, report: Report) -> Iterator[tuple[str, Place]]:
        from jinja2 import meta, nodes

        for node in tree.find_all((nodes.Extends, nodes.FromImport, nodes.Import, nodes.Include)):
            place = Place(self.shown(name), node.lineno, 1)
            for found in meta.find_referenced_templates(nodes.Template([node], lineno=node.lineno)):
                if found is not None:
                    yield found, place
                else:
                    what = "the name of a template must be a literal string: the build needs to know it"
                    report.error(place, what)

    def _report_missing(self, name: str, place: Place, report: Report) -> None:
        there = [path.relative_to(self.folder).as_posix() for path in self.folder.glob("**/*.j2")]
        if place.path == self.variant.source:
            owner = next((layer for layer in self.variant.layers if self.of_layer(layer) == name), None)
            needed = f"layer {quote(owner.name)} of {self.variant.name}" if owner else self.variant.name
            stored = f" (storage {owner.storage})" if owner and name == owner.storage_template else ""
            what = f"template not found; {needed}{stored} is printed from it"
            hint = (
                f"or give the layer its own, {self.shown(owner.own_template)}" if owner and stored else None
            )
            report.error(Place(self.shown(name), 1, 1), what, hint)
        else:
            report.error(place, f"no template {quote(name)}", hint_for(name, there))

    def _load(self, name: str) -> tuple[str, str, None] | None:
        """Load a template for jinja2, only if it is declared."""
        source = self._read(name) if name in self.declared else None
        return None if source is None else (source, self.shown(name), None)

    def _read(self, name: str) -> str | None:
        """The text of a template, or None if there is none of that name inside the folder."""
        path = self.folder / name
        if name.startswith("/") or ".." in Path(name).parts or not path.is_file():
            return None
        return path.read_text(encoding="utf-8")


class _Blaming:
    """Turns an exception inside a template into a SpecError at its line; other exceptions pass."""

    def __init__(self, templates: _Templates) -> None:
        self.templates = templates

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, problem: BaseException | None, trace: TracebackType | None) -> None:
        place = _template_place(trace) if isinstance(problem, Exception) else None
        if problem is not None and place is not None:
            raise SpecErrors([SpecError(place.path, place.line, 1, explanation(problem))]) from problem


def _template_place(trace: TracebackType | None) -> Place | None:
    """The innermost template line that raised the exception; None if no template did."""
    place = None
    while trace is not None:
        template: jinja2.Template | None = trace.tb_frame.f_globals.get("__jinja_template__")
        if template is not None:
            line = template.get_corresponding_lineno(trace.tb_lineno)
            place = Place(str(template.filename), line, 1)
        trace = trace.tb_next
    return place


def explanation(problem: BaseException) -> str:
    """An exception's message, on one line."""
    import jinja2

    text = " ".join(str(problem).split())
    return text if isinstance(problem, jinja2.TemplateError) and text else f"{type(problem).__name__}: {text}"


# --- functions for templates


def serves(layer: Layer, variable: str) -> str:
    """A C condition: the key in `variable` is one of the layer's. Empty if the layer serves every key."""
    if layer.serves_all:
        return ""
    first, last = layer.first, layer.last
    if first == last:
        return f"{variable} == {first}u"
    if not layer.contiguous:
        wide = "ull" if layer.mask >> 32 else "u"
        return f"((0x{layer.mask:x}{wide} >> {variable}) & 1u)"
    at_most = f"{variable} <= {last}u"
    return at_most if first == 0 else f"{variable} >= {first}u && {at_most}"


def part_of(layer: Layer, caller: Callable[[], str]) -> str:
    """`{% call part_of(layer) %}`: the text inside belongs to this layer, although the frame prints it."""
    return mark(layer.name, caller())


def comment(text: str, indent: int = 0) -> str:
    """Text as a `//` comment, wrapped at COMMENT_WIDTH. indent: the template's indentation, in columns."""
    lines = textwrap.wrap(text, COMMENT_WIDTH - indent - len("// "), break_long_words=False)
    return ("\n" + " " * indent).join(f"// {line}" for line in lines)


# --- marks


def mark(layer: str, text: str) -> str:
    """Mark text as a layer's. Blanks around the text stay outside the marks; blank text gets no marks."""
    body = text.strip()
    if not body:
        return text
    start = text.index(body)
    return f"{text[:start]}{OPEN}{layer}{NAMED}{body}{CLOSE}{text[start + len(body) :]}"


def recorded(marked: str) -> Header:
    """The text without its marks, tidied. A line belongs to the layer of its first character."""
    lines, owners = without_marks(marked.split("\n"))
    kept = kept_lines(lines)
    return Header(tidy("\n".join(lines)), tuple(owners[index] for index in kept))


def without_marks(marked: Iterable[str]) -> tuple[list[str], list[str | None]]:
    """Lines without their marks, and the layer of each."""
    lines: list[str] = []
    owners: list[str | None] = []
    within: list[str] = []
    for line in marked:
        text, owner = "", within[-1] if within else None
        for piece in _PIECES.split(line):
            if piece.startswith(OPEN):
                within.append(piece[1:-1])
            elif piece == CLOSE:
                within.pop()
            elif piece:
                if not text.strip():
                    owner = within[-1] if within else None
                text += piece
        lines.append(text)
        owners.append(owner)
    return lines, owners


_PIECES = re.compile(f"({OPEN}[^{NAMED}]*{NAMED}|{CLOSE})")


def tidy(text: str) -> str:
    """Remove blanks at the ends of lines, and all but one of successive blank lines; end with one newline."""
    lines = text.split("\n")
    return "".join(f"{lines[index].rstrip()}\n" for index in kept_lines(lines)) or "\n"


def kept_lines(lines: Sequence[str]) -> list[int]:
    """The indexes of the lines that `tidy` keeps: of successive blank lines, the last one."""
    kept: list[int] = []
    for index, line in enumerate(lines):
        if line.strip():
            blank_before = kept and index > kept[-1] + 1
            kept.extend([index - 1, index] if blank_before else [index])
    return kept
