"""`command`: messages name the command that starts this project's build."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from layermatrix.core import command

LIBRARY = Path(command.__file__).parents[1]


def test_a_project_without_the_wrapper_is_built_with_scons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command.scons("variant=all", "libs") == "scons variant=all libs"
    (tmp_path / command.WRAPPER).write_text("", encoding="utf-8")
    assert command.scons() == "./sconsw"


def test_no_message_names_the_wrapper_of_one_project() -> None:
    for path in sorted(file for end in ("py", "j2") for file in LIBRARY.rglob(f"*.{end}")):
        text = re.sub(r'""".*?"""', "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert path.name == "command.py" or "./sconsw" not in text, path
