"""A build of libraries leaves out the graph of those that are as recorded. It notices every change that SCons
would notice."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.scons.conftest import copy_tree

if TYPE_CHECKING:
    from tests.scons.conftest import Project

LIBS = ("variant=apart", "libs")
VALUE = '    cell.Depends(libraries, cell.Value("{}"))\n'
LATER = """
def later(target, source, env):
    with open("src/pool.c", "a") as file:
        file.write("// later")

AddPostAction("{}", Action(later, "LATER"))
"""
ALIAS = '    cell.Alias("libs", libraries)\n'


def make_older(root: Path) -> None:
    """Set the times of the project's own files to a minute ago. One that was changed within a second is not
    recorded."""
    past = time.time() - 60
    for path in (root, *root.rglob("*")):
        if not {"build", "tools"} & set(path.relative_to(root).parts) and not path.is_symlink():
            os.utime(path, (past, past))


@pytest.fixture
def settled(foreign: Project, cc: str) -> Project:
    """The project with its libraries built and recorded."""
    make_older(foreign.root)
    foreign.build(*LIBS)
    assert foreign.path(f"build/apart-release-{cc}/.settled.json").is_file()
    return foreign


def graph(project: Project, *words: str) -> str:
    return project.build("--tree=all", *LIBS, *words).stdout


def test_the_graph_of_a_settled_library_is_left_out_unless_it_is_needed(settled: Project, cc: str) -> None:
    cell = f"build/apart-release-{cc}"
    text = graph(settled)
    assert f"{cell}/libpool.so" in text
    assert "pool.o" not in text
    assert "`libs' is up to date" in text
    one = settled.build("--tree=all", "variant=apart", f"{cell}/libpool.so")
    assert "pool.o" in one.stdout, "another target than libs"
    record = settled.read(f"{cell}/.settled.json")
    settled.write(f"{cell}/.settled.json", record[:-20])
    assert "pool.o" in graph(settled), "a damaged record"
    assert settled.read(f"{cell}/.settled.json") == record
    assert "pool.o" not in graph(settled)
    removed = settled.build("-c", *LIBS).stdout
    assert f"Removed {cell}/.settled.json" in removed
    assert f"Removed {cell}/obj/pool.o" in removed


CHANGES: dict[str, Callable[[Project, str], object]] = {
    "a source": lambda project, _: project.edit("src/pool.c", "free(buffer)", "free((buffer))"),
    "a header": lambda project, _: project.append("src/pool.h", "int pool_more(void);\n"),
    "a header that hides another": lambda project, _: project.write(
        "src/stdlib.h", "#include_next <stdlib.h>\n"
    ),
    "a template": lambda project, _: project.append("templates/pool.h.j2", "int pool_more(void);\n"),
    "a capacity": lambda project, _: project.edit("variants/layers.yaml", "capacity: 16", "capacity: 17"),
    "flags in the script": lambda project, _: project.edit("SConstruct", '"-O2"', '"-O1"'),
    "an object away": lambda project, cell: project.path(f"{cell}/obj/pool.o").unlink(),
    "a library away": lambda project, cell: project.path(f"{cell}/libpool.a").unlink(),
}


def test_each_change_is_noticed(settled: Project, cc: str, tmp_path: Path) -> None:
    for what, change in {"nothing": lambda *_: None, **CHANGES}.items():
        copy = type(settled)(tmp_path / what)
        copy_tree(settled.root, copy.root)
        change(copy, f"build/apart-release-{cc}")
        run = copy.build("-n", "--tree=all", *LIBS)
        assert bool(run.actions) == (what != "nothing"), what
        assert ("pool.o" in run.stdout) == (what != "nothing"), "a copy is settled, too"


def test_other_flags_are_noticed(settled: Project) -> None:
    assert settled.would(*LIBS, "CFLAGS=-DMORE").made("CC")
    assert not settled.would(*LIBS).actions


def test_a_value_or_a_decision_of_the_script_is_left_to_scons(settled: Project) -> None:
    """A record cannot hold what SCons asks of them."""
    settled.edit("SConstruct", ALIAS, VALUE.format("one") + ALIAS)
    settled.build(*LIBS)
    make_older(settled.root)
    settled.build(*LIBS)
    assert "pool.o" in graph(settled)
    settled.edit("SConstruct", VALUE.format("one"), "")
    settled.edit("SConstruct", "env.LayeredProject", "env.Decider(lambda *_: False)\nenv.LayeredProject")
    make_older(settled.root)
    settled.build(*LIBS)
    assert "pool.o" in graph(settled)


def test_what_changes_during_a_build_is_made_again(foreign: Project, cc: str) -> None:
    """The object may be of the text before the change."""
    make_older(foreign.root)
    foreign.append("SConstruct", LATER.format(f"build/apart-release-{cc}/obj/pool.o"))
    os.utime(foreign.path("SConstruct"), (0, 0))
    foreign.build(*LIBS)
    assert foreign.read("src/pool.c").endswith("// later")
    assert foreign.build(*LIBS).made("CC")
