"""The plugin in a project that is not a malloc: a buffer pool in foreign/."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.scons.conftest import Project


def test_one_variant_of_another_system_is_built_and_checked(foreign: Project, cc: str) -> None:
    run = foreign.build("variant=small", "checks")
    assert run.cells == {f"small-release-{cc}"}
    folder = foreign.path(f"build/small-release-{cc}")
    for name in ("gen/pool_gen.h", "gen/unit_gen.c", "libpool.so", "libpool.a", "bin/test_pool"):
        assert (folder / name).is_file()
    assert foreign.record(f"small-release-{cc}", "asm")["entries"]["take"]["instructions"] > 0
    assert foreign.record(f"small-release-{cc}", "guards")["debug_strings"]["count"] == 0
    code = foreign.record(f"small-release-{cc}", "code")
    assert code["header"]["lines"] == len(
        foreign.read(f"build/small-release-{cc}/gen/pool_gen.h").splitlines()
    )
    assert code["entries"]["take"]["runtime_checks"] == 0
    assert code["sources"] == {"files": 2, "conditional_paths": 1}
    for kind, name in (("tests", "test_pool"), ("programs", "echo")):
        (program,) = foreign.record(f"small-release-{cc}", kind)["programs"]
        assert (program["name"], program["status"]) == (name, "passed")
    assert foreign.build("variant=small", "checks").actions == []


def test_modules_are_compiled_apart_where_the_variant_reports_it(foreign: Project, cc: str) -> None:
    run = foreign.build("libs")
    assert run.made("CC") == [f"apart-release-{cc}/pool.o", f"small-release-{cc}/unit_gen.o"]


def test_debug_messages_are_found_in_debug_and_not_in_release(foreign: Project, cc: str) -> None:
    foreign.build("mode=all", "evidence")
    for variant in ("small", "apart"):
        talks = foreign.record(f"{variant}-debug-{cc}", "guards")
        silent = foreign.record(f"{variant}-release-{cc}", "guards")
        assert (talks["debug_strings"]["count"], talks["verdict"]) == (1, "found")
        assert (silent["debug_strings"]["count"], silent["verdict"]) == (0, "absent")
        assert [check["status"] for check in silent["checks"][:3]] == ["passed"] * 3


def test_a_project_that_prints_nothing_of_its_debug_code_has_its_messages_counted(
    foreign: Project, cc: str
) -> None:
    foreign.edit("variants/layers.yaml", "  debug: {macro: POOL_TALKS, prints: [fprintf]}\n", "")
    foreign.build("variant=small", "checks")
    record = foreign.record(f"small-release-{cc}", "guards")
    passed = [check["name"] for check in record["checks"] if check["status"] == "passed"]
    assert passed == ["nothing left"]
    foreign.edit("src/pool.c", "#ifdef POOL_TALKS", "#if 1")
    run = foreign.scons("variant=small", "checks")
    assert run.status == 2
    assert "src/pool.c:12:1: error: fprintf in" in run.stderr


def test_the_main_job_builds_times_and_reports(foreign: Project, cc: str) -> None:
    run = foreign.build("rounds=2")
    assert "apart" in run.stdout
    assert "build/report/index.html" in run.stdout
    results = json.loads(foreign.read("build/report/results.json"))
    assert "churn" in foreign.read(f"build/report/cells/apart-release-{cc}.html")
    assert {cell["id"] for cell in results["cells"]} == {f"apart-release-{cc}", f"small-release-{cc}"}
    for cell in results["cells"]:
        assert len(cell["bench"]["loads"]["churn"]["samples"]) == 2
        assert cell["failed"] is None


def test_a_program_that_is_linked_with_the_library_needs_it(foreign: Project) -> None:
    foreign.edit("variants/matrix.yaml", "    link: preloaded\n", "")
    run = foreign.scons("benches")
    assert run.status == 2
    assert run.stderr.startswith("LayeredBenches('src/bench/bench_*.c') needs the cell's libraries as second")


def test_timings_are_kept_while_library_and_benchmark_are_the_same(foreign: Project, cc: str) -> None:
    def times() -> dict[str, int]:
        return {
            variant: foreign.path(f"build/{variant}-release-{cc}/evidence/bench.json").stat().st_mtime_ns
            for variant in ("apart", "small")
        }

    foreign.build("phases")
    first = times()
    foreign.build("phases")
    assert times() == first
    foreign.edit("variants/apart.yaml", "doc: The same", "add: []\ndoc: Nearly the same")
    foreign.edit("src/pool.c", "#ifdef POOL_TALKS", "    if (class == 77) return NULL;\n#ifdef POOL_TALKS")
    foreign.build("phases", "variant=apart")
    second = times()
    assert second["apart"] > first["apart"]
    assert second["small"] == first["small"]
    foreign.build("bench")
    assert times()["small"] > first["small"]


def test_the_matrix_job_has_a_line_for_every_cell(foreign: Project, cc: str) -> None:
    run = foreign.build("matrix")
    for cell in (f"apart-release-{cc}", f"apart-debug-{cc}", f"small-release-{cc}", f"small-debug-{cc}"):
        assert cell in run.stdout
    assert foreign.path("build/report/junit.xml").is_file()


def test_a_part_of_the_matrix_is_not_narrowed_by_the_defaults(foreign: Project, cc: str) -> None:
    foreign.build("matrix", "variant=small")
    results = json.loads(foreign.read("build/report/results.json"))
    assert [cell["id"] for cell in results["cells"]] == [f"small-release-{cc}", f"small-debug-{cc}"]


def test_the_report_is_written_anew_from_what_is_there(foreign: Project, cc: str) -> None:
    foreign.build("variant=small", "phases")
    foreign.path("build/report/results.json").unlink()
    foreign.write("README.md", "# Pool\n\n<!-- generated: variants -->\n<!-- end -->\n")
    run = foreign.build("report", "--accept")
    assert "accepted: docs/variants.results.json\naccepted: README.md" in run.stdout
    assert "| **small** |" in foreign.read("README.md")
    assert run.actions == []
    results = json.loads(foreign.read("build/report/results.json"))
    assert [cell["id"] for cell in results["cells"]] == [f"small-release-{cc}"]


def test_a_report_of_nothing_reports_it(foreign: Project) -> None:
    run = foreign.scons("report")
    assert run.status == 1
    assert run.stderr == "nothing has been built yet; scons builds and measures the default cells\n"


def test_libraries_alone_need_no_programs_in_the_graph(foreign: Project, cc: str) -> None:
    """A build of many libraries with nothing to do would spend most of its time on them."""
    path = f"build/small-release-{cc}/bin/test_pool"
    assert path not in foreign.would("--tree=all", "variant=small", "libs").stdout
    assert path in foreign.would("--tree=all", "variant=small", "libs", path).stdout
