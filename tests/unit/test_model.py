"""From the spec files to resolved variants, and the conflicts in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_specs import marked

from layermatrix.core.errors import SpecErrors
from layermatrix.model.cells import Cell
from layermatrix.model.measuring import Fuzz, Limit
from layermatrix.model.system import Allowed, Stats
from layermatrix.model.variants import Variant
from layermatrix.spec.loader import load_project

Write = Callable[..., Path]
Mistakes = Callable[..., list[str]]
Change = Callable[[str, str], str]

ROOT = Path(__file__).resolve().parents[2]


def names(variant: Variant) -> list[str]:
    return [layer.name for layer in variant.layers]


def loaded(root: Path, name: str = "mine") -> Variant:
    return load_project(root).variants[name]


# --- the layers and settings of a variant


def test_a_layer_has_its_implied_values_filled_in(project: Write) -> None:
    stack, full_list, refill = loaded(project(), "base").layers
    assert [size_class.name for size_class in stack.keys] == ["C1", "C2"]
    assert (stack.mask, stack.first, stack.last) == (0b0110, 1, 2)
    assert stack.contiguous
    assert not stack.serves_all
    assert full_list.serves_all
    assert (full_list.capacity, full_list.bytes_bound) == (0, 4096)
    assert (stack.own_template, stack.storage_template) == ("layers/stack.h.j2", "storage/array_stack.h.j2")
    assert refill.storage_template is None
    assert [layer.position for layer in (stack, full_list, refill)] == [1, 2, 3]


FORBIDDEN = """'toy:'
  debug: {macro: TALK, prints: [say, tell]}
  forbidden:
    - {symbols: [puts, "*printf"], reason: No output., allowed: [{source: b.c, reason: It has to.}]}
    - {symbols: [getenv], reason: All is fixed., when: {toggles: fixed, options: fixed}}
"""


def test_rules_of_what_is_forbidden_hold_for_the_variants_that_they_name(
    project: Write, layers: Change
) -> None:
    text = layers("'toy:'", FORBIDDEN)
    variants = {
        "base": "doc: Toggles.\nlayers: [stack, list, refill]\nset: {toggles: env}",
        "mine": "doc: An option.\nlayers: [stack, list, refill]\nset: {options: {eager: env}}",
        "other": "doc: All is fixed.\nlayers: [list, refill]\nset: {toggles: env}",
    }
    root = project(layers=text, **variants)
    held = {name: [rule.symbols for rule in loaded(root, name).forbidden] for name in variants}
    always = ("puts", "*printf")
    assert held == {"base": [always], "mine": [always], "other": [always, ("getenv",)]}
    system = loaded(root).system
    assert system.debug is not None
    assert (system.debug.macro, system.debug.prints) == ("TALK", ("say", "tell"))
    assert system.forbidden[0].allowed == (Allowed("b.c", "It has to."),)


def test_a_variant_without_debug_code_is_another_value(project: Write) -> None:
    base = loaded(project(), "base")
    assert base.without_debug().debug_output == "absent"
    assert base.without_debug().as_value != base.as_value
    assert base.without_debug().layers == base.layers


def test_the_builds_that_count_have_sources_of_their_own(project: Write, layers: Change) -> None:
    assert loaded(project(), "base").system.stats is None
    stats = "sentinel: 'toy:'\n  stats: {mode: stats, of: release, env: TOY_COUNTS, sources: [count.c]}"
    system = loaded(project(layers=layers("sentinel: 'toy:'", stats)), "base").system
    assert system.stats == Stats("stats", "release", "TOY_COUNTS", ("count.c",))


def test_the_variable_for_the_counts_is_no_toggles(mistakes: Mistakes, layers: Change) -> None:
    stats = "sentinel: 'toy:'\n  stats: {mode: stats, of: release, env: TOY_STACK}"
    (line,) = mistakes(layers=layers("sentinel: 'toy:'", stats))
    assert line.endswith("error: TOY_STACK is taken by 'stats' already")


def test_classes_are_in_the_order_of_the_table(project: Write, layers: Change) -> None:
    root = project(layers=layers("classes: C1-C2", "classes: [C3, C0-C1]"))
    stack = loaded(root, "base").layers[0]
    assert [size_class.name for size_class in stack.keys] == ["C0", "C1", "C3"]
    assert not stack.contiguous


def test_settings_that_are_not_made_have_defaults(project: Write) -> None:
    base = loaded(project(), "base")
    assert (base.toggles, base.debug_output, base.layout, base.fast_path) == (
        "fixed",
        "guarded",
        "modules",
        "inline",
    )
    assert (base.settings["min_align"], base.settings["tls"]) == (16, "initial_exec")
    assert (base.numbers["min_align"], base.numbers["checks"], base.numbers["tls"]) == (16, 1, 0)


def test_a_child_has_its_parents_settings_but_not_its_figures(project: Write) -> None:
    parent = "doc: P.\nextends: base\nset: {layout: unity, toggles: env}\nreported: {mops: '1-2'}\n"
    root = project(parent=parent, mine="doc: M.\nextends: parent\nset: {toggles: fixed}\n")
    mine = loaded(root)
    assert (mine.layout, mine.toggles) == ("unity", "fixed")
    assert mine.lineage == ("base", "parent", "mine")
    assert loaded(root, "parent").reported == {"mops": "1-2"}
    assert mine.reported == {}
    assert mine.source == "variants/mine.yaml"


def test_removed_layers_are_gone_and_the_others_keep_their_order(project: Write) -> None:
    mine = loaded(project(mine="doc: M.\nextends: base\nremove: [stack]\n"))
    assert names(mine) == ["list", "refill"]
    assert [layer.position for layer in mine.layers] == [1, 2]


@pytest.mark.parametrize(
    ("add", "order"),
    [
        ("[ring]", ["stack", "ring", "list", "refill"]),
        ("[{layer: ring}]", ["stack", "ring", "list", "refill"]),
        ("[{layer: ring, before: stack}]", ["ring", "stack", "list", "refill"]),
        ("[{layer: ring, after: stack}]", ["stack", "ring", "list", "refill"]),
    ],
)
def test_an_added_layer_goes_to_its_given_place_or_after_its_role(
    add: str, order: list[str], project: Write
) -> None:
    assert names(loaded(project(mine=f"doc: M.\nextends: base\nadd: {add}\n"))) == order


def test_a_layer_is_moved_by_removing_and_adding_it(project: Write) -> None:
    root = project(
        parent="doc: P.\nlayers: [stack, ring, list, refill]\n",
        mine="doc: M.\nextends: parent\nremove: [ring]\nadd: [{layer: ring, before: stack}]\n",
    )
    assert names(loaded(root)) == ["ring", "stack", "list", "refill"]


def test_a_child_may_give_its_layers_anew(project: Write) -> None:
    mine = loaded(project(mine="doc: M.\nextends: base\nlayers: [ring, list, refill]\n"))
    assert names(mine) == ["ring", "list", "refill"]


def test_roles_are_distinguished(project: Write) -> None:
    base = loaded(project(), "base")
    roles = ("cache", "overflow", "refill")
    by_role = [[layer.name for layer in base.with_role(role)] for role in roles]
    assert by_role == [["stack"], ["list"], ["refill"]]


def test_with_an_ultra_fast_path_only_the_first_layer_is_hot(project: Write) -> None:
    root = project(mine="doc: M.\nextends: base\nset: {fast_path: ultra}\n")
    assert [layer.name for layer in loaded(root).hot_layers] == ["stack"]


def test_only_a_variant_with_environment_toggles_has_toggled_layers(project: Write) -> None:
    root = project(mine="doc: M.\nextends: base\nset: {toggles: env}\n")
    assert [layer.name for layer in loaded(root).toggled_layers] == ["stack"]
    assert loaded(root, "base").toggled_layers == ()


def test_an_option_has_its_default_a_value_or_the_environment(project: Write) -> None:
    root = project(mine="doc: M.\nextends: base\nset: {options: {eager: env, batch: 16}}\n")
    mine, base = loaded(root), loaded(root, "base")
    assert (mine.options["eager"].env, mine.options["eager"].value) == ("TOY_EAGER", False)
    assert (mine.options["batch"].env, mine.options["batch"].value) == (None, 16)
    assert (mine.options["batch"].low, mine.options["batch"].high) == (1, 64)
    assert [option.name for option in mine.env_options] == ["eager"]
    assert (base.options["eager"].env, base.options["eager"].value) == (None, False)
    assert base.options["batch"].value == 8


def test_a_variant_changes_the_capacity_of_a_layer_for_itself_and_its_children(project: Write) -> None:
    root = project(
        mine="doc: M.\nextends: base\nset: {capacity: {stack: 5}}\n", child="doc: C.\nextends: mine\n"
    )
    assert [loaded(root, name).layers[0].capacity for name in ("base", "mine", "child")] == [32, 5, 5]
    assert loaded(root, "base").as_value != loaded(root, "mine").as_value


@pytest.mark.parametrize(
    ("capacity", "mistake"),
    [
        ("{stak: 5}", "14: error: unknown layer 'stak'; did you mean 'stack'?"),
        ("{list: 5}", "14: error: layer 'list' has no capacity of its own to change"),
        ("{ring: 48}", "14: error: layer 'ring' is not in this variant; known: stack, list, refill"),
        ("{stack: 0}", "21: error: layer 'stack' must be a whole number from 1 to 65535, not 0"),
    ],
)
def test_a_capacity_that_a_layer_cannot_have_is_an_error(
    mistakes: Mistakes, capacity: str, mistake: str
) -> None:
    mine = f"doc: M.\nextends: base\nset:\n  capacity: {capacity}\n"
    assert mistakes(mine=mine) == [f"variants/mine.yaml:4:{mistake}"]


def test_the_capacity_of_a_layer_whose_storage_is_invalid_is_no_second_mistake(
    mistakes: Mistakes, layers: Change
) -> None:
    text = layers("storage: array_stack", "storage: mine").replace(
        "layers:\n", "storages: {mine: {bounds: [weight]}}\nlayers:\n", 1
    )
    (mistake,) = mistakes(layers=text, mine="doc: M.\nextends: base\nset: {capacity: {stack: 7}}\n")
    assert "must be one of capacity, bytes, not 'weight'" in mistake


def test_a_request_gets_the_smallest_class_that_holds_it_and_is_aligned(project: Write) -> None:
    root = project(mine="doc: M.\nextends: base\nset: {min_align: 8, checks: none}\n")
    assert loaded(root).extra["hot_index"] == [0, 0, 1, 2, 2, 3, 3, 3, 3]
    assert loaded(root, "base").extra["hot_index"] == [1, 1, 2, 3, 3]


def test_requests_end_at_the_largest_aligned_class(project: Write, layers: Change) -> None:
    base = loaded(project(layers=layers("C3: 64", "C3: 72")), "base")
    assert base.extra["max_size"] == 32
    assert len(base.extra["hot_index"]) == 32 // base.extra["lookup_step"] + 1


# --- tables for sizes above the hot path's lookup, and lists with a small initial size

LARGE_CLASSES = "{A: 64, B: 4096, C: 4608, D: 5248, E: 8192}"


def test_requests_beyond_4_kib_are_looked_up_by_wide_steps(project: Write) -> None:
    base = loaded(project(base=f"doc: B.\nlayers: [list, refill]\nclasses: {LARGE_CLASSES}"), "base")
    assert base.extra["hot_size"] == 4096
    assert len(base.extra["hot_index"]) == 4096 // base.extra["lookup_step"] + 1
    assert base.extra["wide_step"] == 128, "4096, 4608, 5248 and 8192 are multiples of it"
    assert base.extra["wide_index"] == [2] * 4 + [3] * 5 + [4] * 23


def test_without_larger_classes_there_is_one_wide_entry_that_is_never_read(project: Write) -> None:
    base = loaded(project(), "base")
    assert base.extra["hot_size"] == base.extra["max_size"]
    assert base.extra["wide_index"] == [0]


def test_a_list_that_may_widen_begins_with_8_kib_a_class() -> None:
    hakmem = load_project(ROOT).variants["hakmem"]
    begin = dict(zip((one["size"] for one in hakmem.keys), hakmem.extra["begin"], strict=True))
    assert (begin[64], begin[1024], begin[4096], begin[32768]) == (128, 8, 2, 2)


# --- a class table of its own


def test_a_variant_may_have_its_own_classes_and_hands_them_on(project: Write) -> None:
    root = project(
        base="doc: B.\nlayers: [list, refill]\nclasses: {A: 16, B: 48, C: 64}",
        mine="doc: M.\nextends: base",
    )
    for name in ("base", "mine"):
        variant = loaded(root, name)
        assert [(one.name, one.index, one["size"]) for one in variant.keys] == [
            ("A", 0, 16),
            ("B", 1, 48),
            ("C", 2, 64),
        ]
        assert all(layer.keys == variant.keys and layer.serves_all for layer in variant.layers)
        assert variant.extra["hot_index"] == [0, 0, 1, 1, 2]


def test_a_layer_for_some_classes_serves_those_of_the_same_names(project: Write) -> None:
    root = project(base="doc: B.\nlayers: [stack, list, refill]\nclasses: {C1: 32, X: 48, C2: 64}")
    stack = loaded(root, "base").layers[0]
    assert [(one.name, one["size"]) for one in stack.keys] == [("C1", 32), ("C2", 64)]


def test_a_layer_for_classes_that_the_variant_does_not_have_is_an_error(mistakes: Mistakes) -> None:
    errors = mistakes(base="doc: B.\nlayers: [stack, list, refill]\nclasses: {A: 16}")
    what = "layer 'stack' serves class 'C1', which is not in this variant's 'classes'"
    assert errors == [f"variants/base.yaml:2:10: error: {what}"]


def test_the_room_of_a_layer_is_the_tighter_one_of_its_bounds(project: Write, layers: Change) -> None:
    text = layers("bytes: 4096", "bytes: 64\n    capacity: 3")
    listed = loaded(project(layers=text), "base").layers[1]
    assert listed.limits == (3, 3, 2, 1)


def test_checks_need_blocks_with_room_for_a_mark(mistakes: Mistakes) -> None:
    errors = mistakes(mine="doc: M.\nextends: base\nset: {min_align: 8}")
    what = "checks mark free blocks in their second word, so they need 'min_align: 16'; or set 'checks: none'"
    assert errors == [f"variants/mine.yaml:3:18: error: {what}"]


# --- the value of a variant


def test_a_comment_or_the_layout_of_the_yaml_does_not_change_the_value(project: Write) -> None:
    before = loaded(project(mine="doc: Two  words.\nextends: base\n")).as_value
    after = loaded(project(mine="# why\n\n{extends: base,\n doc: Two words.}\n")).as_value
    assert before == after


@pytest.mark.parametrize(
    "change", ["doc: Other.\nextends: base", "doc: M.\nextends: base\nset: {layout: unity}"]
)
def test_what_a_template_sees_changes_the_value(change: str, project: Write) -> None:
    before = loaded(project(mine="doc: M.\nextends: base")).as_value
    assert loaded(project(mine=change)).as_value != before


def most(variant: Variant, mode: str, compiler: str) -> dict[str, dict[str, int]]:
    """The limits of a cell as plain numbers."""
    limits = variant.limits(mode, compiler)
    return {entry: {name: limit.most for name, limit in own.items()} for entry, own in limits.items()}


def test_a_limit_without_a_configuration_is_for_release(project: Write) -> None:
    mine = loaded(project(mine="doc: M.\nextends: base\nbudget: {alloc: {calls: 0}, library: {tls: 64}}\n"))
    expected = {"alloc": {"calls": 0}, "library": {"tls": 64}}
    assert most(mine, "release", "gcc") == most(mine, "release", "clang") == expected
    assert most(mine, "debug", "gcc") == most(mine, "stats", "gcc") == {}


def test_the_most_particular_limit_counts(project: Write) -> None:
    limits = "{release: 5, gcc: 4, release-clang: 3, debug: 9, debug-gcc: 8}"
    mine = loaded(project(mine=f"doc: M.\nextends: base\nbudget: {{alloc: {{calls: {limits}}}}}\n"))
    cells = [("release", "gcc"), ("release", "clang"), ("release", "zig"), ("debug", "gcc"), ("debug", "zig")]
    assert [most(mine, *cell)["alloc"]["calls"] for cell in cells] == [4, 3, 5, 8, 9]


def test_a_child_takes_its_parents_limits_and_replaces_or_lifts_single_ones(project: Write) -> None:
    root = project(
        parent="doc: P.\nextends: base\nbudget:\n  alloc: {calls: 0, bytes: 90, stack: {gcc: 8}}\n",
        mine="doc: M.\nextends: parent\nbudget: {alloc: {bytes: 80, stack: none}, library: {text: 7}}\n",
    )
    mine = loaded(root)
    assert most(mine, "release", "gcc") == {"alloc": {"calls": 0, "bytes": 80}, "library": {"text": 7}}
    places = {name: limit.place for name, limit in mine.limits("release", "gcc")["alloc"].items()}
    assert places == {"calls": "variants/parent.yaml:4", "bytes": "variants/mine.yaml:3"}


def test_a_child_may_lift_all_of_its_parents_limits(project: Write) -> None:
    root = project(
        parent="doc: P.\nextends: base\nbudget: {alloc: {calls: 0}}\n",
        mine="doc: M.\nextends: parent\nbudget: none\n",
        other="doc: O.\nextends: mine\nbudget: {library: {tls: 8}}\n",
    )
    assert most(loaded(root), "release", "gcc") == {}
    assert most(loaded(root, "other"), "release", "gcc") == {"library": {"tls": 8}}


def test_a_sanitizers_cell_has_no_budget(project: Write) -> None:
    mine = loaded(project(mine="doc: M.\nextends: base\nbudget: {alloc: {calls: {debug: 0}}}\n"))
    assert Cell(mine, "debug", "gcc").limits
    assert Cell(mine, "debug", "gcc", "asan").limits == {}


def test_a_budget_is_no_part_of_what_templates_see(project: Write) -> None:
    root = project(mine="doc: M.\nextends: base\n")
    before = loaded(root).as_value
    project(mine="doc: M.\nextends: base\nbudget: {alloc: {calls: 0}}\n")
    assert loaded(root).as_value == before


def test_each_layer_knows_where_its_entry_stands(project: Write) -> None:
    root = project()
    lines = (root / "variants/layers.yaml").read_text(encoding="utf-8").splitlines()
    for name, place in load_project(root).catalogue.places.items():
        path, _, line = place.partition(":")
        assert path == "variants/layers.yaml"
        assert lines[int(line) - 1] == f"  {name}:"


def test_reported_figures_and_unused_layers_do_not_change_the_value(project: Write, layers: Change) -> None:
    before = loaded(project(mine="doc: M.\nextends: base")).as_value
    root = project(
        layers=layers("doc: A ring.", "doc: A better ring."),
        mine="doc: M.\nextends: base\nreported: {mops: '12'}",
    )
    assert loaded(root).as_value == before


def test_switches_are_the_systems_and_reported_lines_rebuild_nothing(project: Write, layers: Change) -> None:
    text = layers("  sentinel", "  switches: [toy_on]\n  sentinel")
    plain = load_project(project(layers=text))
    assert plain.catalogue.system.switches == ("toy_on",)
    message = load_project(project(layers=text + "lines: {a.c: 10-20}\n"))
    assert message.catalogue.lines == {"a.c": "10-20"}
    assert message.variants["base"].as_value == plain.variants["base"].as_value


def test_the_value_is_one_line_of_json(project: Write) -> None:
    value = loaded(project(), "base").as_value
    assert "\n" not in value
    assert json.loads(value)["layers"][0]["keys"][0] == {"name": "C1", "index": 1, "values": {"size": 16}}


# --- conflicts

TOGETHER = [
    ("doc: M.\nextends: «bsae", "unknown variant 'bsae'; did you mean 'base'?"),
    ("doc: M.\nextends: «mine", "circular extends: mine -> mine"),
    ("doc: M.\nextends: base\nremove: [«stakc]", "unknown layer 'stakc'; did you mean 'stack'?"),
    (
        "doc: M.\nextends: base\nremove: [«ring]",
        "layer 'ring' is not in 'base'; known: stack, list, refill",
    ),
    (
        "doc: M.\nextends: base\nadd: [«stack]",
        "layer 'stack' is in this variant already; remove it as well if you want to move it",
    ),
    (
        "doc: M.\nextends: base\nremove: [stack]\nadd: [{layer: ring, after: «stack}]",
        "layer 'stack' is not in this variant; known: list, refill",
    ),
    (
        "doc: M.\nextends: base\nadd: [{layer: ring, after: «lits}]",
        "unknown layer 'lits'; did you mean 'list'?",
    ),
    (
        "doc: M.\nlayers: [list, «stack, refill]",
        "layer 'stack' (cache) stands after 'list' (overflow); the order is cache, overflow, refill",
    ),
    ("doc: M.\nlayers: [list, «list, refill]", "'list' is in 'layers' twice"),
    ("doc: M.\nlayers: [«stack, list]", "no layer has the role refill; the last one must have it"),
    (
        "doc: M.\nextends: base\nremove: [«refill]",
        "no layer has the role refill; the last one must have it",
    ),
    (
        "doc: M.\nextends: base\nremove: [«list]",
        "layer 'refill' needs 'list', which is not in this variant",
    ),
    (
        "doc: M.\nlayers: [stack, «refill]",
        "layer 'refill' needs 'list', which is not in this variant",
    ),
    (
        "doc: M.\nextends: base\nset: {options: {«egaer: on}}",
        "unknown option 'egaer'; did you mean 'eager'?",
    ),
    (
        "doc: M.\nextends: base\nset: {options: {eager: «2}}",
        "option 'eager' must be on or off, not 2",
    ),
    (
        "doc: M.\nextends: base\nset: {options: {batch: «65}}",
        "option 'batch' must be a whole number from 1 to 64, not 65",
    ),
    (
        "doc: M.\nextends: base\nset: {options: {batch: «env}}",
        "option 'batch' has no environment variable",
    ),
]


@pytest.mark.parametrize(("text", "what"), TOGETHER)
def test_what_does_not_go_together_gives_one_error(text: str, what: str, mistakes: Mistakes) -> None:
    text, line, column = marked(text)
    assert mistakes(mine=text) == [f"variants/mine.yaml:{line}:{column}: error: {what}"]


def test_a_conflict_is_reported_once_where_the_variant_brought_it_in(
    mistakes: Mistakes, layers: Change
) -> None:
    text = layers("capacity: 64", "capacity: 64\n    conflicts: [stack]").replace(
        "capacity: 32", "capacity: 32\n    conflicts: [ring]"
    )
    errors = mistakes(layers=text, mine="doc: M.\nextends: base\nadd: [ring]")
    assert errors == ["variants/mine.yaml:3:7: error: layer 'stack' conflicts with 'ring'"]


def test_classes_that_no_layer_keeps_are_named(mistakes: Mistakes, layers: Change) -> None:
    text = layers("    classes: all\n    storage: linked_list", "    classes: C3\n    storage: linked_list")
    assert mistakes(layers=text) == [
        "variants/base.yaml:2:10: error: class C0 is stored by no cache and no overflow layer"
    ]
    assert mistakes(
        layers=text,
        mine="doc: M.\nlayers: [list, refill]",
        base="doc: B.\nlayers: [ring, stack, list, refill]",
    ) == ["variants/mine.yaml:2:10: error: classes C0, C1, C2 are stored by no cache and no overflow layer"]


def test_classes_that_no_layer_refills_are_named(mistakes: Mistakes, layers: Change) -> None:
    text = layers("    classes: all\n    storage: none", "    classes: C0-C2\n    storage: none")
    assert mistakes(layers=text) == ["variants/base.yaml:2:10: error: class C3 is served by no refill layer"]


def test_a_refill_that_can_be_switched_off_is_not_the_only_one(mistakes: Mistakes, layers: Change) -> None:
    text = layers("storage: none", "storage: none\n    toggle: {env: TOY_REFILL, default: on}")
    mine = "doc: M.\nlayers: [list, refill]\nset: {{toggles: {}}}"
    assert mistakes(layers=text, mine=mine.format("fixed")) == []
    what = "classes C0, C1, C2, C3 are served only by refill layers that can be switched off"
    assert mistakes(layers=text, mine=mine.format("env")) == [f"variants/mine.yaml:2:10: error: {what}"]


def test_a_table_without_an_aligned_class_is_refused(mistakes: Mistakes, layers: Change) -> None:
    text = layers("{C0: 8, C1: 16, C2: 32, C3: 64}", "{C0: 8, C1: 24, C2: 40, C3: 56}")
    errors = mistakes(layers=text, base="doc: B.\nlayers: [list, refill]\nset: {min_align: 16}")
    assert errors == ["variants/base.yaml:3:18: error: no class size is a multiple of 'min_align' (16 bytes)"]


def test_a_cycle_is_reported_once_and_its_dependents_are_not(mistakes: Mistakes) -> None:
    errors = mistakes(
        one="doc: One.\nextends: two",
        two="doc: Two.\nextends: three",
        three="doc: Three.\nextends: one",
        guest="doc: G.\nextends: two\nremove: [stack]",
    )
    assert errors == ["variants/one.yaml:2:10: error: circular extends: one -> two -> three -> one"]


def test_a_variant_with_an_invalid_parent_adds_no_errors(mistakes: Mistakes) -> None:
    errors = mistakes(
        parent="doc: P.\nextends: base\nremove: [list]",
        child="doc: C.\nextends: parent",
        grandchild="doc: G.\nextends: child\nadd: [ring]",
    )
    assert errors == [
        "variants/parent.yaml:3:10: error: layer 'refill' needs 'list', which is not in this variant"
    ]


def test_a_variant_with_an_invalid_parent_still_reports_its_own_mistakes(mistakes: Mistakes) -> None:
    errors = mistakes(
        parent="doc: P.\nlayers: [stakc, list, refill]",
        child="doc: C.\nextends: parent\nremove: [stack]\nadd: [rign]\nset: {options: {batch: 0}}",
    )
    assert [line.split(" error: ")[0] for line in errors] == [
        "variants/child.yaml:4:7:",
        "variants/child.yaml:5:24:",
        "variants/parent.yaml:2:10:",
    ]


def test_an_invalid_layer_is_not_an_unknown_layer(mistakes: Mistakes, layers: Change) -> None:
    errors = mistakes(layers=layers("    role: overflow", "    role: overfull"))
    assert [line.split(" error: ")[0] for line in errors] == ["variants/layers.yaml:39:11:"]


def test_a_catalogue_that_cannot_be_read_makes_no_layer_unknown(mistakes: Mistakes) -> None:
    errors = mistakes(layers=None, mine="doc: M.\nextends: base\nadd: [anything]\nset: [1]")
    assert errors == [
        "variants/layers.yaml:1:1: error: cannot be read: no such file or directory",
        "variants/mine.yaml:4:6: error: 'set' must be a mapping, not a list",
    ]


def test_variants_that_no_axis_names_are_checked_too(mistakes: Mistakes) -> None:
    assert mistakes(unused="doc: U.\nlayers: []") == [
        "variants/unused.yaml:2:9: error: 'layers' must be a list of 1 or more, not 0"
    ]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("my-variant", "the file's name without .yaml must be a C identifier, not 'my-variant'"),
        ("double", "the file's name without .yaml must be a C identifier, not the keyword 'double'"),
        ("all", "the file's name without .yaml cannot be 'all': that is the word for all of them"),
    ],
)
def test_a_file_whose_name_cannot_be_a_variants_is_refused(name: str, what: str, mistakes: Mistakes) -> None:
    assert mistakes(**{name: "doc: X.\nextends: base"}) == [f"variants/{name}.yaml:1:1: error: {what}"]


# --- matrix.yaml and the rest

IN_MATRIX = [
    ("variant: [base]", "variant: [«bsae]", "unknown variant 'bsae'; did you mean 'base'?"),
    ("variant: [base]", "variant: [«'x*']", "unknown variant 'x*'; known: base"),
    ("sanitizer: asan}", "sanitizer: «tsan}", "unknown sanitizer 'tsan'; did you mean 'asan'?"),
    ("headline: mixed", "headline: «mxied", "unknown load 'mxied'; did you mean 'mixed'?"),
    ("loads: [mixed]", "loads: [«other]", "unknown load 'other'; known: mixed"),
    ("loads: [mixed]", "loads: [mixed, «mixde]", "unknown load 'mixde'; did you mean 'mixed'?"),
    (
        "tests: {",
        "default: {mode: «relese}\ntests: {",
        "unknown mode 'relese'; did you mean 'release'?",
    ),
]


@pytest.mark.parametrize(("old", "new", "what"), IN_MATRIX)
def test_a_name_in_the_matrix_that_nothing_has_gives_one_error(
    old: str, new: str, what: str, matrix: Change, mistakes: Mistakes
) -> None:
    text, line, column = marked(matrix(old, new))
    assert mistakes(matrix=text) == [f"variants/matrix.yaml:{line}:{column}: error: {what}"]


def test_the_axis_of_variants_takes_patterns_and_all(project: Write, matrix: Change) -> None:
    others = {"b2": "doc: Two.\nextends: base", "c": "doc: C.\nextends: base"}
    axes = load_project(project(matrix=matrix("[base]", "['b*']"), **others)).matrix.axes
    assert axes["variant"] == ("b2", "base")
    axes = load_project(project(matrix=matrix("[base]", "[c, all]"), **others)).matrix.axes
    assert axes["variant"] == ("c", "b2", "base")


def test_an_axis_that_is_left_out_has_its_default_value(project: Write) -> None:
    assert load_project(project()).matrix.axes["target"] == ("native",)


def test_arguments_of_a_load_are_text_as_it_is_written(project: Write, matrix: Change) -> None:
    text = matrix("args: [--ops, 10]", "args: [--ops, 0x10, on, 1e3, 'a b']")
    assert load_project(project(matrix=text)).matrix.loads["mixed"].args == (
        "--ops",
        "0x10",
        "on",
        "1e3",
        "a b",
    )


def test_the_headline_is_a_load_that_is_timed(matrix: Change, mistakes: Mistakes) -> None:
    text, line, column = marked(matrix("headline: mixed", "headline: «mixed"))
    assert mistakes(matrix=text.replace("args: [--ops, 10], ", "")) == [
        f"variants/matrix.yaml:{line}:{column}: error: load 'mixed' has no 'args', so that it is not timed"
    ]


def test_a_load_without_args_is_counted_only(project: Write, matrix: Change) -> None:
    text = matrix("loads:\n", "loads:\n  other: {doc: Some., program: bench, counted: [--ops, 8]}\n")
    other = load_project(project(matrix=text)).matrix.loads["other"]
    assert (other.args, other.counted) == ((), ("--ops", "8"))


def test_the_limits_of_the_counters_are_numbers_by_figure(project: Write, matrix: Change) -> None:
    assert load_project(project()).matrix.counters.limits == {}
    text = matrix("loads: [mixed],", "loads: [mixed], limits: {branches: {percent: 1, soft: 0.5, hard: 2}},")
    limits = load_project(project(matrix=text)).matrix.counters.limits
    assert limits == {"branches": Limit(percent=1.0, soft=0.5, hard=2.0)}


def test_a_suite_may_have_more_than_programs_of_the_shared_library(project: Write, matrix: Change) -> None:
    suite = load_project(project()).matrix.tests
    assert (suite.static, suite.scripts, suite.soak) == ((), (), {"test_soak": ("--for", "{seconds}")})
    others = "static: s/*.c, inside: in/*.c, scripts: [py/*.py, b/*.py]"
    suite = load_project(project(matrix=matrix("10, soak", f"10, {others}, soak"))).matrix.tests
    assert (suite.static, suite.inside) == (("s/*.c",), ("in/*.c",))
    assert suite.scripts == ("py/*.py", "b/*.py")


def test_a_project_may_have_something_to_fuzz(project: Write, matrix: Change) -> None:
    assert load_project(project()).matrix.fuzz is None
    text = matrix("programs: {", "fuzz: {sources: tests/fuzz_*.c, corpus: tests/seeds}\nprograms: {")
    assert load_project(project(matrix=text)).matrix.fuzz == Fuzz("tests/fuzz_*.c", "tests/seeds")


def test_hidden_files_are_no_variants(project: Write) -> None:
    root = project(**{".#mine": "what an editor leaves"})
    assert list(load_project(root).variants) == ["base"]


def test_a_project_without_specs_reports_it(tmp_path: Path) -> None:
    with pytest.raises(SpecErrors, match=r"^variants:1:1: error: cannot be read: no such folder$"):
        load_project(tmp_path)
    (tmp_path / "variants").mkdir()
    with pytest.raises(SpecErrors) as caught:
        load_project(tmp_path)
    assert [error.path for error in caught.value.errors] == [
        "variants",
        "variants/layers.yaml",
        "variants/matrix.yaml",
    ]


def test_a_long_chain_of_variants_is_resolved(project: Write) -> None:
    chain = {f"v{i}": f"doc: D.\nextends: v{i + 1}" for i in range(400)}
    last = loaded(project(**chain, v400="doc: D.\nextends: base"), "v0")
    assert len(last.lineage) == 402
    assert names(last) == ["stack", "list", "refill"]


# --- the project itself


def test_the_phases_of_this_project_are_what_the_story_tells() -> None:
    variants = load_project(ROOT).variants
    assert len(variants["phase0"].layers) == 11
    assert names(variants["phase2"]) == ["unified_cache", "tls_sll", "legacy_refill"]
    assert names(variants["phase3"]) == names(variants["phase2"])
    assert (variants["phase0"].is_env, variants["phase2"].is_env) == (True, False)
