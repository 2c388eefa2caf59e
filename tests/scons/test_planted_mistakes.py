"""The C suite finds mistakes that are planted in the allocator."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

if TYPE_CHECKING:
    from tests.scons.conftest import Project

MEMORY_CALLS = {"mmap", "mmap64", "munmap", "mremap", "madvise", "mprotect", "brk", "sbrk"}

# the file, the original text, its replacement: mistakes in the handling of failed system calls
FAULTS = [
    ("heap/arena_chunk.c", "    if (chunk == NULL) return NULL;\n    *age", "    *age"),
    ("heap/large.c", "    if (extent == NULL) return NULL;\n    bool mapped", "    bool mapped"),
]


# the module's own test, then the same columns: mistakes that requests show rarely or never
MODULES = [
    ("test_page_arena", "heap/arena_runs.c", "first > 0 && arena_is_free_edge(chunk, first - 1)", "false"),
    ("test_os", "os/os.c", "    int saved = errno;\n    if (is_open", "    int saved = 0;\n    if (is_open"),
    ("test_tiny_registry", "registry/tiny_registry.c", "if (TINY_TAG_OWNER(old) == 0) return;", "return;"),
    (
        "test_large_blocks",
        "heap/large_extents.c",
        "before == NULL || before->size +",
        "true || before->size +",
    ),
]


def test_a_mistake_in_a_module_is_noticed_by_its_test(project: Project, cc: str) -> None:
    for test, name, good, bad in MODULES:
        program = f"build/phase2-release-{cc}/bin/{test}"
        original = project.read(f"csrc/{name}")
        project.edit(f"csrc/{name}", good, bad)
        project.build(program)
        done = subprocess.run([project.path(program)], capture_output=True, text=True, check=False)
        assert done.returncode != 0, f"csrc/{name} without {good!r} passes"
        project.write(f"csrc/{name}", original)


def test_a_failure_of_the_system_that_is_taken_badly_is_noticed(project: Project, cc: str) -> None:
    program = f"build/phase2-release-{cc}/bin/test_faults"
    for name, good, bad in FAULTS:
        original = project.read(f"csrc/{name}")
        project.edit(f"csrc/{name}", good, bad)
        project.build(program)
        done = subprocess.run([project.path(program)], capture_output=True, text=True, check=False)
        assert done.returncode == 1, f"csrc/{name} without {good!r} passes"
        assert "failed: the process" in done.stderr
        project.write(f"csrc/{name}", original)


def undefined(file: Path) -> set[str]:
    """The undefined symbols of an object."""
    with file.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        return {symbol.name for symbol in table.iter_symbols() if symbol["st_shndx"] == "SHN_UNDEF"}


def test_only_one_file_asks_the_system_for_memory(built: Path) -> None:
    objects = list(built.glob("build/*/obj/**/*.o"))
    assert len({file.name for file in objects}) > 5
    callers = {file.stem for file in objects if undefined(file) & MEMORY_CALLS}
    assert callers == {"os"}
