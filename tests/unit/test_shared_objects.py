"""Objects that cells share: only equal ones, and never one that depends on a file of its cell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from layermatrix.build import shared_objects
from layermatrix.build.shared_objects import Recipe, SharedObjects
from layermatrix.build.shell import Shell

INPUTS = (("src/a.c", "1"), ("src/a.h", "2"), ("", "gcc 12"))
LINE = "cp src/a.c -o build/{0}/obj/a.o -Ibuild/{0}/gen"


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SharedObjects:
    monkeypatch.chdir(tmp_path)
    for name in ("src", "build/one/obj", "build/two/obj"):
        Path(name).mkdir(parents=True)
    Path("src/a.c").write_text("text", encoding="utf-8")
    return SharedObjects(tmp_path)


def key(
    shared: SharedObjects,
    cell: str,
    inputs: tuple[tuple[str, str], ...] = INPUTS,
    line: str = LINE,
    **env: str,
) -> str | None:
    return shared.key(line.format(cell), Recipe(f"build/{cell}", inputs), env)


def test_equal_commands_of_two_cells_have_one_key(shared: SharedObjects) -> None:
    assert key(shared, "one") == key(shared, "two") is not None


def test_everything_that_an_object_depends_on_is_in_its_key(shared: SharedObjects) -> None:
    changed = [(path, "new" if path == "src/a.h" else digest) for path, digest in INPUTS]
    other_compiler = (*INPUTS[:2], ("", "gcc 13"))
    keys = [
        key(shared, "one"),
        key(shared, "one", tuple(changed)),
        key(shared, "one", other_compiler),
        key(shared, "one", line=f"{LINE} -O3"),
        key(shared, "one", CPATH="/elsewhere"),
    ]
    assert len({*keys}) == len(keys)


def test_an_object_that_includes_a_file_of_its_cell_is_not_shared(shared: SharedObjects) -> None:
    assert key(shared, "one", (*INPUTS, ("build/one/gen/a_gen.h", "3"))) is None
    assert key(shared, "one", line=f"{LINE} --coverage") is None


def compiled(shell: Shell, cell: str, line: str = LINE, variables: Mapping[str, str] | None = None) -> int:
    target = f"build/{cell}/obj/a.o"
    shell.recipes[target] = lambda: Recipe(f"build/{cell}", INPUTS)
    words = ["sh", "-c", f"cp src/a.c build/{cell}/obj/a.o; : -o {target} {line.split('#')[-1]}"]
    return shell._perform(target, words, variables or {})[0]


def test_the_second_cell_gets_a_copy(shared: SharedObjects) -> None:
    shell = Shell(verbose=False, shared=shared)
    assert compiled(shell, "one", "same") == 0
    Path("src/a.c").write_text("not compiled again", encoding="utf-8")
    assert compiled(shell, "two", "same") == 0
    assert Path("build/two/obj/a.o").read_text(encoding="utf-8") == "text"
    Path("build/two/obj/a.o").write_text("damaged", encoding="utf-8")
    assert Path("build/one/obj/a.o").read_text(encoding="utf-8") == "text"
    folders = [Path("build/one"), Path("build/two")]
    assert shared_objects.saved(folders) == 1
    assert compiled(shell, "two", "other") == 0
    assert Path("build/two/obj/a.o").read_text(encoding="utf-8") == "not compiled again"


def test_an_object_with_warnings_is_compiled_in_each_cell(shared: SharedObjects) -> None:
    shell = Shell(verbose=False, shared=shared)
    compiled(shell, "one", "w; echo warning")
    assert not list(Path().glob("build/.shared/*/*"))


def test_what_was_not_used_for_the_longest_time_is_removed(shared: SharedObjects) -> None:
    import os

    Path("made.o").write_bytes(b"x" * 100)
    for age, name in enumerate(("aa1", "bb2", "cc3")):
        shared.store(name, Path("made.o"))
        os.utime(Path("build/.shared", name[:2], name), (1000 - age, 1000 - age))
    shared.prune(most=200)
    assert sorted(path.name for path in Path().glob("build/.shared/*/*")) == ["aa1", "bb2"]
