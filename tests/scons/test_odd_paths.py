"""A project in a folder whose name has characters that are special for SCons, a shell or the loader."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.scons.conftest import copy_tree

if TYPE_CHECKING:
    from tests.scons.conftest import Project


@pytest.mark.parametrize("name", ["two words (x)#1", "a$b$$c ${d};e&f", 'x:y it\'s "so"'])
def test_a_project_is_built_and_checked_regardless_of_its_folder(
    foreign: Project, cc: str, tmp_path: Path, name: str
) -> None:
    odd = type(foreign)(tmp_path / name / "pool")
    odd.root.parent.mkdir()
    copy_tree(foreign.root, odd.root)
    odd.append("SConstruct", 'env.LayeredInstall(libraries, headers=["src/pool.h"])\n')
    odd.build(
        "variant=small", "libs", "headers", "benches", "figures", f"build/small-release-{cc}/bin/test_pool"
    )
    assert odd.record(f"small-release-{cc}", "asm")["entries"]["take"]["instructions"] > 0
    assert odd.build("variant=small", "libs", "figures").actions == []
    odd.build("variant=small", "install", f"DESTDIR={odd.path('stage')}")
    assert odd.path("stage/usr/local/lib/libpool.so").is_file()
    odd.build("-c")
    assert not list(odd.path("build").glob("*-gcc"))
