"""examples/symbol_lookup with the installed wheel: a hot path that is not an allocator."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.scons.conftest import COMPILER, ROOT, Stranger
from tests.scons.wheels import run

from layermatrix.evidence import determinism

EXAMPLE = ROOT / "examples/symbol_lookup"
AXES = ("variant", "mode", "compiler", "frame", "plt")
VARIANTS = ("scan", "hashed", "cached", "interned")
OF_ALLOCATORS = re.compile(r"malloc|hakmem|superslab|size class|block|\bfree\b|mops", re.IGNORECASE)


@pytest.fixture(scope="module")
def lookup(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    """The example in a folder of its own. Each test continues with the build of the previous tests."""
    root = tmp_path_factory.mktemp("example") / "symbol_lookup"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns("build"))
    project = Stranger(root, python)
    project.edit("variants/matrix.yaml", "compiler: [gcc, clang]", f"compiler: [{COMPILER.name}]")
    project.edit("variants/matrix.yaml", "--ops, 2000000", "--ops, 200000")
    return project


def results(project: Stranger) -> Any:
    return json.loads(project.read("build/report/results.json"))


def cells(*variants: str, mode: str = "release") -> set[str]:
    return {f"{variant}-{mode}-{COMPILER.name}" for variant in variants}


def test_it_is_small_and_uses_nothing_of_this_repository(lookup: Stranger) -> None:
    assert len(lookup.read("variants/layers.yaml").splitlines()) <= 40
    code = "import layermatrix, sys; print(layermatrix.__file__, *sys.path, sep='\\n')"
    for line in run(lookup.python, "-c", code, folder=lookup.root).stdout.splitlines():
        assert not Path(line).is_relative_to(ROOT)


def test_help_and_lists_speak_of_lookups(lookup: Stranger) -> None:
    for words in (["list"], ["explain", "variant=cached"], ["-h"]):
        assert not OF_ALLOCATORS.search(lookup.build(*words).stdout), words


def test_headers_and_libraries_of_every_variant_are_made(lookup: Stranger) -> None:
    lookup.build("headers", "libs")
    for cell in cells(*VARIANTS):
        for name in ("gen/symbols_gen.h", "libsymbols.so", "libsymbols.a"):
            assert lookup.path(f"build/{cell}/{name}").is_file()
    assert "SYMBOLS_COMPARE 0" in lookup.read(f"build/interned-release-{COMPILER.name}/gen/symbols_gen.h")


def test_every_kind_of_evidence_is_established(lookup: Stranger) -> None:
    lookup.build("checks")
    for cell in cells(*VARIANTS):
        (program,) = lookup.record(cell, "tests")["programs"]
        assert (program["name"], program["status"]) == ("test_symbols", "passed")
        assert lookup.record(cell, "asm")["entries"]["lookup"]["instructions"] > 0
        assert lookup.record(cell, "code")["header"]["name"] == "symbols_gen.h"
        assert lookup.record(cell, "guards")["status"] == "measured"
    (budget,) = cells("interned")
    assert {figure["metric"] for figure in lookup.record(budget, "budget")["figures"]} == {
        "hit_instructions",
        "calls",
    }
    assert lookup.build("checks").actions == []


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_an_inlined_load_is_counted_and_each_layer_makes_it_cheaper(lookup: Stranger) -> None:
    lookup.build("evidence")
    counted = [
        lookup.record(f"{name}-release-{COMPILER.name}", "counters")["loads"]["loop"] for name in VARIANTS
    ]
    instructions = [load["per_op"]["instructions"] for load in counted]
    assert instructions == sorted(instructions, reverse=True)
    assert [load["own_share"] for load in counted] == [{}] * len(VARIANTS)  # nothing can be subtracted


def layermatrix(lookup: Stranger, *words: str) -> str:
    """The output of the command, which must succeed."""
    done = run(lookup.python.with_name("layermatrix"), *words, folder=lookup.root)
    assert done.returncode == 0, done.stderr
    return done.stdout


def deterministic(lookup: Stranger, cell: str) -> dict[str, bytes]:
    """The records of a cell without what differs between runs."""
    kinds = ("asm", "budget", "code", "counters", "guards", "tests")
    found = {kind: determinism.canonical(lookup.record(cell, kind)) for kind in kinds}
    return {kind: json.dumps(record).encode() for kind, record in found.items()}


def test_a_host_with_nothing_but_python_gives_the_same_evidence(lookup: Stranger, tmp_path: Path) -> None:
    (cell,) = cells("cached")
    lookup.build("evidence", "variant=cached")
    here = deterministic(lookup, cell)
    assert f"{cell}/bundle.pyz" in layermatrix(lookup, "bundle", "variant=cached")
    bundle = tmp_path / "moved.pyz"
    shutil.copy(lookup.path(f"build/{cell}/bundle.pyz"), bundle)
    digest = hashlib.sha256(bundle.read_bytes()).hexdigest()
    assert lookup.read(f"build/{cell}/bundle.sha256") == f"{digest}  bundle.pyz\n"
    assert lookup.build("evidence", "variant=cached").actions == []  # a bundle alone changes nothing
    result = lookup.path(f"build/results/{digest}.json")
    result.parent.mkdir()
    command = [sys.executable, "-I", "-S", str(bundle), str(result)]
    subprocess.run(command, cwd=tmp_path, env={}, check=True, timeout=120)
    lookup.path(f"build/{cell}/evidence/tests.json").unlink()
    again = lookup.build("evidence", "variant=cached")
    assert {"RESULT", "EVIDENCE"} == {action.split()[0] for action in again.actions}
    assert lookup.record(cell, "tests")["programs"] == record_of(result, "tests")["programs"]
    assert deterministic(lookup, cell) == here
    assert lookup.build("evidence", "variant=cached").actions == []


def record_of(result: Path, step: str) -> Any:
    steps = json.loads(result.read_text(encoding="utf-8"))["steps"]
    return next(one["record"] for one in steps if one["name"] == step)


def test_after_a_change_the_result_of_the_old_bundle_is_not_used(lookup: Stranger) -> None:
    (cell,) = cells("cached")
    lookup.edit("tests/test_symbols.c", "int main(void)\n{\n", 'int main(void)\n{\n    puts("changed");\n')
    lookup.build("evidence", "variant=cached")
    (check,) = lookup.record(cell, "tests")["programs"]
    assert "changed" in check["log"]
    assert lookup.build("evidence", "variant=cached").made("EVIDENCE") == []
    assert lookup.build("evidence", "variant=cached").actions == []
    assert "tests: 1 passed" in layermatrix(lookup, "run-bundle", f"build/{cell}/bundle.pyz")
    assert "RESULT" in {action.split()[0] for action in lookup.build("evidence", "variant=cached").actions}
    (check,) = lookup.record(cell, "tests")["programs"]
    assert "changed" in check["log"]


def test_the_matrix_job_times_what_is_inlined_and_reports_it(lookup: Stranger) -> None:
    run = lookup.build("variant=hashed,cached", "rounds=2", "matrix")
    assert cells("hashed", "cached") | cells("hashed", "cached", mode="debug") <= set(run.stdout.split())
    timed = {
        cell["id"]: cell["bench"]["loads"]["loop"]
        for cell in results(lookup)["cells"]
        if cell["mode"] == "release"
    }
    assert timed.keys() >= cells("hashed", "cached")  # and those of the own axes
    for load in timed.values():
        assert (load["unit"], len(load["samples"])) == ("M lookups/s", 2)
        assert load["ratio"]["reason"] == "there is no baseline"


def test_a_program_that_loads_another_library_has_no_speed(
    lookup: Stranger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cell,) = cells("cached")
    library = lookup.path(f"build/{cell}/libsymbols.so")
    other = shutil.copy(library, tmp_path)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    lookup.edit(
        "SConstruct", "env = Environment(\n", "import os\n\nenv = Environment(\n    ENV=os.environ,\n"
    )
    lookup.scons("variant=cached", "rounds=1", "bench")
    reason = lookup.record(cell, "bench")["reason"]
    assert reason == f"bench_loop was run without {library}; it loaded {other}"
    monkeypatch.delenv("LD_LIBRARY_PATH")
    lookup.build("variant=cached", "rounds=2", "phases")


def test_a_variant_is_set_beside_itself_without_each_layer(lookup: Stranger) -> None:
    run = lookup.build("variant=cached", "rounds=2", "ablate")
    assert "M lookups/s" in run.stdout
    (comparison,) = json.loads(lookup.read("build/report/experiments.json"))["comparisons"].values()
    names = [side["variant"] for side in comparison["sides"]]
    assert names == ["cached", "cached_without_inline_cache", "cached_without_hash_table"]


def test_a_question_is_answered_without_a_baseline(lookup: Stranger) -> None:
    run = lookup.build("rounds=6", "ab")
    assert "Is an inline cache in front of a hash table worth its cost?" in run.stdout
    assert "cached" in next(line for line in run.stdout.splitlines() if line.startswith("Verdict: "))


def test_no_report_speaks_of_an_allocator(lookup: Stranger) -> None:
    lookup.build("report")
    page = f"cells/cached-release-{COMPILER.name}.html"
    for name in ("index.html", "results.md", "results.json", "junit.xml", page):
        # what is code is not read: the style, and the scripts except their data
        text = re.sub(r"<(style|script)>.*?</\1>", "", lookup.read(f"build/report/{name}"), flags=re.DOTALL)
        assert OF_ALLOCATORS.findall(text) == [], name


def test_the_preset_has_every_pair_of_values_in_a_cell_that_passes(lookup: Stranger) -> None:
    cells = lookup.build("export", "preset=ci").stdout
    rows = [{axis: row[axis] for axis in AXES} for row in json.loads(cells)["include"]]
    found = {pair for row in rows for pair in itertools.combinations(row.items(), 2)}
    assert len(rows) < 4 * 2 * 2 * 2
    assert {("frame", "kept"), ("plt", "none")} <= {part for pair in found for part in pair}
    assert len({pair for pair in found if pair[0][0] == "variant"}) == len(VARIANTS) * 7
    lookup.build("figures", "preset=ci")
    for row in rows:
        if (row["frame"], row["plt"]) == ("kept", "none"):
            name = f"{row['variant']}-{row['mode']}-{COMPILER.name}-frame-kept-plt-none"
            assert lookup.path(f"build/{name}/libsymbols.so").is_file()
