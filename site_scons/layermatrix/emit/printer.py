"""Print a variant's generated C: the fast path's header, and the unit that includes all modules.

Reads a resolved `model.Variant` and the folder of templates. Returns text; writing is the build's work.
Mistakes in templates come out as SpecErrors that name the template and its line. jinja2 is imported late,
because a build with nothing to print does not need it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from layermatrix.core.errors import Place, Report, SpecError, SpecErrors, hint_for, quote
from layermatrix.model.project import Layer, Variant

if TYPE_CHECKING:
    import jinja2
    import jinja2.ext

COMMENT_WIDTH = 100


@dataclass(frozen=True)
class PrintedLayer:
    """What the skeleton has of a layer: `model`, its values, and `t`, the macros of its template."""

    model: Layer
    t: Any


def render_header(variant: Variant, templates_dir: Path) -> str:
    """The text of the variant's fast-path header."""
    return tidy(header_text(variant, templates_dir))


def header_text(variant: Variant, templates_dir: Path, *extensions: type[jinja2.ext.Extension]) -> str:
    """The header as the templates give it, not tidied yet; `extensions` are jinja2's, see `linemap`."""
    templates = _Templates(templates_dir, variant, extensions)
    templates.closure([variant.system.skeleton, *_layer_templates(variant)])
    layers = [PrintedLayer(layer, templates.module(layer.template)) for layer in variant.layers]
    return templates.render(variant.system.skeleton, layers=layers)


def render_unity(variant: Variant, templates_dir: Path) -> str:
    """The text of the unit that includes the variant's modules."""
    templates = _Templates(templates_dir, variant)
    templates.closure([variant.system.unity_skeleton])
    return tidy(templates.render(variant.system.unity_skeleton))


def template_closure(variant: Variant, templates_dir: Path) -> list[str]:
    """The templates from which the variant is printed, relative to `templates_dir`, sorted.

    The unit's is among them where the variant's layout has a unit.
    """
    unity = [variant.system.unity_skeleton] if variant.layout == "unity" else []
    return _Templates(templates_dir, variant).closure(
        [variant.system.skeleton, *unity, *_layer_templates(variant)]
    )


def _layer_templates(variant: Variant) -> list[str]:
    return [layer.template for layer in variant.layers]


class _Templates:
    """The templates of one variant. Only those that `closure` has found can be used: none goes undeclared."""

    def __init__(
        self, folder: Path, variant: Variant, extensions: Sequence[type[jinja2.ext.Extension]] = ()
    ) -> None:
        import jinja2

        self.folder = folder
        # these are no part of `as_value`, so nothing may be printed of them
        self.variant = replace(variant, quoted={}, budget={})
        self.declared: set[str] = set()
        self.environment = jinja2.Environment(
            loader=jinja2.FunctionLoader(self._load),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            extensions=extensions,
        )
        self.environment.globals["serves"] = serves
        self.environment.globals["part_of"] = part_of
        self.environment.filters["serves"] = serves
        self.environment.filters["comment"] = comment

    def closure(self, roots: list[str]) -> list[str]:
        """`roots` and what they include, import or extend; SpecErrors with all that is wrong with them."""
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
        """The templates that `name` refers to, and where; `place` is where `name` itself is referred to."""
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
                    what = "the name of a template must be written out, so that the build knows what it needs"
                    report.error(place, what)

    def _report_missing(self, name: str, place: Place, report: Report) -> None:
        there = [path.relative_to(self.folder).as_posix() for path in self.folder.glob("**/*.j2")]
        if place.path == self.variant.source:
            owner = next((layer.name for layer in self.variant.layers if layer.template == name), None)
            needed = f"layer {quote(owner)} of {self.variant.name}" if owner else self.variant.name
            report.error(Place(self.shown(name), 1, 1), f"no such template; {needed} is printed from it")
        else:
            report.error(place, f"no template {quote(name)}", hint_for(name, there))

    def _load(self, name: str) -> tuple[str, str, None] | None:
        """jinja2's loader: only what is declared."""
        source = self._read(name) if name in self.declared else None
        return None if source is None else (source, self.shown(name), None)

    def _read(self, name: str) -> str | None:
        """The text of a template, or None if there is none of that name inside the folder."""
        path = self.folder / name
        if name.startswith("/") or ".." in Path(name).parts or not path.is_file():
            return None
        return path.read_text(encoding="utf-8")


class _Blaming:
    """Turns what goes wrong in a template into a SpecError at its line; what goes wrong elsewhere passes."""

    def __init__(self, templates: _Templates) -> None:
        self.templates = templates

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, problem: BaseException | None, trace: TracebackType | None) -> None:
        place = _template_place(trace) if isinstance(problem, Exception) else None
        if problem is not None and place is not None:
            raise SpecErrors([SpecError(place.path, place.line, 1, explanation(problem))]) from problem


def _template_place(trace: TracebackType | None) -> Place | None:
    """The innermost line of a template that was being printed when the exception came."""
    place = None
    while trace is not None:
        template: jinja2.Template | None = trace.tb_frame.f_globals.get("__jinja_template__")
        if template is not None:
            line = template.get_corresponding_lineno(trace.tb_lineno)
            place = Place(str(template.filename), line, 1)
        trace = trace.tb_next
    return place


def explanation(problem: BaseException) -> str:
    """What an exception says, on one line."""
    import jinja2

    said = " ".join(str(problem).split())
    return said if isinstance(problem, jinja2.TemplateError) and said else f"{type(problem).__name__}: {said}"


# --- what templates may call


def serves(layer: Layer, variable: str) -> str:
    """A C condition: the class in `variable` is one of the layer's. Empty if the layer serves every class."""
    if layer.serves_all:
        return ""
    first, last = layer.first_class, layer.last_class
    if first == last:
        return f"{variable} == {first}u"
    if not layer.contiguous:
        wide = "ull" if layer.class_mask >> 32 else "u"
        return f"((0x{layer.class_mask:x}{wide} >> {variable}) & 1u)"
    at_most = f"{variable} <= {last}u"
    return at_most if first == 0 else f"{variable} >= {first}u && {at_most}"


def part_of(layer: Layer, caller: Callable[[], str]) -> str:
    """`{% call part_of(layer) %}`: the text in there is what the frame has for the sake of this layer.

    It is printed as it is; `linemap` takes it for the layer's.
    """
    return caller()


def comment(text: str, indent: int = 0) -> str:
    """Text as a `//` comment, wrapped; `indent` is what the template puts in front of it."""
    lines = textwrap.wrap(text, COMMENT_WIDTH - indent - len("// "), break_long_words=False)
    return ("\n" + " " * indent).join(f"// {line}" for line in lines)


def tidy(text: str) -> str:
    """No blanks at the ends of lines, no two blank lines in a row, one newline at the end."""
    lines = text.split("\n")
    return "".join(f"{lines[index].rstrip()}\n" for index in kept_lines(lines)) or "\n"


def kept_lines(lines: Sequence[str]) -> list[int]:
    """The indexes of the lines that a tidy text has: of blank lines, one between two others."""
    kept: list[int] = []
    for index, line in enumerate(lines):
        if line.strip():
            blank_before = kept and index > kept[-1] + 1
            kept.extend([index - 1, index] if blank_before else [index])
    return kept
