"""`closure`: the templates of a variant, computed only when they may have changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from layermatrix.emit.closure import Closures
from layermatrix.model.variants import Variant
from layermatrix.spec.loader import load_project


class Setting:
    """A folder of templates, a variant, and a count of how often the closure was computed."""

    def __init__(self, root: Path, variant: Variant) -> None:
        self.root = root
        self.variant = variant
        self.computed = 0
        self.generator = "first"  # a digest of the code
        for name in ("a.j2", "b.j2"):
            (root / name).write_text("first", encoding="utf-8")

    def names(self) -> list[str]:
        """The closure, as a new build would get it."""
        closures = Closures(self.root / "build/.closures.json", self.root, self._compute, self.generator)
        return closures.of(self.variant)

    def _compute(self, variant: Variant, templates: Path) -> list[str]:
        assert (variant, templates) == (self.variant, self.root)
        self.computed += 1
        return ["a.j2", "b.j2"]


@pytest.fixture
def setting(project: Callable[..., Path]) -> Setting:
    root = project()
    return Setting(root, load_project(root).variants["base"])


def test_the_second_build_remembers(setting: Setting) -> None:
    assert setting.names() == setting.names() == ["a.j2", "b.j2"]
    assert setting.computed == 1


def test_changed_code_is_queried_again(setting: Setting) -> None:
    setting.names()
    setting.generator = "second"
    setting.names()
    assert setting.computed == 2


@pytest.mark.parametrize("name", ["a.j2", "b.j2"])
def test_a_changed_file_is_queried_again(setting: Setting, name: str) -> None:
    setting.names()
    (setting.root / name).write_text("second time", encoding="utf-8")
    setting.names()
    setting.names()
    assert setting.computed == 2


def test_a_file_that_is_gone_is_queried_again(setting: Setting) -> None:
    setting.names()
    (setting.root / "b.j2").unlink()
    setting.names()
    assert setting.computed == 2


@pytest.mark.parametrize("text", ["", "[]", "{", '{"x": {"names": 1}}', '{"x": []}', "null"])
def test_a_damaged_memory_costs_only_time(setting: Setting, text: str) -> None:
    setting.names()
    (setting.root / "build/.closures.json").write_text(text, encoding="utf-8")
    assert setting.names() == ["a.j2", "b.j2"]
    assert setting.computed == 2
