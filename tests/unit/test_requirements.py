"""`requirements`: the tool requires exactly the packages that its own package depends on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import SCons
import SCons.Errors

from layermatrix.scons import requirements

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def test_the_packages_are_the_dependencies_of_the_wheel() -> None:
    text = PROJECT.read_text(encoding="utf-8")
    (listed,) = re.findall(r"^dependencies = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    bounds = dict(re.findall(r'"([\w-]+)>=([\d.]+)"', listed))
    assert len(bounds) == listed.count("\n")
    assert bounds.pop("scons") == ".".join(map(str, requirements.SCONS))
    assert set(bounds) == set(requirements.PACKAGES.values())
    assert f'requires-python = ">={requirements.PYTHON[0]}.{requirements.PYTHON[1]}"' in text


def test_nothing_is_missing_here() -> None:
    requirements.check()


def test_an_old_scons_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SCons, "__version__", "4.3.0")
    with pytest.raises(SCons.Errors.UserError, match=r"'layered' needs SCons 4\.4 or newer; this is 4\.3\.0"):
        requirements.check()


def test_missing_packages_are_named_with_the_command_that_installs_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(requirements, "PACKAGES", {"sys": "sys", "no_such_module": "such"})
    with pytest.raises(
        SCons.Errors.UserError, match=r"does not have: such; install them: .* -m pip install such$"
    ):
        requirements.check()
    tmp_path.joinpath("sconsw").write_text("", encoding="utf-8")
    with pytest.raises(SCons.Errors.UserError, match=r"or run \./sconsw, which has its own$"):
        requirements.check()
