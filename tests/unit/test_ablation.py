"""`ablation`: variants without one layer follow the same rules as variants that have a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from layermatrix.core.errors import SpecErrors
from layermatrix.model import ablation
from layermatrix.model.cells import Cell
from layermatrix.model.project import Project
from layermatrix.model.variants import Variant
from layermatrix.spec.loader import load_project

ROOT = Path(__file__).resolve().parents[2]
REAL = load_project(ROOT)


@pytest.fixture
def toy(project: Callable[..., Path]) -> Project:
    return load_project(project())


def from_a_file(variant: Variant, layer: str, folder: Path) -> Variant | None:
    """The same variant, loaded from a file of its own; None if that file has a mistake."""
    (folder / "variants").mkdir()
    for file in (ROOT / "variants").glob("*.yaml"):
        (folder / "variants" / file.name).write_bytes(file.read_bytes())
    text = f"doc: Less.\nextends: {variant.name}\nremove: [{layer}]\n"
    (folder / "variants" / "less.yaml").write_text(text, encoding="utf-8")
    try:
        return load_project(folder).variants["less"]
    except SpecErrors:
        return None


@pytest.mark.parametrize(
    ("name", "layer"),
    [(name, layer.name) for name in ("phase0", "phase1", "phase2") for layer in REAL.variants[name].layers],
)
def test_what_can_be_left_out_is_what_a_file_may_remove(name: str, layer: str, tmp_path: Path) -> None:
    expected = from_a_file(REAL.variants[name], layer, tmp_path)
    try:
        found = ablation.without(REAL.variants[name], layer)
    except ablation.AblationError:
        assert expected is None
        return
    assert expected is not None
    named = replace(expected, name=found.name, doc=found.doc, source=found.source, lineage=found.lineage)
    assert found.as_value == named.as_value


def test_the_variant_is_named_for_what_it_lacks(toy: Project) -> None:
    made = ablation.without(toy.variants["base"], "stack")
    assert (made.name, made.doc) == ("base_without_stack", "base without Stack.")
    assert made.lineage == ("base", "base_without_stack")
    assert [(layer.name, layer.position) for layer in made.layers] == [("list", 1), ("refill", 2)]


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        ("list", "layer 'refill' needs 'list'"),
        ("refill", "C0 would be served by no refill layer"),
        ("ring", "base has no layer 'ring'; known: stack, list, refill"),
    ],
)
def test_the_reason_why_a_layer_cannot_be_left_out_is_reported(toy: Project, layer: str, reason: str) -> None:
    with pytest.raises(ablation.AblationError, match=f"^{reason}$"):
        ablation.without(toy.variants["base"], layer)


def test_the_last_refill_that_cannot_be_switched_off_stays() -> None:
    with pytest.raises(ablation.AblationError, match="only by refill layers that can be switched off"):
        ablation.without(REAL.variants["phase1"], "legacy_refill")


def test_each_cell_is_followed_by_what_is_left_of_it(toy: Project) -> None:
    cells = [Cell(toy.variants["base"], mode, "gcc") for mode in ("release", "debug")]
    made, left_out = ablation.expand(cells, ["all"])
    assert [cell.id for cell in made] == [
        "base-release-gcc",
        "base_without_stack-release-gcc",
        "base-debug-gcc",
        "base_without_stack-debug-gcc",
    ]
    assert ("base_without_list-debug-gcc", "layer 'refill' needs 'list'") in left_out


def test_without_a_name_nothing_is_left_out(toy: Project) -> None:
    cells = [Cell(toy.variants["base"], "release", "gcc")]
    assert ablation.expand(cells, []) == (cells, [])
