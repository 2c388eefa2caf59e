"""Test programs and preloaded programs: passed, failed, and not run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from layermatrix.core.records import Missing, NotMeasured
from layermatrix.evidence import programs, tests
from layermatrix.evidence.kind import Check, Status
from layermatrix.evidence.taking import programs as real
from layermatrix.evidence.taking import tests as taking

USES_IT = 'env LD_PRELOAD="$PRELOAD" true'


def script(path: Path, text: str, mode: int = 0o755) -> Path:
    """A script that runs one program with the library, and then this text."""
    path.write_text(f"#!/bin/sh\n{USES_IT}\n{text}\n", encoding="utf-8")
    path.chmod(mode)
    return path


def run_tests(*files: Path, timeout: float = 20, **how: Any) -> tuple[Check, ...]:
    record = taking.run(files, taking.Limits(timeout), **how)
    assert isinstance(record, tests.Tests)
    return record.programs


def one_test(tmp_path: Path, text: str, timeout: float = 20) -> Check:
    (result,) = run_tests(script(tmp_path / "test_it", text), timeout=timeout)
    return result


def run_preloaded(path: Path, library: Path, timeout: float = 20, **how: Any) -> Check:
    record = real.run_preloaded(path, library, timeout, **how)
    assert isinstance(record, programs.Programs)
    (result,) = record.programs
    return result


def one_preloaded(tmp_path: Path, library: Path, text: str, timeout: float = 20) -> Check:
    path = script(tmp_path / "real.sh", text)
    result = run_preloaded(path, library, timeout, workdir=tmp_path / "work")
    assert list((tmp_path / "work").iterdir()) == []
    return result


def test_exit_status_0_is_passed(tmp_path: Path) -> None:
    result = one_test(tmp_path, "echo fine")
    assert (result.name, result.status, result.reason, result.log) == (
        "test_it",
        Status.PASSED,
        None,
        "fine",
    )
    assert result.command == str(tmp_path / "test_it")


def test_any_other_status_is_failed_with_the_last_line_as_the_reason(tmp_path: Path) -> None:
    result = one_test(tmp_path, "echo first; echo 'test.c:7: lost a block' >&2; exit 1")
    assert (result.status, result.reason) == (Status.FAILED, "exit status 1: test.c:7: lost a block")
    assert result.log == "first\ntest.c:7: lost a block"


def test_a_crash_names_its_signal(tmp_path: Path) -> None:
    assert one_test(tmp_path, "kill -ABRT $$").reason == "killed by SIGABRT"


def test_exit_status_77_is_not_run_with_the_reason_that_was_given(tmp_path: Path) -> None:
    result = one_test(tmp_path, "echo needs 2 cores; exit 77")
    assert (result.status, result.reason) == (Status.NOT_RUN, "needs 2 cores")
    assert one_test(tmp_path, "exit 77").reason == "it gave no reason"


def test_a_program_that_hangs_is_failed(tmp_path: Path) -> None:
    result = one_test(tmp_path, "echo begun; sleep 60; exit 77", timeout=0.5)
    assert result.status is Status.FAILED
    assert str(result.reason).startswith("still running after ")
    assert result.log == "begun"


def test_of_a_long_log_the_end_is_kept(tmp_path: Path) -> None:
    lines = one_test(tmp_path, "seq 1 100").log.splitlines()
    assert lines == [str(number) for number in range(61, 101)]


def test_output_that_is_no_text_does_no_harm(tmp_path: Path) -> None:
    assert one_test(tmp_path, r"printf '\377\000'; exit 1").status is Status.FAILED


def test_a_test_runs_in_a_folder_of_its_own_without_the_users_settings(tmp_path: Path) -> None:
    here, home, files = one_test(tmp_path, "pwd; echo $HOME; touch left; ls").log.splitlines()
    assert here == home != os.environ.get("HOME")
    assert files == "left"
    assert not Path(here).exists()


def test_variables_that_are_handed_in_reach_the_program(tmp_path: Path) -> None:
    program = script(tmp_path / "test_it", 'test "$WORD" = given')
    assert run_tests(program, extra={"WORD": "given"})[0].status is Status.PASSED


def test_a_program_gets_the_arguments_for_its_name(tmp_path: Path) -> None:
    order = [script(tmp_path / name, "echo $*") for name in ("test_long", "test_short")]
    results = run_tests(*order, arguments={"test_long": ["--for", "60"]})
    assert [result.log for result in results] == ["--for 60", ""]


@pytest.mark.parametrize(
    ("body", "status"), [("assert 1 < 2", Status.PASSED), ("assert 2 < 1", Status.FAILED)]
)
def test_a_python_file_is_run_by_pytest(tmp_path: Path, body: str, status: Status) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(f"def test_it() -> None:\n    {body}\n", encoding="utf-8")
    (result,) = run_tests(file, timeout=60)
    assert (result.name, result.status) == ("test_it.py", status)


def test_results_come_in_the_order_of_the_programs(tmp_path: Path) -> None:
    order = [script(tmp_path / f"test_{number}", "true") for number in (2, 0, 1)]
    assert [result.name for result in run_tests(*order)] == ["test_2", "test_0", "test_1"]


def test_nothing_to_run_is_not_measured(tmp_path: Path) -> None:
    assert taking.run([], taking.Limits(1)) == NotMeasured("there are no test programs")
    assert programs.gathered([]) == NotMeasured(programs.NONE)
    record = real.run_preloaded(tmp_path / "real.sh", tmp_path / "libnone.so", 1)
    assert record == NotMeasured("libnone.so is not built")


def test_a_suite_in_which_nothing_could_run_has_failed(tmp_path: Path) -> None:
    record = taking.run([script(tmp_path / "test_it", "echo no such tool; exit 77")], taking.Limits(20))
    failed = [check for check in tests.KIND.judge(record) if check.status is Status.FAILED]
    assert [check.reason for check in failed] == ["none of 1 test programs could run"]


def test_the_results_of_all_scripts_are_gathered_in_order(tmp_path: Path, library: Path) -> None:
    scripts = [script(tmp_path / "b.sh", "exit 1"), script(tmp_path / "a.sh", "echo fine")]
    record = programs.gathered([programs.Programs((run_preloaded(path, library),)) for path in scripts])
    assert isinstance(record, programs.Programs)
    found = [(result.name, result.status) for result in record.programs]
    assert found == [("b", Status.FAILED), ("a", Status.PASSED)]


def test_a_result_that_is_missing_is_reported_and_not_left_out(tmp_path: Path, library: Path) -> None:
    good = run_preloaded(script(tmp_path / "a.sh", "echo fine"), library)
    bad = programs.KIND.format.read(tmp_path / "b.json")
    assert bad == Missing("there is no b.json of this cell")
    assert programs.gathered([programs.Programs((good,)), bad]) == bad


def test_equal_output_with_and_without_the_library_is_passed(tmp_path: Path, library: Path) -> None:
    result = one_preloaded(tmp_path, library, "pwd; ls -A; touch left; echo err >&2")
    assert (result.name, result.status, result.reason) == ("real", Status.PASSED, None)


def test_the_script_gets_the_library_in_the_second_run_only(tmp_path: Path, library: Path) -> None:
    result = one_preloaded(tmp_path, library, 'echo "[$PRELOAD]"; test -z "$LD_PRELOAD"')
    assert (result.status, result.reason) == (Status.FAILED, "stdout differs")
    changed = [line for line in result.log.splitlines() if line.startswith(("-[", "+["))]
    assert changed[0] == "-[]"
    assert changed[1].endswith(f"/{library.name}]")


def test_both_runs_get_the_extra_variables(tmp_path: Path, library: Path) -> None:
    path = script(tmp_path / "real.sh", 'test "$WORD" = given')
    result = run_preloaded(path, library, extra={"WORD": "given"})
    assert result.status is Status.PASSED


def test_other_errors_on_stderr_are_a_failure(tmp_path: Path, library: Path) -> None:
    result = one_preloaded(tmp_path, library, 'echo same; test -z "$PRELOAD" || echo "ld.so: ignored" >&2')
    assert (result.status, result.reason) == (Status.FAILED, "stderr differs")
    assert "+ld.so: ignored" in result.log


def test_another_exit_status_with_the_library_is_a_failure_77_too(tmp_path: Path, library: Path) -> None:
    for status in (1, 77):
        result = one_preloaded(
            tmp_path, library, f'test -z "$PRELOAD" || {{ echo gone wrong; exit {status}; }}'
        )
        assert (result.status, result.reason) == (Status.FAILED, f"exit status {status}: gone wrong")


def test_a_program_that_is_not_installed_is_not_run(tmp_path: Path, library: Path) -> None:
    result = one_preloaded(tmp_path, library, "echo sqlite3 is not installed; exit 77")
    assert (result.status, result.reason) == (Status.NOT_RUN, "sqlite3 is not installed")


def test_a_script_that_fails_by_itself_is_failed_and_the_library_is_not_blamed(
    tmp_path: Path, library: Path
) -> None:
    result = one_preloaded(tmp_path, library, "echo syntax error >&2; exit 2")
    assert (result.status, result.reason) == (
        Status.FAILED,
        "exit status 2 without the library: syntax error",
    )


def test_a_script_that_hangs_with_the_library_is_failed(tmp_path: Path, library: Path) -> None:
    result = one_preloaded(tmp_path, library, 'test -z "$PRELOAD" || sleep 60', timeout=1)
    assert result.status is Status.FAILED
    assert str(result.reason).startswith("still running after ")


def test_outputs_that_differ_in_bytes_only_are_distinguished(tmp_path: Path, library: Path) -> None:
    result = one_preloaded(tmp_path, library, 'if test -z "$PRELOAD"; then printf "a\\n"; else printf a; fi')
    assert result.status is Status.FAILED
    assert result.log.startswith("they differ in bytes")


def test_a_script_that_is_not_executable_is_run_by_sh(tmp_path: Path, library: Path) -> None:
    path = script(tmp_path / "plain.sh", "echo fine", mode=0o644)
    result = run_preloaded(path, library)
    assert (result.status, result.command) == (Status.PASSED, f"sh {path}")


def by_kept(tmp_path: Path, library: Path, text: str, changed: str | None = None) -> tuple[Check, list[str]]:
    """The result of a script that already has a plain output, and the library of each of its runs ("" for
    none). changed: the script's new text after its plain output was kept."""
    runs = tmp_path / "runs"
    path = script(tmp_path / "real.sh", f'echo "$PRELOAD" >>{runs}\n{text}')
    plain = real.run_plain(path, 20)
    if changed is not None:
        script(path, f'echo "$PRELOAD" >>{runs}\n{changed}')
    result = run_preloaded(path, library, plain=plain)
    return result, [Path(line).name for line in runs.read_text(encoding="utf-8").splitlines()]


def test_what_a_script_prints_without_the_library_is_kept(tmp_path: Path, library: Path) -> None:
    result, runs = by_kept(tmp_path, library, r"printf '\377\n'; echo err >&2")
    assert (result.name, result.status, result.reason) == ("real", Status.PASSED, None)
    assert runs == ["", library.name]


@pytest.mark.parametrize("stream", ["1", "2"])
def test_output_unlike_what_was_kept_is_compared_with_a_run_of_today(
    tmp_path: Path, library: Path, stream: str
) -> None:
    result, runs = by_kept(tmp_path, library, f"echo old >&{stream}", f"echo new >&{stream}")
    assert result.status is Status.PASSED
    assert runs == ["", library.name, ""]
    result, runs = by_kept(tmp_path, library, f'echo "[$PRELOAD]" >&{stream}')
    assert (result.status, result.reason) == (
        Status.FAILED,
        f"std{'out' if stream == '1' else 'err'} differs",
    )


def test_a_script_that_prints_where_it_runs_passes_all_the_same(tmp_path: Path, library: Path) -> None:
    assert by_kept(tmp_path, library, "pwd")[0].status is Status.PASSED


def test_a_failure_with_the_library_is_reported_regardless_of_the_record(
    tmp_path: Path, library: Path
) -> None:
    first = f'test -z "$PRELOAD" || test $(grep -c . {tmp_path / "runs"}) -gt 1'
    result, runs = by_kept(tmp_path, library, f"{first} || {{ echo gone wrong; exit 1; }}")
    assert (result.status, result.reason) == (Status.FAILED, "exit status 1: gone wrong")
    assert runs == ["", library.name, ""]  # not repeated until it passes


def test_a_script_that_fails_by_itself_has_nothing_to_keep(tmp_path: Path, library: Path) -> None:
    result, _ = by_kept(tmp_path, library, "echo no tool; exit 77")
    assert (result.status, result.reason) == (Status.NOT_RUN, "no tool")
