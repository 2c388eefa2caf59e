"""Debug code in a release fails the build, and the message names the line in the user's file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tests.scons.conftest import Project, Run, copy_tree

LAYER = "templates/layers/tls_sll.h.j2"
POOL = "csrc/heap/pool_superslabs.c"
FRONT = "csrc/front/tiny_front.h"  # the header is compiled with this file
ALWAYS = '#ifdef HAKMEM_DEBUG_OUTPUT\n    __asm__ volatile("nop");\n#endif\n'
UNCLEAR = "#if HAKMEM_DEBUG_OUTPUT && 1\n#endif\n"
PRINT = '    fprintf(stderr, "superslabs %d\\n", 1);\n'


@pytest.fixture
def project(checked: Path, tmp_path: Path) -> Project:
    copy_tree(checked, tmp_path / "project")
    return Project(tmp_path / "project")


def line_of(project: Project, name: str, text: str) -> int:
    """The number of the line that begins with this text."""
    lines = project.read(name).splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.startswith(text.rstrip("\n")))


def guards(project: Project, cc: str, variant: str = "phase3", mode: str = "release") -> Run:
    """The evidence `guards` of one cell, after a build."""
    return project.scons(f"variant={variant}", f"mode={mode}", record_path(variant, mode, cc))


def record_path(variant: str, mode: str, cc: str) -> str:
    return f"build/{variant}-{mode}-{cc}/evidence/guards.json"


def failed(project: Project, cc: str, variant: str = "phase3", mode: str = "release") -> dict[str, Any]:
    """The checks that failed: name -> their mistakes."""
    checks = project.record(f"{variant}-{mode}-{cc}", "guards")["checks"]
    return {check["name"]: check["mistakes"] for check in checks if check["status"] == "failed"}


def plant(project: Project, name: str, text: str) -> None:
    """Insert a statement after a debug statement of the file, inside the function that contains it."""
    passage_of = (
        r"{{ debug\.message\(.*\n" if name == LAYER else r"\[hakmem:shared_pool\.map\][\s\S]*?\n#endif\n"
    )
    (passage,) = re.findall(passage_of, project.read(name))
    project.edit(name, passage, passage + text)


def include_stdio(project: Project, name: str) -> None:
    project.edit(name, '#include "debug/messages.h"\n', '#include "debug/messages.h"\n#include <stdio.h>\n')


def test_an_unguarded_print_in_a_layer_fails_with_the_templates_line(project: Project, cc: str) -> None:
    include_stdio(project, FRONT)
    plant(project, LAYER, PRINT)
    place = f"{LAYER}:{line_of(project, LAYER, PRINT)}:1: error:"
    run = guards(project, cc)
    assert run.status == 2
    assert place in run.stderr
    assert "is forbidden in a release: it is debug output" in run.stderr
    assert "layer tls_sll" in run.stderr
    assert "Traceback" not in run.stderr
    (mistake,) = failed(project, cc).pop("nothing left")
    assert mistake.startswith(place)


def test_an_unguarded_print_in_a_c_file_fails_with_its_line_until_it_is_gone(
    project: Project, cc: str
) -> None:
    include_stdio(project, POOL)
    good = project.read(POOL)
    plant(project, POOL, PRINT)
    for _ in range(2):  # a failed check is run again in each build
        run = guards(project, cc)
        assert run.status == 2
        assert f"{POOL}:{line_of(project, POOL, PRINT)}:1: error: fprintf in" in run.stderr
        assert f"EVIDENCE phase3-release-{cc}/evidence/guards.json" in run.actions
    assert list(failed(project, cc)) == ["nothing left"]
    project.write(POOL, good)
    assert guards(project, cc).status == 0
    assert failed(project, cc) == {}


def test_debug_code_whose_guard_always_holds_is_not_the_same_code(project: Project, cc: str) -> None:
    plant(project, POOL, ALWAYS)
    run = guards(project, cc)
    assert run.status == 2
    (mistake, *_) = failed(project, cc)["same code"]
    assert mistake.startswith(f"{POOL}:")
    assert "changes without debug code: .text differs" in mistake
    assert list(failed(project, cc)) == ["same code"]


def test_two_statements_with_one_sentinel_fail_with_both_places(project: Project, cc: str) -> None:
    project.edit("csrc/thread/tiny_lifecycle.c", "[hakmem:tiny_lifecycle.detach]", "[hakmem:shared_pool.map]")
    run = guards(project, cc)
    assert run.status == 2
    assert list(failed(project, cc)) == ["statements"]
    first, second = (
        line_of_part(project, name, "[hakmem:shared_pool.map]")
        for name in (POOL, "csrc/thread/tiny_lifecycle.c")
    )
    taken = "the sentinel '[hakmem:shared_pool.map]' is already used at"
    places = (f"{POOL}:{first}", f"csrc/thread/tiny_lifecycle.c:{second}")
    assert any(f"{one}:1: error: {taken} {other}" in run.stderr for one, other in (places, places[::-1]))


def line_of_part(project: Project, name: str, text: str) -> int:
    return next(n for n, line in enumerate(project.read(name).splitlines(), 1) if text in line)


def test_a_statement_that_a_debug_build_does_not_have_fails_the_control(project: Project, cc: str) -> None:
    text = 'if (UNLIKELY(hak_debug_on)) hak_debug_print("[hakmem:tiny_lifecycle.detach]'
    project.edit("csrc/thread/tiny_lifecycle.c", text, text.replace("hak_debug_on", "hak_debug_on && false"))
    run = guards(project, cc, mode="debug")
    assert run.status == 2
    line = line_of_part(project, "csrc/thread/tiny_lifecycle.c", "[hakmem:tiny_lifecycle.detach]")
    what = "the message [hakmem:tiny_lifecycle.detach] is compiled in, but libhakmem.so lacks it"
    wrong = failed(project, cc, mode="debug")
    assert wrong == {"control": [f"csrc/thread/tiny_lifecycle.c:{line}:1: error: {what}"]}


def test_a_guard_that_cannot_be_taken_apart_is_an_error_at_its_line(project: Project, cc: str) -> None:
    plant(project, POOL, UNCLEAR)
    run = guards(project, cc)
    assert run.status == 2
    line = line_of(project, POOL, "#if HAKMEM_DEBUG_OUTPUT && 1")
    assert f"{POOL}:{line}:1: error: cannot tell what is left of this condition" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_changed_header_makes_the_same_objects_anew_with_and_without_debug_code(
    project: Project, cc: str
) -> None:
    cell = f"phase3-release-{cc}"
    project.append("csrc/heap/tiny_slabs.h", "// A thought.\n")
    made = guards(project, cc).made("CC")
    bare = {name.removeprefix(f"{cell}/bare/") for name in made if "/bare/" in name}
    assert bare == {name.removeprefix(f"{cell}/") for name in made if "/bare/" not in name}
    assert "heap/tiny_slabs.o" in bare
    assert "os/os.o" not in bare
    copy = project.path(f"build/{cell}/bare/src/csrc/heap/tiny_slabs.h")
    assert "// A thought." in copy.read_text(encoding="utf-8")
    assert guards(project, cc).actions == []
    project.build("-c", "variant=phase3", "mode=release", record_path("phase3", "release", cc))
    assert not copy.parent.exists()


def test_a_changed_macro_makes_every_object_without_debug_code_anew(project: Project, cc: str) -> None:
    folder = project.path(f"build/phase3-release-{cc}")
    project.edit("variants/layers.yaml", "macro: HAKMEM_DEBUG_OUTPUT ", "macro: HAKMEM_NO_SUCH_THING ")
    made = [name for name in guards(project, cc).made("CC") if "/bare/" in name]
    assert len(made) == len(list((folder / "bare/obj").rglob("*.o"))) > 50


def test_the_first_phase_counts_what_the_second_brings_to_zero(project: Project, cc: str) -> None:
    project.build(
        "variant=phase0,phase1", record_path("phase0", "release", cc), record_path("phase1", "release", cc)
    )
    before, after = (project.record(f"{name}-release-{cc}", "guards") for name in ("phase0", "phase1"))
    assert before["debug_strings"]["count"] == before["statements"]["count"] > 30
    assert {check["status"] for check in before["checks"]} == {"passed", "not claimed"}
    assert [check["name"] for check in before["checks"] if check["status"] == "passed"] == ["statements"]
    assert all(check["reason"].startswith("debug_output: always") for check in before["checks"][1:])
    assert before["forbidden"]["symbols"] == ["vsnprintf"]
    assert before["sources"]["csrc/debug/messages.c"]["forbidden"] == 1
    assert before["sources"]["layer tls_sll"]["strings"] > 0
    assert after["debug_strings"]["count"] == after["forbidden"]["count"] == 0
    assert [check["status"] for check in after["checks"]] == ["passed", "passed", "passed", "not claimed"]
