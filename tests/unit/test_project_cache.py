"""`project_cache`: the project is read again if it may have changed, and only then."""

from __future__ import annotations

import enum
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layermatrix.build import project_cache
from layermatrix.build.dependencies import LIBRARY, Library
from layermatrix.core.errors import SpecErrors
from layermatrix.model.project import Project
from layermatrix.spec import loader

ROOT = Path(__file__).parents[2]
Write = Callable[..., Path]
NAMED_FILES = ("src/a.c", "src/b.c", "tests/test_soak.c", "tests/all.sh", "bench/bench.c")


class Toy:
    """A project on disk, and the number of times that its spec was read."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.reads = root, 0
        self.library = Library()
        self._read: Callable[..., Project] = loader.load_project
        monkeypatch.setattr(loader, "load_project", self._counted)

    def load(self) -> Project:
        return project_cache.load_project(self.root, "src", self.library)

    def _counted(self, *arguments: Any) -> Project:
        self.reads += 1
        return self._read(*arguments)

    @property
    def store(self) -> Path:
        return self.root / project_cache.STORE


@pytest.fixture
def toy(project: Write, monkeypatch: pytest.MonkeyPatch) -> Toy:
    root = project()
    for name in NAMED_FILES:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")
    (root / "src/probe.c").write_text("void probe_take(void);\n", encoding="utf-8")
    return Toy(root, monkeypatch)


def test_the_second_build_remembers_an_equal_project(toy: Toy) -> None:
    assert toy.load() == toy.load()
    assert toy.reads == 1


def test_the_real_project_is_equal_to_what_is_read_and_keeps_its_order(tmp_path: Path) -> None:
    for part in ("variants", "csrc", "tests"):
        (tmp_path / part).symlink_to(ROOT / part)
    read, found = (project_cache.load_project(tmp_path, "csrc", Library()) for _ in range(2))
    assert found == read
    assert found is not read
    assert repr(found) == repr(read)


def test_reading_the_spec_imports_nothing_that_only_results_need() -> None:
    """The import of pydantic takes longer than reading this project's spec."""
    command = [sys.executable, "-c", "import layermatrix.spec.loader, sys; print(*sys.modules)"]
    paths = {"PYTHONPATH": str(ROOT / "site_scons")}
    run = subprocess.run(command, env=paths, capture_output=True, text=True, check=True)
    assert {"yaml"} == {"yaml", "pydantic", "jinja2", "rich"} & set(run.stdout.split())


def change(toy: Toy, name: str) -> None:
    path = toy.root / "variants" / name
    path.write_text(path.read_text(encoding="utf-8") + "# more\n", encoding="utf-8")


@pytest.mark.parametrize("name", ["layers.yaml", "matrix.yaml", "base.yaml"])
def test_a_changed_spec_file_is_read(toy: Toy, name: str) -> None:
    toy.load()
    change(toy, name)
    toy.load()
    toy.load()
    assert toy.reads == 2


def test_a_new_file_is_read_and_one_that_is_gone_leaves(toy: Toy) -> None:
    toy.load()
    new = toy.root / "variants/new.yaml"
    new.write_text("doc: New.\nextends: base\n", encoding="utf-8")
    assert "new" in toy.load().variants
    new.unlink()
    assert "new" not in toy.load().variants


def test_a_mistake_is_reported_each_time(toy: Toy) -> None:
    toy.load()
    (toy.root / "variants/new.yml").write_text("", encoding="utf-8")
    for _ in range(2):
        with pytest.raises(SpecErrors, match=r"new\.yml:1:1: error: is not read"):
            toy.load()


def test_a_file_that_the_spec_names_is_looked_for_each_time(toy: Toy) -> None:
    toy.load()
    (toy.root / "src/a.c").unlink()
    with pytest.raises(SpecErrors, match=r"layers\.yaml:\d+:\d+: error: there is no file 'src/a\.c'"):
        toy.load()


def test_a_file_that_a_pattern_matches_now_is_read_about_once(toy: Toy) -> None:
    toy.load()
    (toy.root / "tests/test_more.c").write_text("", encoding="utf-8")
    toy.load()
    toy.load()
    assert toy.reads == 2


@pytest.mark.parametrize(
    "module", ["spec/yamlnodes.py", "spec/loader.py", "model/layers.py", "core/kinds.py", "profiles/base.py"]
)
def test_changed_code_that_reads_specs_reads_them_again(toy: Toy, module: str, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(LIBRARY, tmp_path / "copy/layermatrix"))
    toy.library = Library(copy)
    toy.load()
    with (copy / module).open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    toy.library = Library(copy)
    toy.load()
    assert toy.reads == 2


def test_changed_code_that_reads_no_specs_changes_nothing(toy: Toy, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(LIBRARY, tmp_path / "copy/layermatrix"))
    toy.library = Library(copy)
    toy.load()
    (copy / "report/junit.py").write_text("", encoding="utf-8")
    toy.library = Library(copy)
    toy.load()
    assert toy.reads == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:-1],
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:200] + bytes([whole[200] ^ 1]) + whole[201:],
        lambda whole: b"x" + whole,
        lambda whole: whole.replace(b"\n", b"", 1),
        lambda whole: b"\x80\x05]."[: len(whole)],
    ],
)
def test_a_damaged_file_costs_only_time(toy: Toy, damage: Callable[[bytes], bytes]) -> None:
    read = toy.load()
    toy.store.write_bytes(damage(toy.store.read_bytes()))
    assert toy.load() == toy.load() == read
    assert toy.reads == 2


class Trap:
    """A malicious pickle: it runs code when it is loaded."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("sprung"),)


class GetattrTrap:
    """A pickle that takes a function from a class, with what the members of enumerations need."""

    def __reduce__(self) -> Any:
        return getattr, (Project, "__init__")


def test_members_of_enumerations_are_cached_however_python_names_them(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.11.0 to 3.11.3 pickle a member as getattr(enumeration, name), others as enumeration(value)."""

    def by_name(member: enum.Enum, protocol: object) -> Any:
        return getattr, (type(member), member.name)

    monkeypatch.setattr(enum.Enum, "__reduce_ex__", by_name)
    read = toy.load()
    assert b"getattr" in toy.store.read_bytes()
    assert toy.load() == read
    assert toy.reads == 1


TRAPS = [pickle.dumps(Trap()), pickle.dumps(GetattrTrap())]


@pytest.mark.parametrize("content", [*TRAPS, pickle.dumps({"a": 1}), b"\x80\x05R.", b""])
def test_a_file_of_others_is_not_used_even_with_the_right_seal(
    toy: Toy, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(toy.root)
    read = toy.load()
    key = toy.store.read_bytes().split(b" ")[0].decode()
    toy.store.write_bytes(project_cache.sealed(key, content))
    assert toy.load() == read
    assert toy.reads == 2
    assert not Path("sprung").exists()


def test_another_project_s_file_is_not_used(toy: Toy) -> None:
    toy.load()
    whole = toy.store.read_bytes()
    change(toy, "base.yaml")
    toy.load()
    toy.store.write_bytes(whole)
    toy.load()
    assert toy.reads == 3


def test_a_tree_that_cannot_be_written_is_read_each_time(toy: Toy) -> None:
    (toy.root / "build").write_text("in the way", encoding="utf-8")
    assert toy.load() == toy.load()
    assert toy.reads == 2
