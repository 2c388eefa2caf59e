"""Objects that cells share: only equal ones, and never one that depends on a file of its cell."""

from __future__ import annotations

import os
import shlex
import time
from pathlib import Path

import pytest

from layermatrix.build import shared_objects
from layermatrix.build.shared_objects import Recipe, SharedObjects
from layermatrix.build.shell import Shell
from layermatrix.build.toolchain import Toolchain, find_compilers

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


# A compiler that copies its source, and lists it and another file as those that it has read.
COMPILER = r"""
printf 'x.o: src/a.c \\\n %s\n' "$READ" >build/listed
for last; do :; done
case $last in *.o) ;; *) cp build/listed "$last";; esac
cp src/a.c "$1"
echo "$2" | grep warning || :
"""


def compiled(shell: Shell, cell: str, line: str = LINE, read: str = "src/a.h") -> int:
    """Compile in this cell. read: the other file, as it stands in the list."""
    target = f"build/{cell}/obj/a.o"
    Path("cc.sh").write_text(COMPILER, encoding="utf-8")
    shell.recipes[target] = lambda: Recipe(f"build/{cell}", INPUTS)
    words = ["sh", "-c", f"sh cc.sh {target} '{line}' -o {target}"]
    return shell._perform(target, words, {**os.environ, "READ": read})[0]


def object_of(cell: str) -> str:
    return Path(f"build/{cell}/obj/a.o").read_text(encoding="utf-8")


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
    assert object_of("two") == "not compiled again"


@pytest.mark.parametrize("name", ["system.h", "with a space.h", "odd$#.h"])
def test_an_object_is_not_shared_after_a_header_of_the_system_has_changed(
    name: str, shared: SharedObjects
) -> None:
    """SCons does not know the header, so it is not in the key."""
    header, listed = Path(name), name.replace("$", "$$").replace(" ", r"\ ").replace("#", r"\#")
    header.write_text("1", encoding="utf-8")
    time.sleep(0.01)  # the clock of files is coarse
    for cell, source, expected in (
        ("one", "first", "first"),
        ("two", "second", "first"),  # the object of `one`
    ):
        Path("src/a.c").write_text(source, encoding="utf-8")
        compiled(Shell(verbose=False, shared=shared), cell, read=listed)
        assert object_of(cell) == expected
    for change in (lambda: header.write_text("22", encoding="utf-8"), header.unlink):
        change()
        Path("src/a.c").write_text(f"after {change}", encoding="utf-8")
        compiled(Shell(verbose=False, shared=SharedObjects(shared.root)), "two", read=listed)
        assert object_of("two") == f"after {change}"


def test_a_header_that_changes_while_the_compiler_runs_is_not_believed(shared: SharedObjects) -> None:
    late = time.time_ns() + 60_000_000_000
    Path("late.h").touch()
    os.utime("late.h", ns=(late, late))
    compiled(Shell(verbose=False, shared=shared), "one", read="late.h")
    assert not list(Path().glob("build/.shared/*/*"))


def test_a_file_of_the_cell_that_only_the_compiler_has_seen_is_not_shared(shared: SharedObjects) -> None:
    Path("build/one/gen").mkdir()
    Path("build/one/gen/hidden.h").touch()
    time.sleep(0.01)
    compiled(Shell(verbose=False, shared=shared), "one", read="src/../build/one/gen/hidden.h")
    assert not list(Path().glob("build/.shared/*/*"))


@pytest.mark.parametrize("name", ["gcc", "clang", "zig"])
def test_a_compiler_lists_the_headers_of_the_system(name: str, shared: SharedObjects) -> None:
    found = find_compilers((name,))[name]
    if not isinstance(found, Toolchain):
        pytest.skip(found.reason)
    Path("include").mkdir()
    Path("include/own.h").write_text("#define ANSWER 1\n", encoding="utf-8")
    Path("src/a.c").write_text("#include <own.h>\nint answer = ANSWER;\n", encoding="utf-8")
    time.sleep(0.01)
    made: dict[str, bytes] = {}
    for cell, answer in (("one", 1), ("two", 1), ("one", 2)):
        if answer == 2:
            Path("include/own.h").write_text("#define ANSWER 2 \n", encoding="utf-8")
            time.sleep(0.01)
        target = f"build/{cell}/obj/a.o"
        shell = Shell(verbose=False, shared=shared)
        shell.recipes[target] = lambda cell=cell: Recipe(f"build/{cell}", INPUTS)  # type: ignore[misc]
        line = f"{shlex.join(found.command)} -isystem include -c -o {target} src/a.c"
        assert shell._perform(target, ["sh", "-c", line], os.environ) == (0, "")
        made[f"{cell} {answer}"] = Path(target).read_bytes()
    assert made["one 1"] == made["two 1"] != made["one 2"]
    assert shared_objects.saved([Path("build/two")]) == 1
    assert shared_objects.saved([Path("build/one")]) == 0


def test_an_object_with_warnings_is_compiled_in_each_cell(shared: SharedObjects) -> None:
    shell = Shell(verbose=False, shared=shared)
    compiled(shell, "one", "a warning")
    assert not list(Path().glob("build/.shared/*/*"))


def test_what_was_not_used_for_the_longest_time_is_removed(shared: SharedObjects) -> None:
    for age, name in enumerate(("aa1", "bb2", "cc3")):
        path = Path("build/.shared", name[:2], name)
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x" * 100)
        os.utime(path, (1000 - age, 1000 - age))
    shared.prune(most=200)
    assert sorted(path.name for path in Path().glob("build/.shared/*/*")) == ["aa1", "bb2"]


def test_a_run_makes_room_before_it_keeps_its_first_object(
    shared: SharedObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    pruned: list[int] = []
    monkeypatch.setattr(
        shared, "prune", lambda: pruned.append(len(list(Path().glob("build/.shared/*/[!.]*"))))
    )
    for source in ("first", "second"):
        Path("src/a.c").write_text(source, encoding="utf-8")
        time.sleep(0.01)
        compiled(Shell(verbose=False, shared=shared), "one")
    assert pruned == [0]
    assert list(Path().glob("build/.shared/*/*"))
