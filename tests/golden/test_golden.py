"""Small spec in, exact C out: a golden header for each layer of catalogue.yaml, and those of the main
variants.

What is printed comes from the templates of this project; a layer or a variant that is added to it needs no
file here. A golden file changes only together with a reason in the commit; see conftest.py for how.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from layermatrix.emit import printer
from layermatrix.model.project import Project
from layermatrix.spec.loader import load_project

if TYPE_CHECKING:
    from tests.golden.conftest import Golden

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TEMPLATES = ROOT / "templates"
LOADED = load_project(ROOT)
LAYERS = re.findall(
    r"^  (\w+):$", (HERE / "catalogue.yaml").read_text(encoding="utf-8").partition("\nlayers:")[2], re.M
)
VARIANTS = sorted(path.stem for path in HERE.glob("variants/*.h"))

# What stands around the layer that a golden header is about.
AROUND = {"tls_sll": "tls_sll, legacy_refill", "legacy_refill": "tls_sll, legacy_refill",
          "front_direct": "unified_cache, tls_sll, front_direct, legacy_refill"}  # fmt: skip
VARIANT = """
doc: One layer, and what it needs.
layers: [{layers}]
set: {{toggles: {toggles}, debug_output: guarded, layout: modules, fast_path: {fast_path}, min_align: 16}}
"""


def small_project(folder: Path, layer: str, toggles: str = "env", fast_path: str = "inline") -> Project:
    """A project with the small catalogue and one variant, `one`."""
    variants = folder / "variants"
    variants.mkdir()
    shutil.copy(HERE / "catalogue.yaml", variants / "layers.yaml")
    (variants / "matrix.yaml").write_text("doc: One variant.\n", encoding="utf-8")
    layers = AROUND.get(layer, f"{layer}, tls_sll, legacy_refill")
    text = VARIANT.format(layers=layers, toggles=toggles, fast_path=fast_path)
    (variants / "one.yaml").write_text(text, encoding="utf-8")
    return load_project(folder)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_prints_exactly_this(layer: str, tmp_path: Path, golden: Golden) -> None:
    variant = small_project(tmp_path, layer).variants["one"]
    golden.check(f"layers/{layer}.h", printer.render_header(variant, TEMPLATES))


def test_fixed_toggles_and_the_ultra_path_print_exactly_this(tmp_path: Path, golden: Golden) -> None:
    variant = small_project(tmp_path, "fast_cache", toggles="fixed", fast_path="ultra").variants["one"]
    golden.check("layers/fast_cache_ultra.h", printer.render_header(variant, TEMPLATES))


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_prints_exactly_this(name: str, golden: Golden) -> None:
    golden.check(f"variants/{name}.h", printer.render_header(LOADED.variants[name], TEMPLATES))


def test_the_unit_prints_exactly_this(golden: Golden) -> None:
    golden.check("variants/phase0_unit.c", printer.render_unity(LOADED.variants["phase0"], TEMPLATES))


def test_no_golden_file_is_left_over() -> None:
    wanted = {f"{layer}.h" for layer in LAYERS} | {"fast_cache_ultra.h"}
    assert {path.name for path in HERE.glob("layers/*")} == wanted
    assert set(VARIANTS) <= set(LOADED.variants)


@pytest.mark.parametrize("name", LOADED.variants)
def test_a_header_is_the_same_each_time_and_names_no_machine(name: str) -> None:
    text = printer.render_header(LOADED.variants[name], TEMPLATES)
    assert text == printer.render_header(LOADED.variants[name], TEMPLATES)
    assert str(ROOT) not in text
    assert not re.search(r"20\d\d-\d\d-\d\d", text)
    assert f"Generated from variants/{name}.yaml" in text
    assert all(line == line.rstrip() for line in text.splitlines())
