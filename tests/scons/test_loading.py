"""The variant whose library can be loaded late, whatever its thread-local state takes."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

if TYPE_CHECKING:
    from tests.scons.conftest import Project

STATIC_TLS = 0x10  # of DT_FLAGS: dlopen has to find room in the space that was set aside at start


def has_static_tls(project: Project, cell: str) -> bool:
    with project.path(f"build/{cell}/libhakmem.so").open("rb") as file:
        dynamic = ELFFile(file).get_section_by_name(".dynamic")
        assert isinstance(dynamic, DynamicSection)
        return any(tag.entry.d_val & STATIC_TLS for tag in dynamic.iter_tags("DT_FLAGS"))


def test_the_tls_model_is_the_specs_and_a_library_with_the_dynamic_one_can_be_loaded_late(
    project: Project, cc: str
) -> None:
    names = ("test_dlopen", "test_new_replaced", "test_static")
    cell = f"build/late-release-{cc}"
    project.build("variant=late,phase2", "libs", *(f"{cell}/bin/{name}" for name in names))
    assert has_static_tls(project, f"phase2-release-{cc}")
    assert not has_static_tls(project, f"late-release-{cc}")
    for name in names:
        run = subprocess.run(
            [project.path(f"{cell}/bin/{name}")], cwd=project.root, capture_output=True, text=True
        )
        # 77: in C++, and no C++ compiler is here
        assert run.returncode in ((0, 77) if name == "test_new_replaced" else (0,)), run.stdout + run.stderr
