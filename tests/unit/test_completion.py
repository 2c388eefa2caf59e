"""`completion`: bash and zsh offer the targets, variables and values of `-h`."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from layermatrix.build import completion, targets
from layermatrix.build.request import Request
from layermatrix.jobs import completion as job
from layermatrix.jobs import registry
from layermatrix.jobs.base import Plan
from layermatrix.spec.loader import load_project

ROOT = Path(__file__).resolve().parents[2]
ASKED = 20  # seconds to wait for a shell


@pytest.fixture(scope="module")
def plan() -> Plan:
    return Plan(ROOT, load_project(ROOT), Request(targets=()), {}, (), registry.TARGETS)


@pytest.fixture(scope="module")
def words(plan: Plan) -> completion.Words:
    return job.words_of(plan)


def test_every_word_of_the_help_is_completed(plan: Plan, words: completion.Words) -> None:
    shown = targets.help_text(plan.project, plan.compilers, registry.TARGETS)
    assert set(re.findall(r"^  (\w+)=", shown, re.MULTILINE)) == set(words.variables)
    listed = shown.partition("\nTargets")[2].partition("\n\n")[0]
    assert set(re.findall(r"^  (\w+) ", listed, re.MULTILINE)) == set(words.targets)
    assert {"phase2", "hakmem", "all"} <= set(words.values["variant"])
    assert {"small", "larson_2"} <= set(words.values["loads"])
    assert "checks" in words.values["experiment"]


@pytest.mark.parametrize(
    ("line", "breaks", "offered"),
    [
        ("scons vari", " =", ["variant="]),
        ("./sconsw variant=phase", " =", ["phase0", "phase1", "phase2", "phase3"]),
        ("./sconsw variant=phase0,lat", " =", ["phase0,late"]),
        ("./sconsw variant=phase0,lat", " ", ["variant=phase0,late"]),
        ("scons mode=debug compl", " =", ["completion"]),
        ("scons completion shell=", " =", ["bash", "zsh"]),
        ("scons without=al", " =", ["all"]),
        ("scons PREFIX=/usr", " =", []),
        ("scons nothing_like_this", " =", []),
    ],
)
def test_bash_offers(line: str, breaks: str, offered: list[str], words: completion.Words) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    script = f"{completion.bash(words)}\nCOMP_LINE=$1 COMP_POINT=${{#1}} COMP_WORDBREAKS=$2\n_layered_scons\n"
    script += 'printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(
        [bash, "--norc", "-c", script, "bash", line, breaks], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == offered


def typed(command: list[str], setup: str, keys: str, wanted: str) -> str:
    """What a shell shows after these keys, until the wanted text is there or the time is over."""
    terminal, side = pty.openpty()
    plain = {**os.environ, "TERM": "dumb", "HOME": "/nonexistent", "PS1": "> "}
    child = subprocess.Popen(command, stdin=side, stdout=side, stderr=side, env=plain, start_new_session=True)
    os.close(side)
    try:
        os.write(terminal, f"{setup}\necho rea''dy\n".encode())
        shown = _until(terminal, "ready")
        os.write(terminal, keys.encode())
        return shown + _until(terminal, wanted)
    finally:
        os.close(terminal)
        child.kill()
        child.wait()


def _until(terminal: int, wanted: str) -> str:
    shown, end = "", time.monotonic() + ASKED
    while wanted not in shown and time.monotonic() < end:
        if not select.select([terminal], [], [], 0.2)[0]:
            continue
        try:
            shown += os.read(terminal, 65536).decode(errors="replace")
        except OSError:  # the shell has ended
            break
    return shown


@pytest.mark.parametrize(("shell", "options"), [("bash", ["--norc", "-i"]), ("zsh", ["-f", "-i"])])
def test_a_real_shell_completes_what_is_typed(
    shell: str, options: list[str], words: completion.Words, tmp_path: Path
) -> None:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "completion"
    script.write_text({"bash": completion.bash, "zsh": completion.zsh}[shell](words), encoding="utf-8")
    first = "autoload -U compinit && compinit -u -D; " if shell == "zsh" else ""
    setup = f'{first}. {script}; scons() {{ echo "[$*]"; }}'
    shown = typed([found, *options], setup, "scons vari\tphase0,harde\t\n", "hardened]")
    assert "[variant=phase0,hardened]" in re.sub(r",\]", "]", shown)
