"""`linemap`: the template line from which each line of a header was printed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from layermatrix.emit import linemap, printer
from layermatrix.model.variants import Variant
from layermatrix.spec.loader import load_project

Write = Callable[..., Path]
ROOT = Path(__file__).resolve().parents[2]

TEMPLATES = {
    "toy.h.j2": """\
{# A comment
   of two lines. #}
{% macro shared(what) %}
shared {{ what }};
{%- endmacro %}
first

{% for layer in layers %}
{{ layer.t.pop(layer.model) }}
{% if layer.model.name == 'list' %}
{{ shared('frame') }}


{% endif %}
{% endfor %}
last""",
    "layers/stack.h.j2": """\
{% import 'storage/array.h.j2' as storage %}
{% macro pop(layer) %}
own {
{{ storage.pop(layer,
               layer.capacity) }}
}
{%- endmacro %}
""",
    "layers/list.h.j2": "{% macro pop(layer) %}list{% endmacro %}\n",
    "layers/refill.h.j2": "{% macro pop(layer) %}{{ 'one\ntwo' }};\nthree{% endmacro %}\n",
    "storage/array.h.j2": "{% macro pop(layer, n) %}\n  {{ layer.name }}[{{ n }}]\n{%- endmacro %}\n",
}
EXPECTED = {
    "first": "toy.h.j2:6",
    "own {": "layers/stack.h.j2:3 toy.h.j2:9",
    "  stack[32]": "storage/array.h.j2:2 layers/stack.h.j2:4 toy.h.j2:9",
    "}": "layers/stack.h.j2:6 toy.h.j2:9",
    "list": "layers/list.h.j2:1 toy.h.j2:9",
    "shared frame;": "toy.h.j2:4 toy.h.j2:11",
    "one": "layers/refill.h.j2:2 toy.h.j2:9",
    "two;": "layers/refill.h.j2:2 toy.h.j2:9",
    "three": "layers/refill.h.j2:3 toy.h.j2:9",
    "last": "toy.h.j2:16",
}


@pytest.fixture
def variant(project: Write) -> Variant:
    return load_project(project()).variants["base"]


@pytest.fixture
def templates(tmp_path: Path) -> Callable[..., Path]:
    """Writes the templates, some of them replaced."""

    def write(**changes: str) -> Path:
        for name, text in {**TEMPLATES, **changes}.items():
            path = tmp_path / "templates" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path / "templates"

    return write


def shown(chain: linemap.Chain) -> str:
    return " ".join(f"{place.path.removeprefix('templates/')}:{place.line}" for place in chain)


def test_each_line_has_its_template_and_those_that_called_it(variant: Variant, templates: Write) -> None:
    lines = printer.render_header(variant, templates()).splitlines()
    found = linemap.of_header(variant, templates())
    message = {line: shown(found.chain(number)) for number, line in enumerate(lines, 1) if line}
    assert message == EXPECTED


def test_the_layer_of_a_line_is_the_one_whose_template_is_in_the_chain(
    variant: Variant, templates: Write
) -> None:
    lines = printer.render_header(variant, templates()).splitlines()
    found = linemap.of_header(variant, templates())
    for line, name in (("first", None), ("  stack[32]", "stack"), ("list", "list"), ("shared frame;", None)):
        layer = found.layer(lines.index(line) + 1)
        assert (layer.name if layer else None) == name


def test_a_line_that_the_header_does_not_have_comes_from_nowhere(variant: Variant, templates: Write) -> None:
    found = linemap.of_header(variant, templates())
    assert found.chain(0) == found.chain(10_000) == ()
    assert found.layer(10_000) is None


def test_a_template_that_looks_at_printed_text_gets_no_map_rather_than_a_wrong_one(
    variant: Variant, templates: Write
) -> None:
    looks = "{% macro pop(layer) %}{{ say() | length }}\n{% endmacro %}{% macro say() %}a\nb{% endmacro %}"
    folder = templates(**{"layers/list.h.j2": looks})
    assert "\n3\n" in printer.render_header(variant, folder)
    assert linemap.of_header(variant, folder).chains == ()


@pytest.mark.parametrize("name", sorted(load_project(ROOT).variants))
def test_every_line_of_the_real_headers_has_a_place_and_a_mark_changes_nothing(name: str) -> None:
    variant = load_project(ROOT).variants[name]
    lines = printer.render_header(variant, ROOT / "templates").splitlines()
    found = linemap.of_header(variant, ROOT / "templates")
    assert len(found.chains) == len(lines)
    assert all(found.chains)
    for number, line in enumerate(lines, 1):
        source = ROOT / found.chain(number)[0].path
        written = source.read_text(encoding="utf-8").splitlines()[found.chain(number)[0].line - 1]
        if line.strip() in ("{", "}", "return true;"):
            assert line.strip() in written
