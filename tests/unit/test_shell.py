"""`shell`: the output of the build's commands, and the recorded failure."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from layermatrix.build import failure, shell
from layermatrix.build.failure import Failure


def spawn(folder: Path, line: str, *, verbose: bool = False) -> int:
    words = line.split(" ")
    return shell.Shell(verbose).spawner(folder)("sh", None, words[0], words, dict(os.environ))


def recorded(folder: Path) -> Failure:
    found = failure.FORMAT.read(failure.file_of(folder))
    assert isinstance(found, Failure)
    return found


def test_a_command_that_succeeds_shows_only_what_it_prints(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert spawn(tmp_path, "echo a warning") == 0
    assert capfd.readouterr().out == "a warning\n"
    assert not failure.file_of(tmp_path).exists()


def test_a_verbose_shell_shows_every_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    spawn(tmp_path, "true -o x", verbose=True)
    assert capfd.readouterr().out == "true -o x\n"


def test_a_command_that_fails_is_shown_and_kept(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert spawn(tmp_path, "ls -o /no/such/file") != 0
    printed = capfd.readouterr()
    assert printed.out == "ls -o /no/such/file\n"
    assert "/no/such/file" in printed.err
    record = recorded(tmp_path)
    assert record == Failure("ls -o /no/such/file", printed.err, "/no/such/file")


def test_the_first_failure_of_a_cell_is_the_one_that_is_kept(tmp_path: Path) -> None:
    spawn(tmp_path, "false first")
    spawn(tmp_path, "false second")
    assert recorded(tmp_path).command == "false first"


def test_quoted_targets_are_kept_without_their_quotes(tmp_path: Path) -> None:
    spawn(tmp_path, 'false -o "build/x.o"')
    assert recorded(tmp_path).target == "build/x.o"


def test_output_that_is_no_text_does_no_harm(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert spawn(tmp_path, r"printf \\377") == 0
    assert capfd.readouterr().out == "\ufffd"


def test_each_action_is_a_line_also_where_the_output_is_no_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    shell.Shell(verbose=False).show("CC", ["build/x/obj/a.o"], None, None)
    assert capfd.readouterr().out == "CC       x/a.o\n"


def test_a_step_that_takes_long_is_shown_again(capfd: pytest.CaptureFixture[str]) -> None:
    with shell.Shell(verbose=False, quiet=0.05).under_way("build/x/evidence/tests.json"):
        time.sleep(0.4)
    assert re.match(r" +x/evidence/tests.json: 0 s\n", capfd.readouterr().out)


def test_what_ctrl_c_has_ended_is_no_failure(tmp_path: Path) -> None:
    assert spawn(tmp_path, "kill -INT $$") != 0
    assert not failure.file_of(tmp_path).exists()


def test_a_line_an_action_on_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    shell.Shell(verbose=True).show("CC", ["build/x/obj/a.o"], None, None)
    assert capfd.readouterr().out == "CC       x/a.o\n"
