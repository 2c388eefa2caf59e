"""Running one program: its end, its output, and its leftover processes."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

from layermatrix.core import process


def sh(script: str, timeout: float = 20, folder: Path | None = None) -> process.Finished:
    return process.run(
        ["sh", "-c", script], environment=process.environment(), timeout=timeout, folder=folder
    )


def alive(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def gone(pid: int) -> bool:
    for _ in range(200):
        if not alive(pid):
            return True
        time.sleep(0.02)
    return False


def test_output_errors_and_status_are_kept(tmp_path: Path) -> None:
    finished = sh("pwd; echo to the user >&2; exit 3", folder=tmp_path)
    assert (finished.stdout, finished.stderr, finished.status) == (
        f"{tmp_path}\n".encode(),
        b"to the user\n",
        3,
    )
    assert finished.failure == "exit status 3: to the user"


def test_success_is_no_failure() -> None:
    assert sh("echo fine").failure is None


def test_a_signal_is_named() -> None:
    assert sh("kill -SEGV $$").failure == "killed by SIGSEGV"


def test_a_program_that_is_not_there_ends_as_in_a_shell(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("", encoding="utf-8")
    for command, status in ((tmp_path / "none", 127), (script, 126)):
        finished = process.run([str(command)], environment={}, timeout=5)
        assert finished.status == status
        assert str(command) in (finished.failure or "")


def test_a_time_limit_ends_the_whole_group(tmp_path: Path) -> None:
    finished = sh("sleep 60 & echo $!; wait", timeout=0.5)
    assert finished.timed_out
    assert (finished.failure or "").startswith("still running after ")
    assert gone(int(finished.stdout))


def test_children_that_outlive_their_program_are_ended_too() -> None:
    finished = sh("sleep 60 & echo $!")
    assert finished.status == 0
    assert gone(int(finished.stdout))


def test_what_a_program_and_its_children_used_is_known() -> None:
    code = "x = bytearray(96 << 20); x[::4096] = b'1' * len(x[::4096]); print(sum(range(3_000_000)))"
    finished = process.run([sys.executable, "-c", code], environment=process.environment(), timeout=60)
    usage = finished.usage
    assert usage is not None
    assert 0 < usage.cpu_seconds < finished.seconds + 0.1
    assert usage.peak_kib > 96 << 10
    assert usage.minor_faults > (96 << 20) // 4096 // 512  # at least one for each huge page
    assert usage.voluntary + usage.involuntary > 0
    assert sh(f"{sys.executable} -c '{code.replace(chr(39), chr(34))}'").usage.peak_kib > 96 << 10  # type: ignore[union-attr]
    assert process.run(["/no/such/program"], environment={}, timeout=5).usage is None


def test_stop_all_ends_what_other_threads_have_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_stopped", threading.Event())
    finished: list[process.Finished] = []
    waiting = threading.Thread(target=lambda: finished.append(sh("sleep 60")))
    waiting.start()
    while waiting.is_alive():
        process.stop_all()
        waiting.join(0.05)
    assert finished[0].failure == "killed by SIGKILL"


def test_a_program_that_starts_after_stop_all_is_ended_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_stopped", threading.Event())
    process.stop_all()
    assert sh("sleep 60").failure == "killed by SIGKILL"


def test_what_the_user_preloads_is_not_preloaded_into_what_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", "users-own.so")
    monkeypatch.setenv("LD_AUDIT", "users-own.so")
    assert not {"LD_PRELOAD", "LD_AUDIT"} & process.environment().keys()
    assert process.environment(LC_ALL="C")["LC_ALL"] == "C"


def test_a_flood_of_output_is_kept_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "KEPT_BYTES", 10)
    code = "print('x' * 1000 + 'the end')"
    finished = process.run([sys.executable, "-c", code], environment=process.environment(), timeout=20)
    assert finished.stdout == b"xxthe end\n"


def test_the_reported_json_is_the_last_line_of_the_output() -> None:
    assert process.reported(b'warming up\n{"ops": 3}\n\n') == {"ops": 3}
    for output in (b"", b"nothing", b"[1]", b'{"ops": 3}\nbye', b"\xff\xfe"):
        with pytest.raises(ValueError, match="not a JSON object"):
            process.reported(output)
