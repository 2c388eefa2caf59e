"""Random traces find mistakes in an allocator, are shortened, and are saved so that they can be replayed."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cells import traces

if TYPE_CHECKING:
    from tests.scons.conftest import Project

ROOT = Path(__file__).resolve().parents[2]
# A mistake is found long before this limit. The drawn traces depend on all loaded modules.
EXAMPLES = 1000
SHORT = 40


@pytest.fixture(scope="module")
def program(compiler: Sequence[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`test_trace` on the system's malloc. Another allocator can be preloaded."""
    made = tmp_path_factory.mktemp("traces") / "test_trace"
    source = ROOT / "tests/csrc/test_trace.c"
    subprocess.run([*compiler, "-O1", "-fno-builtin", "-pthread", "-o", made, source], check=True)
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.trace"


def test_a_malloc_without_mistakes_serves_every_trace(program: Path, tmp_path: Path) -> None:
    traces.check(program, tmp_path, SHORT)
    assert list(tmp_path.iterdir()) == []
    subprocess.run([program], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(
    ("mistake", "length", "what"),
    [
        ("OVERLAP", 2, "overlap b"),
        ("CONTENTS", 2, "byte 0 of the"),
        ("ALIGNMENT", 1, "is not aligned to 256"),
        ("ZERO", 1, "is not zero"),
    ],
)
def test_a_planted_mistake_is_found_and_made_short(
    mistake: str, length: int, what: str, program: Path, compiler: Sequence[str], tmp_path: Path
) -> None:
    library, source = tmp_path / "faulty.so", Path(__file__).with_name("faulty_malloc.c")
    how = ["-shared", "-fPIC", "-fno-builtin", f"-DPLANT={mistake}"]
    subprocess.run([*compiler, *how, "-o", library, source], check=True)
    with pytest.raises(traces.BrokenTraceError) as found:
        traces.check(program, tmp_path / "traces", EXAMPLES, {"LD_PRELOAD": str(library)})
    lines = found.value.file.read_text().splitlines()
    assert len(lines) == length, lines
    assert what in str(found.value)
    replay = str(found.value).splitlines()[-1].removeprefix("replay: ")
    again = subprocess.run(["env", *shlex.split(replay)], capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert what in again.stderr
    assert again.stderr.startswith(f"{found.value.file}:{len(lines)}: {lines[-1]}: ")


def test_a_faulty_allocator_fails_its_cell_and_leaves_the_trace_there(project: Project, cc: str) -> None:
    project.edit(
        "csrc/entry/hakmem.c", "block, has < size ? has : size)", "block, has < size ? has : size / 2)"
    )
    for all_of_them, one in (
        ("tests/csrc/test_*.c, tests/cxx/test_*.cc", "tests/csrc/test_trace.c"),
        ("  static: tests/static/test_*.c*", "  # static:"),
        ("  alone: tests/alone/test_*.c*", "  # alone:"),
        ("  inside: tests/inside/test_*.c", "  # inside:"),
        ("tests/cells/test_*.py", "tests/cells/test_traces.py"),
        ("    test_soak:", "    # test_soak:"),
        ("    test_decay:", "    # test_decay:"),
        ("    test: test_misuse", "    test: test_trace"),
    ):
        project.edit("variants/matrix.yaml", all_of_them, one)
    for key in ("native", "long", "thorough"):  # they name tests that are no longer there
        matrix = project.read("variants/matrix.yaml")
        project.write("variants/matrix.yaml", re.sub(rf"  {key}:\s*\[.*?\]\n", "", matrix, flags=re.S))
    cell = f"phase2-release-{cc}"
    run = project.scons("variant=phase2", f"build/{cell}/evidence/tests.json")
    assert run.status == 2
    assert "2 of 2 failed: test_trace, test_traces.py" in run.stderr
    log = project.record(cell, "tests")["programs"][1]["log"]
    (saved,) = project.path(f"build/{cell}/traces").glob("*.trace")
    assert f"build/{cell}/bin/test_trace build/{cell}/traces/{saved.name}" in log
    assert len(saved.read_text().splitlines()) == 2  # an allocation, and the realloc that loses its contents


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("t0 malloc b1 8\nt0 mallok b1 8\n", "2: error: there is no operation mallok"),
        ("t16 free b1\n", "1: error: the thread must be t0 to t15, not t16"),
        ("t0 free 1\n", "1: error: the block must be b0 to b4095, not 1"),
        ("# all\nt0 malloc b1\n", "2: error: the size is missing"),
        ("t0 malloc b1 -1\n", "1: error: the size must be 0 to 67108864, not -1"),
        ("t0 calloc b1 65536 65536\n", "1: error: more than 67108864 bytes are wanted"),
        ("t0 aligned b1 24 8\n", "1: error: the alignment must be a power of two, not 24"),
        ("t0 exit b1\n", "1: error: more words than an operation has"),
    ],
)
def test_a_mistake_in_a_trace_is_reported_with_its_line(
    text: str, what: str, program: Path, file: Path
) -> None:
    file.write_text(text)
    done = subprocess.run([program, file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, f"{file}:{what}\n")


def test_a_random_run_can_be_printed_and_replayed(program: Path, file: Path) -> None:
    words = ["--print", "--ops", "500", "--seed", "7"]
    printed = subprocess.run([program, *words], capture_output=True, check=True)
    file.write_bytes(b"# by hand\n\n" + printed.stdout)
    for how in ([], ["--free-running"]):
        done = subprocess.run([program, file, *how], capture_output=True, text=True, check=True)
        assert done.stdout == "500 operations\n"


@pytest.mark.parametrize("words", [["--ops"], ["--ops", "0"], ["--threads", "17"], ["--no"], ["a", "b"]])
def test_words_that_are_not_understood_are_refused(words: list[str], program: Path) -> None:
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "is not understood" in done.stderr
