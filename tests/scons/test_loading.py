"""Loading a library: with dlopen, for each TLS model; into a process with raised privileges."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scons.conftest import Project

STATIC_TLS = 0x10  # of DT_FLAGS: dlopen must find room in the space that was reserved at start


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
        # 77: the source is C++, and there is no C++ compiler
        assert run.returncode in ((0, 77) if name == "test_new_replaced" else (0,)), run.stdout + run.stderr


SAYS_WHAT_IT_DOES = """
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>

int main(void)
{
    free(malloc(100));
    printf("%lu\\n", getauxval(AT_SECURE));
    return 0;
}
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a program set-user-id of someone else")
def test_a_process_with_raised_rights_reads_nothing_from_the_environment(
    project: Project, cc: str, tmp_path: Path
) -> None:
    project.build("variant=phase0", "mode=debug", "libs")
    source, program = tmp_path / "says.c", tmp_path / "says"
    source.write_text(SAYS_WHAT_IT_DOES, encoding="utf-8")
    library = project.path(f"build/phase0-debug-{cc}/libhakmem.a")
    subprocess.run([cc, source, "-o", program, library, "-pthread"], check=True)

    def run() -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "HAKMEM_DEBUG": "1"}
        return subprocess.run([program], env=environment, capture_output=True, text=True, check=True)

    usual = run()
    assert "[hakmem:tiny_state.init]" in usual.stderr
    assert usual.stdout == "0\n"
    os.chown(program, 65534, 65534)
    program.chmod(0o4755)
    raised = run()
    if raised.stdout == "0\n":
        pytest.skip(f"{tmp_path} is mounted without set-user-id")
    assert raised.stderr == ""
