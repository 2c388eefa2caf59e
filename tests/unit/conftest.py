"""Fixtures that write the small project of `toy_specs` for each test."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import toy_specs

from layermatrix.core import library_use, process
from layermatrix.core.errors import SpecErrors
from layermatrix.spec.loader import load_project

Write = Callable[..., Path]
Mistakes = Callable[..., list[str]]
Change = Callable[[str, str], str]


@pytest.fixture
def project(tmp_path: Path) -> Write:
    """Writes a project's spec files. `base="..."` is a variant's text; None omits a file."""

    def write(**files: str | None) -> Path:
        folder = tmp_path / "variants"
        folder.mkdir(exist_ok=True)
        for name, text in {**toy_specs.FILES, **files}.items():
            if text is not None:
                (folder / f"{name}.yaml").write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return tmp_path

    return write


@pytest.fixture(scope="session")
def system_library() -> Path:
    """A system library that is harmless in any program. It is in the C library's folder."""
    shell = shutil.which("sh")
    assert shell is not None
    objects = library_use.loaded(library_use.Ran(Path(shell), {}), run=process.run)
    return next(path for name, path in objects.items() if name.startswith("libc.")).with_name("libm.so.6")


@pytest.fixture
def library(system_library: Path, tmp_path: Path) -> Path:
    """A library to preload, libany.so."""
    return Path(shutil.copy(system_library, tmp_path / "libany.so"))


@pytest.fixture
def mistakes(project: Write) -> Mistakes:
    """Writes a project like `project`, loads it, and returns the errors as a list of lines."""

    def load(**files: str | None) -> list[str]:
        try:
            load_project(project(**files))
        except SpecErrors as errors:
            return str(errors).splitlines()
        return []

    return load


@pytest.fixture
def layers() -> Change:
    """The small catalogue with one thing replaced."""
    return lambda old, new: toy_specs.changed(toy_specs.LAYERS, old, new)


@pytest.fixture
def matrix() -> Change:
    """The small matrix with one thing replaced."""
    return lambda old, new: toy_specs.changed(toy_specs.MATRIX, old, new)
