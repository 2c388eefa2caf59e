"""Templates and a variant are printed as text. These templates are small examples; golden files cover the
real templates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from layermatrix.core.errors import SpecErrors
from layermatrix.emit.printer import comment, render_header, render_unity, serves, template_closure, tidy
from layermatrix.model.layers import Layer
from layermatrix.model.variants import Variant
from layermatrix.spec.loader import load_project

Write = Callable[..., Path]
Change = Callable[[str, str], str]

POP = "{{% macro pop(layer) %}}{}{{% endmacro %}}"
TEMPLATES = {
    "toy.h.j2": "{% for layer in layers %}{{ layer.t.pop(layer.model) }}\n{% endfor %}",
    "unity.c.j2": '{% for module in variant.system.modules %}\n#include "{{ module }}"\n{% endfor %}\n',
    "layers/stack.h.j2": "{% import 'storage/array.h.j2' as s %}" + POP.format("{{ s.pop(layer) }}"),
    "layers/list.h.j2": POP.format("list_pop(); // {{ layer.bytes_bound }}"),
    "layers/refill.h.j2": POP.format("refill(); // {{ variant.name }}"),
    "storage/array.h.j2": POP.format("{{ layer.name }}_pop(); // {{ layer.capacity }}"),
    "unused.h.j2": "{{ nothing }}",
}


@pytest.fixture
def variant(project: Write) -> Variant:
    return load_project(
        project(base="doc: The base.\nlayers: [stack, list, refill]\nset: {layout: unity}")
    ).variants["base"]


@pytest.fixture
def templates(tmp_path: Path) -> Callable[..., Path]:
    """Writes the small templates, some of them replaced. None omits a template."""

    def write(changes: dict[str, str | bytes | None] | None = None) -> Path:
        for name, text in {**TEMPLATES, **(changes or {})}.items():
            path = tmp_path / "templates" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is not None:
                path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path / "templates"

    return write


def mistakes(render: Callable[[Variant, Path], object], variant: Variant, folder: Path) -> list[str]:
    with pytest.raises(SpecErrors) as caught:
        render(variant, folder)
    return str(caught.value).splitlines()


# --- printing


def test_the_skeleton_calls_the_macros_of_each_layers_template(variant: Variant, templates: Write) -> None:
    assert (
        render_header(variant, templates()) == "stack_pop(); // 32\nlist_pop(); // 4096\nrefill(); // base\n"
    )


def test_the_unit_includes_the_modules_in_order(variant: Variant, templates: Write) -> None:
    assert render_unity(variant, templates()) == '#include "a.c"\n#include "b.c"\n'


def test_the_same_variant_gives_the_same_text(variant: Variant, templates: Write) -> None:
    assert render_header(variant, templates()) == render_header(variant, templates())


def test_a_changed_template_is_read_anew(variant: Variant, templates: Write) -> None:
    render_unity(variant, templates())
    assert render_unity(variant, templates({"unity.c.j2": "other\n"})) == "other\n"


def test_a_template_sees_nothing_that_the_variants_value_leaves_out(
    variant: Variant, templates: Write
) -> None:
    folder = templates({"unity.c.j2": "{{ variant.reported.mops }}"})
    assert mistakes(render_unity, variant, folder) == [
        "templates/unity.c.j2:1:1: error: 'dict object' has no attribute 'mops'"
    ]


@pytest.mark.parametrize(
    ("text", "tidied"),
    [
        ("a", "a\n"),
        ("a  \nb\t\n", "a\nb\n"),
        ("\n\na\n\n\n\nb\n  \n\nc\n\n\n", "a\n\nb\n\nc\n"),
        ("    a\n", "    a\n"),
        ("", "\n"),
    ],
)
def test_text_is_tidied(text: str, tidied: str) -> None:
    assert tidy(text) == tidied


# --- what templates may call


@pytest.mark.parametrize(
    ("classes", "condition"),
    [
        ("all", ""),
        ("C0-C3", ""),
        ("C0-C2", "class <= 2u"),
        ("C1-C2", "class >= 1u && class <= 2u"),
        ("C1-C3", "class >= 1u && class <= 3u"),
        ("C2", "class == 2u"),
        ("C0", "class == 0u"),
        ("[C0, C2, C3]", "((0xdu >> class) & 1u)"),
    ],
)
def test_the_condition_for_a_layers_classes_is_as_short_as_it_can_be(
    classes: str, condition: str, project: Write, layers: Change
) -> None:
    root = project(layers=layers("classes: C1-C2", f"classes: {classes}"))
    assert serves(stack_of(root), "class") == condition


def test_a_mask_of_more_than_32_classes_is_a_wide_number(project: Write, layers: Change) -> None:
    table = ", ".join(f"C{i}: {16 * (i + 1)}" for i in range(40))
    text = layers("C0: 8, C1: 16, C2: 32, C3: 64", table).replace("classes: C1-C2", "classes: [C0, C39]")
    assert serves(stack_of(project(layers=text)), "class") == "((0x8000000001ull >> class) & 1u)"


def stack_of(root: Path) -> Layer:
    return load_project(root).variants["base"].layers[0]


def test_serves_can_be_called_and_piped(variant: Variant, templates: Write) -> None:
    both = "{{ serves(variant.layers[0], 'c') }}\n{{ variant.layers[0] | serves('c') }}\n"
    assert render_unity(variant, templates({"unity.c.j2": both})) == "c >= 1u && c <= 2u\n" * 2


def test_a_comment_is_wrapped_at_100_columns(variant: Variant, templates: Write) -> None:
    lines = comment("word " * 50).splitlines()
    assert all(line.startswith("// word") and len(line) <= 100 for line in lines)
    assert len(lines) == 3
    indented = comment("word " * 50, 8).splitlines()
    assert indented[0].startswith("// ")
    assert all(line.startswith("        // ") and len(line) <= 100 for line in indented[1:])
    assert render_unity(variant, templates({"unity.c.j2": "{{ 'one' | comment }}"})) == "// one\n"


def test_a_word_that_is_longer_than_a_line_is_not_split() -> None:
    assert comment("x" * 150) == "// " + "x" * 150


# --- the templates that a variant is printed from


def test_the_closure_holds_what_is_imported_and_nothing_else(variant: Variant, templates: Write) -> None:
    assert template_closure(variant, templates()) == [
        "layers/list.h.j2",
        "layers/refill.h.j2",
        "layers/stack.h.j2",
        "storage/array.h.j2",
        "toy.h.j2",
        "unity.c.j2",
    ]


def test_the_units_template_counts_only_where_there_is_a_unit(project: Write, templates: Write) -> None:
    modules = load_project(project()).variants["base"]
    assert "unity.c.j2" not in template_closure(modules, templates())


@pytest.mark.parametrize(
    "reference",
    [
        "{% include 'unused.h.j2' %}",
        "{% import 'unused.h.j2' as u %}",
        "{% from 'unused.h.j2' import u %}",
        "{% extends 'unused.h.j2' %}",
    ],
)
def test_every_kind_of_reference_is_followed(reference: str, variant: Variant, templates: Write) -> None:
    assert "unused.h.j2" in template_closure(variant, templates({"toy.h.j2": reference}))


def test_templates_may_refer_to_each_other_in_a_circle(variant: Variant, templates: Write) -> None:
    folder = templates(
        {"toy.h.j2": "{% import 'unused.h.j2' as u %}", "unused.h.j2": "{% import 'toy.h.j2' as t %}"}
    )
    assert "unused.h.j2" in template_closure(variant, folder)


# --- mistakes in templates


def test_a_layer_without_a_template_is_named(variant: Variant, templates: Write) -> None:
    folder = templates({"layers/list.h.j2": None, "layers/refill.h.j2": None})
    for render in (render_header, template_closure):
        assert mistakes(render, variant, folder) == [
            (
                "templates/layers/refill.h.j2:1:1: error: template not found; "
                "layer 'refill' of base is printed from it"
            ),
            (
                "templates/storage/linked_list.h.j2:1:1: error: template not found; layer 'list' of base "
                "(storage linked_list) is printed from it; "
                "or give the layer its own, templates/layers/list.h.j2"
            ),
        ]


def test_a_layer_without_a_template_of_its_own_is_printed_from_that_of_its_storage(
    variant: Variant, templates: Write
) -> None:
    storage = POP.format("stored_pop(); // {{ layer.name }}")
    folder = templates({"layers/list.h.j2": None, "storage/linked_list.h.j2": storage})
    assert "stored_pop(); // list\n" in render_header(variant, folder)
    assert "storage/linked_list.h.j2" in template_closure(variant, folder)
    templates({"storage/linked_list.h.j2": storage})  # a layer's own comes first
    assert "list_pop(); // 4096\n" in render_header(variant, folder)
    assert "storage/linked_list.h.j2" not in template_closure(variant, folder)


def test_a_missing_skeleton_is_named(variant: Variant, templates: Write) -> None:
    assert mistakes(render_unity, variant, templates({"unity.c.j2": None})) == [
        "templates/unity.c.j2:1:1: error: template not found; base is printed from it"
    ]


def test_a_missing_import_is_reported_where_it_is_imported(variant: Variant, templates: Write) -> None:
    folder = templates({"layers/stack.h.j2": "{# a stack #}\n\n{% import 'storage/aray.h.j2' as s %}"})
    what = "no template 'storage/aray.h.j2'; did you mean 'storage/array.h.j2'?"
    assert mistakes(render_header, variant, folder) == [f"templates/layers/stack.h.j2:3:1: error: {what}"]


def test_a_name_that_is_computed_is_refused(variant: Variant, templates: Write) -> None:
    folder = templates({"layers/stack.h.j2": "\n{% import 'storage/' ~ variant.name as s %}"})
    what = "the name of a template must be a literal string: the build needs to know it"
    assert mistakes(template_closure, variant, folder) == [f"templates/layers/stack.h.j2:2:1: error: {what}"]


def test_no_template_is_read_from_outside_the_folder(variant: Variant, templates: Write) -> None:
    folder = templates({"toy.h.j2": "{% include '../variants/base.yaml' %}"})
    assert "no template '../variants/base.yaml'" in mistakes(render_header, variant, folder)[0]


def test_mistakes_of_syntax_are_reported_all_at_once(variant: Variant, templates: Write) -> None:
    folder = templates({"toy.h.j2": "a\n{% fro %}", "layers/list.h.j2": "a\nb\n{{ x"})
    messages = mistakes(render_header, variant, folder)
    assert [line.split(" error: ")[0] for line in messages] == [
        "templates/layers/list.h.j2:3:1:",
        "templates/toy.h.j2:2:1:",
    ]
    assert messages[1].endswith("Encountered unknown tag 'fro'.")


def test_a_template_that_is_not_utf_8_is_refused(variant: Variant, templates: Write) -> None:
    assert mistakes(render_unity, variant, templates({"unity.c.j2": b"a\xff"})) == [
        "templates/unity.c.j2:1:1: error: is not UTF-8 text"
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{{ varaint.name }}", "'varaint' is undefined"),
        ("{{ variant.nmae }}", "'layermatrix.model.variants.Variant object' has no attribute 'nmae'"),
        (
            "{{ variant.settings.min_align + 'a' }}",
            "TypeError: unsupported operand type(s) for +: 'int' and 'str'",
        ),
        ("{{ 1 // 0 }}", "ZeroDivisionError: integer division or modulo by zero"),
    ],
)
def test_a_mistake_while_printing_is_reported_with_its_line(
    text: str, what: str, variant: Variant, templates: Write
) -> None:
    folder = templates({"unity.c.j2": f"{{# line 1 #}}\n// line 2\n{text}\n"})
    assert mistakes(render_unity, variant, folder) == [f"templates/unity.c.j2:3:1: error: {what}"]


def test_a_mistake_inside_a_macro_is_reported_in_the_macros_template(
    variant: Variant, templates: Write
) -> None:
    macro = "{% macro pop(layer) %}\n\n{{ layer.nothing }}{% endmacro %}"
    assert mistakes(render_header, variant, templates({"storage/array.h.j2": macro})) == [
        (
            "templates/storage/array.h.j2:3:1: error: "
            "'layermatrix.model.layers.Layer object' has no attribute 'nothing'"
        )
    ]


def test_a_macro_that_a_layer_does_not_have_is_reported_where_it_is_called(
    variant: Variant, templates: Write
) -> None:
    folder = templates({"layers/list.h.j2": "{% macro push(layer) %}{% endmacro %}"})
    messages = mistakes(render_header, variant, folder)
    assert messages[0].startswith("templates/toy.h.j2:1:1: error: ")
    assert "has no attribute 'pop'" in messages[0]
