"""Choosing some of the cells: one change at a time, pairs, at random, shards; and presets of variables."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from toy_specs import MATRIX, changed, marked

from layermatrix.build import costs, request
from layermatrix.build.request import RequestError
from layermatrix.core.errors import SelectionError, SpecErrors
from layermatrix.jobs import matrix, registry
from layermatrix.jobs.base import Plan
from layermatrix.model import sampling
from layermatrix.model.cells import Cell, select
from layermatrix.model.project import Project
from layermatrix.spec.loader import load_project

Write = Callable[..., Path]
AXES = "".join(f"  {name}: {{doc: Some., values: [a, b, c]}}\n" for name in ("one", "two", "three"))
PRESETS = """
presets:
  quick: {doc: Few., set: {mode: debug, sanitizer: asan, rounds: 2}}
  more: {doc: More., inherits: quick, set: {mode: [release, debug], soak: 5, one: 'a*'}}
"""
TEXT = changed(MATRIX, "  sanitizer: [none, asan]\n", f"  sanitizer: [none, asan]\n{AXES}") + PRESETS


@pytest.fixture
def toy(project: Write) -> Project:
    return load_project(project(matrix=TEXT, other="doc: O.\nextends: base"))


@pytest.fixture
def cells(toy: Project) -> tuple[Cell, ...]:
    return select(toy, dict.fromkeys(toy.matrix.axes.names, "all")).cells


def pairs(cells: Sequence[Cell], axes: Sequence[str]) -> set[object]:
    rows = [[(axis, cell.value(axis)) for axis in axes] for cell in cells]
    return {pair for row in rows for pair in itertools.combinations(row, 2)}


def test_pairs_cover_all_that_any_cell_has_and_honour_the_rules(toy: Project, cells: Sequence[Cell]) -> None:
    axes = toy.matrix.axes.names
    found = sampling.pairwise(cells, axes, toy.matrix.rules)
    assert pairs(found, axes) == pairs(cells, axes)
    assert {*found} <= {*cells}
    assert len(cells) == 2 * 6 * 27
    assert len(found) < 20
    assert found == sampling.pairwise(cells, axes, toy.matrix.rules)


def test_pairs_are_covered_when_a_compiler_is_missing(toy: Project, cells: Sequence[Cell]) -> None:
    axes = toy.matrix.axes.names
    here = [
        cell for cell in cells if cell.compiler == "gcc" or (cell.mode, cell.value("one")) == ("debug", "b")
    ]
    assert pairs(sampling.pairwise(here, axes, toy.matrix.rules), axes) == pairs(here, axes)
    assert pairs(sampling.pairwise(here, axes), axes) == pairs(here, axes)
    assert sampling.pairwise(here[:1], axes) == tuple(here[:1])
    assert sampling.pairwise([], axes) == ()


def test_one_factor_is_the_first_cell_and_each_single_change(toy: Project, cells: Sequence[Cell]) -> None:
    found = [cell.id for cell in sampling.one_factor(cells, toy.matrix.axes.names)]
    assert found[0] == "base-release-gcc"
    assert {"other-release-gcc", "base-debug-gcc", "base-release-clang", "base-release-gcc-two-c"} <= {*found}
    assert "base-debug-gcc-asan" in found, "asan needs debug, so this is its nearest cell"
    assert len(found) == 1 + 1 + 1 + 1 + 1 + 6


def test_a_random_part_depends_on_its_seed_only(cells: Sequence[Cell]) -> None:
    first = sampling.sample("random:9:x", cells, ())
    assert first == sampling.sample("random:9:x", cells, ())
    assert first != sampling.sample("random:9:y", cells, ())
    assert len(first) == 9
    fewer = [cell for cell in cells if cell is not first[0]]
    assert {*first[1:]} <= {*sampling.sample("random:9:x", fewer, ())}


@pytest.mark.parametrize("way", ["random", "random:0:1", "random:x:1", "pair", ""])
def test_an_unknown_way_is_refused(way: str, cells: Sequence[Cell]) -> None:
    with pytest.raises(SelectionError, match=f"sample={way}: unknown way; "):
        sampling.sample(way, cells, ())


def test_shards_are_disjoint_complete_and_even_by_cost(cells: Sequence[Cell]) -> None:
    known = {cell.id: 1.0 + index % 7 for index, cell in enumerate(cells)}
    parts = sampling.shards(cells, 5, known)
    assert sorted(cell.id for part in parts for cell in part) == sorted(known)
    seconds = [sum(known[cell.id] for cell in part) for part in parts]
    assert max(seconds) - min(seconds) <= 7
    assert sampling.shard("2/5", cells, known) == parts[1]
    assert sampling.shards(cells, 5, {}) == sampling.shards(cells, 5, {})


@pytest.mark.parametrize("text", ["0/5", "6/5", "1", "1/0", "a/b", ""])
def test_a_part_that_does_not_exist_is_refused(text: str, cells: Sequence[Cell]) -> None:
    with pytest.raises(SelectionError, match=f"shard={text}: expected a part such as 2/5"):
        sampling.shard(text, cells, {})


def test_costs_are_of_the_last_time_and_a_half_line_is_ignored(tmp_path: Path) -> None:
    assert costs.of_cell(tmp_path) is None
    costs.note(tmp_path, "a.o", 2.0)
    costs.note(tmp_path, "a.o", 3.0)
    costs.note(tmp_path, "b.o", 0.5)
    with (tmp_path / costs.NAME).open("a") as file:
        file.write("12.")
    assert costs.of_cell(tmp_path) == 3.5
    costs.note(tmp_path, "c.o", 1.0)  # runs together with the half line
    assert (costs.of_cell(tmp_path), costs.damage(tmp_path)) == (3.5, None)


def test_damaged_costs_of_a_cell_are_named_and_not_accepted(cells: Sequence[Cell], tmp_path: Path) -> None:
    whole, broken, unreadable = (tmp_path / cell.build_dir for cell in cells[:3])
    for folder in (whole, broken):
        costs.note(folder, "a.o", 2.0)
    with (broken / costs.NAME).open("ab") as file:
        file.write(b"\xff\xfe\nabc\n-1 b.o\n")
    (unreadable / costs.NAME).mkdir(parents=True)
    assert "3 lines cannot be read, the first is line 2; its cell has too few" in str(costs.damage(broken))
    assert str(costs.damage(unreadable)).endswith("remove it, and build the cell again")
    assert costs.accept(tmp_path, cells[:3]) == 1
    assert costs.accepted(tmp_path) == {cells[0].id: 2.0}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "Expecting value"),
        ('{"a": 1', "Expecting ',' delimiter"),
        ("[1]", "an object is expected: the seconds by the name of the cell"),
        ('{"a": "1"}', 'the seconds of a are "1"'),
        ('{"a": true}', "the seconds of a are true"),
        ('{"a": -1}', "the seconds of a are -1"),
        ('{"a": NaN}', "the seconds of a are NaN"),
    ],
)
def test_damaged_accepted_costs_are_an_error_and_not_empty(text: str, what: str, tmp_path: Path) -> None:
    """All shards of a run have to see the same seconds."""
    assert costs.accepted(tmp_path) == {}
    (tmp_path / costs.ACCEPTED).parent.mkdir()
    (tmp_path / costs.ACCEPTED).write_text(text, encoding="utf-8")
    with pytest.raises(SelectionError, match="restore it, or remove it and run `matrix --accept`") as found:
        costs.accepted(tmp_path)
    assert str(found.value).startswith(f"variants/costs.json is damaged: {what}")


# --- presets


def parse(toy: Project, *given: tuple[str, str], target: str = "libs") -> request.Request:
    axes, presets = toy.matrix.axes.names, toy.matrix.presets
    return request.parse(given, [target], registry.TARGETS, axes=axes, presets=presets)


def test_a_preset_inherits_and_the_command_line_wins(toy: Project) -> None:
    found = parse(toy, ("preset", "more"), ("soak", "7"))
    assert found.axes == {"mode": "release,debug", "sanitizer": "asan", "one": "a*"}
    assert found.soak == 7


def test_a_variable_of_other_targets_is_left_out(toy: Project) -> None:
    assert "rounds" not in parse(toy, ("preset", "quick")).given
    assert parse(toy, ("preset", "quick"), target="bench").given["rounds"] == "2"


def test_an_unknown_preset_has_a_suggestion(toy: Project) -> None:
    with pytest.raises(RequestError, match="preset=: unknown preset 'quik'; did you mean 'quick'"):
        parse(toy, ("preset", "quik"))


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("mode: debug", "«mdoe: debug", "unknown variable 'mdoe'; did you mean 'mode'?"),
        ("mode: debug", "mode: «debgu", "unknown mode 'debgu'; did you mean 'debug'?"),
        ("[release, debug], soak", "[release, «dbug], soak", "unknown mode 'dbug'; did you mean 'debug'?"),
        ("inherits: quick", "inherits: «quik", "unknown preset 'quik'; did you mean 'quick'?"),
        ("inherits: quick", "inherits: «more", "preset 'more' inherits from itself"),
    ],
)
def test_a_mistake_in_a_preset_has_its_place(old: str, new: str, what: str, project: Write) -> None:
    head, tail = TEXT[: -len(PRESETS)], changed(PRESETS, old, new)
    text, line, column = marked(head + tail)
    with pytest.raises(SpecErrors) as caught:
        load_project(project(matrix=text, other="doc: O.\nextends: base"))
    assert str(caught.value).splitlines()[0] == f"variants/matrix.yaml:{line}:{column}: error: {what}"


def test_presets_that_inherit_in_a_circle_are_reported_once(mistakes: Callable[..., list[str]]) -> None:
    presets = "presets:\n" + "".join(
        f"  {name}: {{doc: P., inherits: {parent}, set: {{rounds: 1}}}}\n"
        for name, parent in ("bc", "cb", "db")
    )
    assert mistakes(matrix=MATRIX + presets) == [
        "variants/matrix.yaml:18:26: error: preset 'b' inherits from itself"
    ]


@pytest.mark.parametrize(("status", "names"), [(0, ["costs.json"]), (1, ["costs.json"]), (130, [])])
def test_the_seconds_of_an_interrupted_run_are_not_accepted(
    status: int, names: list[str], cells: Sequence[Cell], toy: Project, tmp_path: Path
) -> None:
    costs.note(tmp_path / cells[0].build_dir, "a.o", 2.0)
    plan = Plan(tmp_path, toy, request.parse([], ["matrix"], registry.TARGETS), {}, ())
    chosen = request.Selection(tuple(cells), ())
    assert matrix.accepted(plan, chosen, lambda: status) == status
    assert [path.name for path in (tmp_path / "variants").glob("*.json")] == names
