"""Test programs and preloaded programs: what passes, what fails, and what was not run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from layermatrix.core import records
from layermatrix.evidence import programs

USES_IT = 'env LD_PRELOAD="$PRELOAD" true'


def script(path: Path, text: str, mode: int = 0o755) -> Path:
    """A script that runs one program with the library, and this."""
    path.write_text(f"#!/bin/sh\n{USES_IT}\n{text}\n", encoding="utf-8")
    path.chmod(mode)
    return path


def one_test(tmp_path: Path, text: str, timeout: float = 20) -> records.Record:
    record = programs.run_tests([script(tmp_path / "test_it", text)], timeout)
    assert records.check(record, "tests") is record
    result: records.Record = record["programs"][0]
    return result


def one_preloaded(tmp_path: Path, library: Path, text: str, timeout: float = 20) -> records.Record:
    record = programs.run_preloaded(script(tmp_path / "real.sh", text), library, timeout, tmp_path / "work")
    assert records.check(record, "programs") is record
    assert list((tmp_path / "work").iterdir()) == []
    result: records.Record = record["programs"][0]
    return result


def test_exit_status_0_is_passed(tmp_path: Path) -> None:
    result = one_test(tmp_path, "echo fine")
    assert (result["name"], result["status"], result["reason"], result["log"]) == (
        "test_it",
        "passed",
        None,
        "fine",
    )
    assert result["command"] == str(tmp_path / "test_it")


def test_any_other_status_is_failed_with_the_last_line_as_the_reason(tmp_path: Path) -> None:
    result = one_test(tmp_path, "echo first; echo 'test.c:7: lost a block' >&2; exit 1")
    assert (result["status"], result["reason"]) == ("failed", "exit status 1: test.c:7: lost a block")
    assert result["log"] == "first\ntest.c:7: lost a block"


def test_a_crash_names_its_signal(tmp_path: Path) -> None:
    assert one_test(tmp_path, "kill -ABRT $$")["reason"] == "killed by SIGABRT"


def test_exit_status_77_is_not_run_with_the_reason_that_was_given(tmp_path: Path) -> None:
    result = one_test(tmp_path, "echo needs 2 cores; exit 77")
    assert (result["status"], result["reason"]) == ("not run", "needs 2 cores")
    assert one_test(tmp_path, "exit 77")["reason"] == "it gave no reason"


def test_a_program_that_hangs_is_failed(tmp_path: Path) -> None:
    result = one_test(tmp_path, "echo begun; sleep 60; exit 77", timeout=0.5)
    assert result["status"] == "failed"
    assert result["reason"].startswith("still running after ")
    assert result["log"] == "begun"


def test_of_a_long_log_the_end_is_kept(tmp_path: Path) -> None:
    lines = one_test(tmp_path, "seq 1 100")["log"].splitlines()
    assert lines == [str(number) for number in range(61, 101)]


def test_output_that_is_no_text_does_no_harm(tmp_path: Path) -> None:
    assert one_test(tmp_path, r"printf '\377\000'; exit 1")["status"] == "failed"


def test_a_test_runs_in_a_folder_of_its_own_without_the_users_settings(tmp_path: Path) -> None:
    here, home, files = one_test(tmp_path, "pwd; echo $HOME; touch left; ls")["log"].splitlines()
    assert here == home != os.environ.get("HOME")
    assert files == "left"
    assert not Path(here).exists()


def test_variables_that_are_handed_in_reach_the_program(tmp_path: Path) -> None:
    program = script(tmp_path / "test_it", 'test "$WORD" = given')
    assert programs.run_tests([program], 20, extra={"WORD": "given"})["programs"][0]["status"] == "passed"


def test_a_program_is_told_what_is_meant_for_its_name(tmp_path: Path) -> None:
    order = [script(tmp_path / name, "echo $*") for name in ("test_long", "test_short")]
    record = programs.run_tests(order, 20, told={"test_long": ["--for", "60"]})
    assert [result["log"] for result in record["programs"]] == ["--for 60", ""]


@pytest.mark.parametrize(("body", "status"), [("assert 1 < 2", "passed"), ("assert 2 < 1", "failed")])
def test_a_python_file_is_run_by_pytest(tmp_path: Path, body: str, status: str) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(f"def test_it() -> None:\n    {body}\n", encoding="utf-8")
    (result,) = programs.run_tests([file], 60)["programs"]
    assert (result["name"], result["status"]) == ("test_it.py", status)


def test_results_come_in_the_order_of_the_programs(tmp_path: Path) -> None:
    order = [script(tmp_path / f"test_{number}", "true") for number in (2, 0, 1)]
    record = programs.run_tests(order, 20)
    assert [result["name"] for result in record["programs"]] == ["test_2", "test_0", "test_1"]


def test_nothing_to_run_is_not_measured(tmp_path: Path) -> None:
    assert programs.run_tests([], 1)["reason"] == "there are no test programs"
    assert programs.gathered([])["reason"] == "there are no scripts"
    record = programs.run_preloaded(tmp_path / "real.sh", tmp_path / "libnone.so", 1)
    assert record["reason"] == "libnone.so is not built"


def test_the_results_of_all_scripts_are_gathered_in_order(tmp_path: Path, library: Path) -> None:
    scripts = [script(tmp_path / "b.sh", "exit 1"), script(tmp_path / "a.sh", "echo fine")]
    record = programs.gathered([programs.run_preloaded(path, library, 20) for path in scripts])
    assert records.check(record, "programs") is record
    found = [(result["name"], result["status"]) for result in record["programs"]]
    assert found == [("b", "failed"), ("a", "passed")]


def test_a_result_that_is_missing_is_told_and_not_left_out(tmp_path: Path, library: Path) -> None:
    good = programs.run_preloaded(script(tmp_path / "a.sh", "echo fine"), library, 20)
    bad = records.load(tmp_path / "b.json", "programs")
    assert programs.gathered([good, bad])["reason"] == "there is no b.json of this cell"


def test_equal_output_with_and_without_the_library_is_passed(tmp_path: Path, library: Path) -> None:
    result = one_preloaded(tmp_path, library, "pwd; ls -A; touch left; echo err >&2")
    assert (result["name"], result["status"], result["reason"]) == ("real", "passed", None)


def test_the_script_is_told_the_library_in_the_second_run_only(tmp_path: Path, library: Path) -> None:
    result = one_preloaded(tmp_path, library, 'echo "[$PRELOAD]"; test -z "$LD_PRELOAD"')
    assert (result["status"], result["reason"]) == ("failed", "stdout is not the same")
    changed = [line for line in result["log"].splitlines() if line.startswith(("-[", "+["))]
    assert changed[0] == "-[]"
    assert changed[1].endswith(f"/{library.name}]")


def test_both_runs_are_told_what_is_handed_in(tmp_path: Path, library: Path) -> None:
    path = script(tmp_path / "real.sh", 'test "$WORD" = given')
    (result,) = programs.run_preloaded(path, library, 20, extra={"WORD": "given"})["programs"]
    assert result["status"] == "passed"


def test_other_errors_on_stderr_are_a_failure(tmp_path: Path, library: Path) -> None:
    result = one_preloaded(tmp_path, library, 'echo same; test -z "$PRELOAD" || echo "ld.so: ignored" >&2')
    assert (result["status"], result["reason"]) == ("failed", "stderr is not the same")
    assert "+ld.so: ignored" in result["log"]


def test_another_exit_status_with_the_library_is_a_failure_77_too(tmp_path: Path, library: Path) -> None:
    for status in (1, 77):
        result = one_preloaded(
            tmp_path, library, f'test -z "$PRELOAD" || {{ echo gone wrong; exit {status}; }}'
        )
        assert (result["status"], result["reason"]) == ("failed", f"exit status {status}: gone wrong")


def test_a_program_that_is_not_installed_is_not_run(tmp_path: Path, library: Path) -> None:
    result = one_preloaded(tmp_path, library, "echo sqlite3 is not installed; exit 77")
    assert (result["status"], result["reason"]) == ("not run", "sqlite3 is not installed")


def test_a_script_that_fails_by_itself_is_failed_and_the_library_is_not_blamed(
    tmp_path: Path, library: Path
) -> None:
    result = one_preloaded(tmp_path, library, "echo syntax error >&2; exit 2")
    assert (result["status"], result["reason"]) == (
        "failed",
        "exit status 2 without the library: syntax error",
    )


def test_a_script_that_hangs_with_the_library_is_failed(tmp_path: Path, library: Path) -> None:
    result = one_preloaded(tmp_path, library, 'test -z "$PRELOAD" || sleep 60', timeout=1)
    assert result["status"] == "failed"
    assert result["reason"].startswith("still running after ")


def test_outputs_that_differ_in_bytes_only_are_told_apart(tmp_path: Path, library: Path) -> None:
    result = one_preloaded(tmp_path, library, 'if test -z "$PRELOAD"; then printf "a\\n"; else printf a; fi')
    assert result["status"] == "failed"
    assert result["log"].startswith("they differ in bytes")


def test_a_script_that_is_not_executable_is_run_by_sh(tmp_path: Path, library: Path) -> None:
    path = script(tmp_path / "plain.sh", "echo fine", mode=0o644)
    result = programs.run_preloaded(path, library, 20)["programs"][0]
    assert (result["status"], result["command"]) == ("passed", f"sh {path}")


def by_kept(
    tmp_path: Path, library: Path, text: str, changed: str | None = None
) -> tuple[records.Record, list[str]]:
    """The result of a script whose plain output is kept, and how it was run: "" without the library. changed:
    the script after its output was kept."""
    runs = tmp_path / "runs"
    path = script(tmp_path / "real.sh", f'echo "$PRELOAD" >>{runs}\n{text}')
    plain = programs.run_plain(path, 20)
    assert records.check(plain, "plain") is plain
    if changed is not None:
        script(path, f'echo "$PRELOAD" >>{runs}\n{changed}')
    (result,) = programs.run_preloaded(path, library, 20, plain=plain)["programs"]
    return result, [Path(line).name for line in runs.read_text(encoding="utf-8").splitlines()]


def test_what_a_script_prints_without_the_library_is_kept(tmp_path: Path, library: Path) -> None:
    result, runs = by_kept(tmp_path, library, r"printf '\377\n'; echo err >&2")
    assert (result["name"], result["status"], result["reason"]) == ("real", "passed", None)
    assert runs == ["", library.name]


@pytest.mark.parametrize("stream", ["1", "2"])
def test_output_unlike_what_was_kept_is_compared_with_a_run_of_today(
    tmp_path: Path, library: Path, stream: str
) -> None:
    result, runs = by_kept(tmp_path, library, f"echo old >&{stream}", f"echo new >&{stream}")
    assert result["status"] == "passed"
    assert runs == ["", library.name, ""]
    result, runs = by_kept(tmp_path, library, f'echo "[$PRELOAD]" >&{stream}')
    assert (result["status"], result["reason"]) == (
        "failed",
        f"std{'out' if stream == '1' else 'err'} is not the same",
    )


def test_a_script_that_prints_where_it_runs_passes_all_the_same(tmp_path: Path, library: Path) -> None:
    assert by_kept(tmp_path, library, "pwd")[0]["status"] == "passed"


def test_a_failure_with_the_library_is_told_whatever_was_kept(tmp_path: Path, library: Path) -> None:
    first = f'test -z "$PRELOAD" || test $(grep -c . {tmp_path / "runs"}) -gt 1'
    result, runs = by_kept(tmp_path, library, f"{first} || {{ echo gone wrong; exit 1; }}")
    assert (result["status"], result["reason"]) == ("failed", "exit status 1: gone wrong")
    assert runs == ["", library.name, ""]  # not tried until it passes


def test_a_script_that_fails_by_itself_has_nothing_to_keep(tmp_path: Path, library: Path) -> None:
    result, _ = by_kept(tmp_path, library, "echo no tool; exit 77")
    assert (result["status"], result["reason"]) == ("not run", "no tool")
