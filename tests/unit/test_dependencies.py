"""The dependencies of a Python step: its imports, in an artificial library and for every kind of evidence."""

from __future__ import annotations

from pathlib import Path

import pytest

from layermatrix.build import dependencies, printing
from layermatrix.build.dependencies import LIBRARY, Library
from layermatrix.evidence import registry

FILES = {
    "__init__.py": "",
    "top.py": "from toylib.sub import near\nimport toylib.plain\n",
    "plain.py": "import json\n",
    "sub/__init__.py": "",
    "sub/near.py": "def late():\n    from toylib.sub.far import word\n    return word\n",
    "sub/far.py": "try:\n    import any\nexcept ImportError:\n    from toylib import fallback\nword = 1\n",
    "sub/other.py": "from toylib import top\n",
    "fallback.py": "from toylib.sub import near  # in a circle\n",
    "types_only.py": "",
    "typed.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from toylib import types_only\n"
    "else:\n    from toylib import plain\n",
}


@pytest.fixture
def toylib(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "toylib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "toylib"


def names(library: Library, module: str) -> set[str]:
    return {file.relative_to(library.folder).as_posix() for file in library.closure(module)}


def test_a_module_depends_on_what_it_imports_directly_or_not_also_inside_functions(toylib: Path) -> None:
    around = {"__init__.py", "sub/__init__.py"}
    used = {"top.py", "plain.py", "sub/near.py", "sub/far.py", "fallback.py"}
    assert names(Library(toylib), "toylib.top") == around | used


def test_what_is_imported_for_types_alone_does_not_count(toylib: Path) -> None:
    assert names(Library(toylib), "toylib.typed") == {"__init__.py", "typed.py", "plain.py"}


def test_a_changed_constant_in_a_used_module_changes_the_digest_and_another_does_not(toylib: Path) -> None:
    before = Library(toylib).digest("toylib.top")
    (toylib / "sub/other.py").write_text("word = 2\n", encoding="utf-8")
    assert Library(toylib).digest("toylib.top") == before
    far = toylib / "sub/far.py"
    far.write_text(far.read_text(encoding="utf-8").replace("word = 1", "word = 2"), encoding="utf-8")
    assert Library(toylib).digest("toylib.top") != before


def test_what_is_remembered_is_used_until_a_file_changes(
    toylib: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = toylib / ".modules.json"
    before = Library(toylib, store).digest("toylib.top")
    with monkeypatch.context() as patch:
        patch.setattr(dependencies, "_imports", lambda *_: pytest.fail("parsed again"))
        assert Library(toylib, store).digest("toylib.top") == before
    (toylib / "plain.py").write_text("from toylib import typed\n", encoding="utf-8")
    assert Library(toylib, store).digest("toylib.top") != before
    assert "typed.py" in {file.name for file in Library(toylib, store).closure("toylib.top")}


def test_a_module_that_is_new_counts_where_its_name_was_an_attribute(toylib: Path) -> None:
    store = toylib / ".modules.json"
    Library(toylib, store).closure("toylib.sub.near")
    (toylib / "sub/far").mkdir()
    (toylib / "sub/far/word.py").write_text("", encoding="utf-8")
    (toylib / "sub/far/__init__.py").write_text("", encoding="utf-8")
    assert {"sub/far/word.py"} <= {
        file.relative_to(toylib).as_posix() for file in Library(toylib, store).closure("toylib.sub.near")
    }


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"top.py": 1}', '{"top.py": {"stamp": ""}}'])
def test_a_damaged_memory_costs_only_time(toylib: Path, text: str) -> None:
    store = toylib / ".modules.json"
    before = Library(toylib, store).digest("toylib.top")
    store.write_text(text, encoding="utf-8")
    assert Library(toylib, store).digest("toylib.top") == before


# --- the kinds of evidence: modules that each uses, and one that it does not use

USES = {
    "asm": ("evidence/binary/counting.py", "evidence/binary/machine.py", "evidence/binary/dwarf.py"),
    "budget": ("evidence/asm.py", "core/records.py"),
    "code": ("evidence/source/path_counts.py",),
    "guards": ("evidence/references.py", "evidence/binary/object_diff.py", "emit/linemap.py"),
    "counters": ("core/process.py", "evidence/tools/cachegrind.py", "core/c_library.py"),
    "tests": ("core/process.py", "evidence/tools/running.py"),
    "runs": ("evidence/tests.py", "core/emulator.py"),
    "programs": ("core/process.py", "evidence/tools/running.py"),
    "layers": ("evidence/tools/linecost.py", "core/process.py", "evidence/binary/lines.py"),
    "bench": ("evidence/columns.py",),
}
OTHERS = {
    "asm": "core/process.py",
    "budget": "core/process.py",
    "code": "core/process.py",
    "guards": "core/process.py",
    "counters": "evidence/source/csource.py",
    "tests": "evidence/binary/elf.py",
    "runs": "evidence/source/csource.py",
    "programs": "evidence/source/csource.py",
    "layers": "evidence/source/csource.py",
    "bench": "evidence/binary/elf.py",
}


@pytest.mark.parametrize("kind", [kind.name for kind in registry.KINDS])
def test_each_kind_depends_on_the_modules_that_it_uses_and_on_no_others(kind: str) -> None:
    (module,) = [one.module for one in registry.KINDS if one.name == kind]
    found = names(Library(), module)
    assert {*USES[kind], "build/step.py", "model/matrix.py"} <= found
    assert OTHERS[kind] not in found
    assert not [name for name in found if name.startswith(("report/", "jobs/", "analysis/", "scons/"))]
    assert "evidence/registry.py" not in found, "a new kind leaves the others alone"


def test_a_generated_header_depends_on_all_that_prints_it() -> None:
    found = names(Library(), printing.__name__)
    assert {"emit/printer.py", "model/variants.py"} <= found
    assert not [name for name in found if name.startswith("evidence/")]


def test_every_file_of_the_closure_is_read_as_it_is_written() -> None:
    library = Library()
    for module in (kind.module for kind in registry.KINDS):
        assert all(file.is_relative_to(LIBRARY) and file.is_file() for file in library.closure(module))
