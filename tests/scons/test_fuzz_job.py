"""`scons fuzz` in another project: a finding is recorded and fails the job; missing tools are reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from layermatrix.build.toolchain import Toolchain, find_compilers, fuzzer_missing

if TYPE_CHECKING:
    from tests.scons.conftest import Project

FUZZER = """
#include <stddef.h>
#include <stdlib.h>
#include "pool.h"
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size)
{
    void *buffer = pool_take(0);
    pool_give(0, buffer);
    if (size > 1 && bytes[0] == 'o' && bytes[1] == 'k') abort();
    return 0;
}
"""


@pytest.fixture
def fuzzed(foreign: Project) -> Project:
    foreign.write("tests/fuzz_pool.c", FUZZER)
    foreign.write("tests/seeds/one", "o")
    foreign.edit("variants/matrix.yaml", "mode: [release, debug]", "mode: [debug]\n  sanitizer: [none, asan]")
    wanted = "fuzz: {sources: tests/fuzz_*.c, corpus: tests/seeds}"
    foreign.edit("variants/matrix.yaml", "programs: {", f"{wanted}\nprograms: {{")
    flags = '{"CCFLAGS": ["-fsanitize=address"], "LINKFLAGS": ["-fsanitize=address"]}'
    foreign.edit("SConstruct", "sanitizers={}", f'sanitizers={{"asan": {flags}}}')
    foreign.edit(
        "SConstruct",
        "    tests = cell.LayeredTests(libraries)\n",
        "    tests = cell.LayeredTests(libraries)\n"
        '    cell.LayeredFuzzers(CCFLAGS=["-fsanitize=fuzzer-no-link"], LINKFLAGS=["-fsanitize=fuzzer"])\n',
    )
    return foreign


def test_what_breaks_is_found_recorded_and_reported(fuzzed: Project, cc: str) -> None:
    clang = find_compilers(("clang",))["clang"]
    missing = fuzzer_missing(clang) if isinstance(clang, Toolchain) else clang.reason
    if missing:
        pytest.skip(missing)
    fuzzed.edit("variants/matrix.yaml", f"compiler: [{cc}]", "compiler: [clang]")
    run = fuzzed.scons("variant=small", "seconds=20", "fuzz")
    assert run.status == 1, run.stderr
    assert "small-debug-clang-asan: fuzz_pool: found, " in run.stdout
    (program,) = fuzzed.record("small-debug-clang-asan", "fuzz")["programs"]
    (finding,) = program["findings"]
    assert fuzzed.path(finding).read_bytes().startswith(b"ok")
    assert program["command"] in run.stdout
    fuzzed.edit("tests/fuzz_pool.c", "bytes[1] == 'k') abort();", "bytes[1] == 'k') return 0;")
    run = fuzzed.build("variant=small", "seconds=1", "fuzz")
    assert "small-debug-clang-asan: fuzz_pool: clean, " in run.stdout


def test_without_clang_it_names_what_is_missing(fuzzed: Project) -> None:
    fuzzed.edit("variants/matrix.yaml", "compiler: [", "compiler: [zig] #[")
    run = fuzzed.scons("compiler=zig", "fuzz")
    assert run.status in (2, 3), "zig has no fuzzer, or is not installed"
    assert "zig" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_project_with_nothing_to_fuzz_reports_it(foreign: Project) -> None:
    run = foreign.scons("compiler=all", "sanitizer=all", "fuzz")
    assert run.status == 2
    assert run.stderr.startswith("nothing to fuzz: ")
