"""Run sconsw like a user, in temporary copies, with a separate PATH for each test.

Most tests replace Python by a fake: a shell script that keeps a log. The last tests create real environments,
with the package index if the test needs it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 120.0  # seconds

# the commands that sconsw may need besides Python
TOOLS = ("sh", "cut", "dirname", "flock", "grep", "readlink", "rm", "sha256sum", "tail")
# the commands that the fake Python needs in addition
FAKE_TOOLS = ("ln", "mkdir", "sleep")

FAKE_PYTHON = r"""#!/bin/sh
log() { echo "$*" >>"$CALLS"; }
case "$*" in
    -V) echo "Python ${FAKE_VERSION:-3.12.0}" ;;
    "-c import sys; sys.exit"*) log question; case ${FAKE_VERSION:-3.12.0} in 2.*|3.[0-9].*) exit 1 ;; esac ;;
    "-c import venv, ensurepip") log question; [ -z "${FAKE_NO_VENV-}" ] ;;
    "-m venv --clear .venv")
        log venv
        rm -rf .venv; mkdir -p .venv/bin
        case $0 in */*) me=$0 ;; *) me=$(command -v "$0") ;; esac
        ln -s "$me" .venv/bin/python
        ;;
    "-m pip "*)
        for word in "$@"; do lock=$word; done
        log "pip $lock"
        sleep "${FAKE_PIP_SECONDS:-0}"
        [ -z "${FAKE_PIP_ERROR-}" ] || { echo "first"; echo "ERROR: $FAKE_PIP_ERROR"; echo "hint"; exit 1; }
        ;;
    "-m SCons"*)
        shift 2
        log "paths <${PYTHONPATH-}> <${PYTHONHOME-}>"
        log "scons in $PWD"
        for word in "$@"; do log "word <$word>"; done
        exit "${FAKE_STATUS:-0}"
        ;;
    *) log "not expected: $*"; exit 99 ;;
esac
"""


EXTRAS = ("zig", "dev", "docs", "tune", "history", "parquet", "dask", "slurm")
LOCKS = ("requirements", *(f"requirements-{name}" for name in EXTRAS))


class Copy:
    """sconsw with small locks in a separate folder, and its own PATH."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a project"
        self.root.mkdir(parents=True)
        shutil.copy2(ROOT / "sconsw", self.root)
        for name in LOCKS:
            self.root.joinpath(f"{name}.lock").write_text(f"# {name}\n")
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.calls_file = folder / "calls"
        self.add_tools(*TOOLS, *FAKE_TOOLS)
        self.add_command("gcc", "#!/bin/sh\n")
        self.environment = {
            "PATH": str(self.bin),
            "HOME": str(folder),
            "CALLS": str(self.calls_file),
            **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
        }

    def add_tools(self, *names: str) -> None:
        for name in names:
            self.bin.joinpath(name).symlink_to(str(shutil.which(name)))

    def add_command(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(script)
        path.chmod(0o755)

    def start(self, *arguments: str, folder: Path | None = None, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.root / "sconsw"), *arguments],
            cwd=folder or self.root, env=self.environment | environment, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *arguments: str, folder: Path | None = None, **environment: str) -> Ended:
        return Ended(self.start(*arguments, folder=folder, **environment))

    def calls(self, *kinds: str) -> list[str]:
        """The new lines in the fake Python's log. If kinds are given, only calls of these kinds."""
        lines = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        self.calls_file.unlink(missing_ok=True)
        return [line for line in lines if not kinds or line.split()[0] in kinds]


class Ended:
    """A finished run of sconsw: its exit status and its output."""

    def __init__(self, started: subprocess.Popen[str]) -> None:
        try:
            self.out, err = started.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            started.communicate()
            raise
        self.status = started.returncode
        self.message = err.splitlines()


def wait_until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < ends, "waited too long"
        time.sleep(0.01)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """A copy whose python3 is the fake one."""
    made = Copy(tmp_path)
    made.add_command("python3", FAKE_PYTHON)
    return made


def test_a_folder_that_venv_links_to_is_left_alone(copy: Copy, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "made-with").write_text("another Python\n")
    (copy.root / ".venv").symlink_to(shared)
    ended = copy.run("list")
    assert ended.status == 2
    assert f".venv is a link to {shared}" in ended.message[-1]
    assert [path.name for path in shared.iterdir()] == ["made-with"]
    assert copy.calls("venv", "pip", "scons") == []


# --- arguments, folder, exit status


def test_arguments_and_exit_status_pass_through_unchanged(copy: Copy) -> None:
    arguments = ["-j2", "variant=phase*", "a  b", "", "it's", '"$HOME"', "back\\slash"]
    assert copy.run(*arguments, FAKE_STATUS="7").status == 7
    assert copy.calls("word") == [f"word <{argument}>" for argument in arguments]


@pytest.mark.parametrize("status", [0, 1, 2, 130])
def test_each_exit_status_passes_through(copy: Copy, status: int) -> None:
    assert copy.run(FAKE_STATUS=str(status)).status == status


def test_scons_runs_in_the_folder_of_the_script_wherever_it_is_called_from(
    copy: Copy, tmp_path: Path
) -> None:
    copy.run(folder=tmp_path)
    assert copy.calls("scons") == [f"scons in {copy.root}"]


def test_the_users_python_packages_stay_outside(copy: Copy, tmp_path: Path) -> None:
    copy.run(PYTHONPATH=str(tmp_path), PYTHONHOME=str(tmp_path))
    assert copy.calls("paths") == ["paths <> <>"]


def test_a_link_to_the_script_finds_the_project(copy: Copy, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(copy.root / "sconsw")
    subprocess.run([str(link)], check=True, env=copy.environment, capture_output=True, timeout=LIMIT)
    assert copy.calls("scons") == [f"scons in {copy.root}"]


# --- when .venv is created, and when not


def test_the_first_call_prepares_the_environment_in_one_line_and_the_second_prints_nothing(
    copy: Copy,
) -> None:
    first = copy.run()
    assert first.message == ["sconsw: preparing .venv ..."]
    assert copy.calls("venv", "pip") == ["venv", "pip requirements.lock"]
    second = copy.run()
    assert second.message == []
    assert copy.calls("venv", "pip", "question") == []


def test_a_changed_lock_recreates_the_environment(copy: Copy) -> None:
    copy.run()
    copy.calls()
    copy.root.joinpath("requirements.lock").write_text("# another content\n")
    copy.run()
    assert copy.calls("venv", "pip") == ["venv", "pip requirements.lock"]


def test_a_lock_that_was_only_touched_is_no_change(copy: Copy) -> None:
    copy.run()
    copy.calls()
    os.utime(copy.root / "requirements.lock", (1, 1))
    copy.run()
    assert copy.calls("venv", "pip") == []


def test_a_python_that_is_gone_recreates_the_environment(copy: Copy) -> None:
    copy.add_command("python3.10", FAKE_PYTHON)
    copy.run(PYTHON=str(copy.bin / "python3.10"))
    copy.calls()
    copy.bin.joinpath("python3.10").unlink()
    copy.run()
    assert copy.calls("venv", "pip") == ["venv", "pip requirements.lock"]


def test_another_python_that_is_requested_recreates_the_environment_and_stays_in_use(copy: Copy) -> None:
    copy.add_command("python3.13", FAKE_PYTHON)
    copy.run()
    copy.calls()
    copy.run(PYTHON="python3.13")
    assert copy.calls("venv") == ["venv"]
    assert (copy.root / ".venv/bin/python").resolve().name == "python3.13"
    copy.run()
    assert copy.calls("venv") == []


def test_what_was_interrupted_is_done_again(copy: Copy) -> None:
    started = copy.start(FAKE_PIP_SECONDS="60")
    wait_until(lambda: copy.calls_file.exists() and "pip" in copy.calls_file.read_text())
    os.killpg(started.pid, signal.SIGKILL)
    started.communicate()
    copy.calls()
    assert copy.run().status == 0
    assert copy.calls("venv", "pip") == ["venv", "pip requirements.lock"]


def test_a_renewal_that_was_interrupted_does_not_pass_for_the_old_environment(copy: Copy) -> None:
    lock = copy.root / "requirements.lock"
    old = lock.read_text()
    copy.run()
    lock.write_text("# new\n")
    copy.run(FAKE_PIP_ERROR="no")
    lock.write_text(old)
    copy.calls()
    copy.run()
    assert copy.calls("pip") == ["pip requirements.lock"]


def test_two_at_once_prepare_once_and_both_run(copy: Copy) -> None:
    first = copy.start("first", FAKE_PIP_SECONDS="0.5")
    wait_until(lambda: (copy.root / ".venv").exists())
    second = Ended(copy.start("second"))
    assert (Ended(first).status, second.status) == (0, 0)
    assert second.message == ["sconsw: waiting for another sconsw to prepare .venv ..."]
    calls = copy.calls()
    assert [call for call in calls if call.startswith(("venv", "pip"))] == ["venv", "pip requirements.lock"]
    assert {"word <first>", "word <second>"} <= set(calls)


def test_an_unchanged_tree_costs_less_than_30_ms_before_scons_starts(copy: Copy) -> None:
    copy.run()
    seconds = []
    for _ in range(20):
        begin = time.perf_counter()
        copy.run()
        seconds.append(time.perf_counter() - begin)
    assert min(seconds) < 0.030  # including the fake SCons


# --- one-line messages about what is missing


def test_a_python_that_is_too_old_is_named_with_its_version(copy: Copy) -> None:
    ended = copy.run(FAKE_VERSION="3.8.18")
    assert ended.status == 2
    assert ended.message == ["sconsw: Python 3.10 or newer is required; python3 is Python 3.8.18"]
    assert not (copy.root / ".venv").exists()


def test_no_python_at_all_is_reported(copy: Copy) -> None:
    copy.bin.joinpath("python3").unlink()
    ended = copy.run()
    assert (ended.status, ended.message) == (
        2,
        ["sconsw: Python 3.10 or newer is required; python3 is not installed"],
    )


def test_a_newer_python_beside_one_that_is_too_old_is_used(copy: Copy) -> None:
    copy.add_command("python3", FAKE_PYTHON.replace("${FAKE_VERSION:-3.12.0}", "3.9.18"))
    copy.add_command("python3.11", FAKE_PYTHON)
    assert copy.run().status == 0
    assert (copy.root / ".venv/bin/python").resolve().name == "python3.11"


def test_a_python_that_was_requested_is_not_replaced_by_another(copy: Copy) -> None:
    ended = copy.run(PYTHON="python3.9")
    assert (ended.status, ended.message) == (
        2,
        ["sconsw: Python 3.10 or newer is required; python3.9 is not installed"],
    )


def test_a_missing_venv_module_is_reported_with_the_package_that_has_it(copy: Copy) -> None:
    ended = copy.run(FAKE_NO_VENV="1")
    assert (ended.status, ended.message) == (
        2,
        ["sconsw: python3 has no venv module: apt install python3-venv"],
    )


def test_a_missing_flock_is_reported(copy: Copy) -> None:
    copy.bin.joinpath("flock").unlink()
    ended = copy.run()
    assert (ended.status, ended.message) == (2, ["sconsw: flock is not installed: apt install util-linux"])


def test_packages_that_cannot_be_installed_are_reported_with_the_error_of_pip_and_the_log(copy: Copy) -> None:
    ended = copy.run(FAKE_PIP_ERROR="No matching distribution found for scons")
    assert ended.status == 2
    what = "cannot install the packages of requirements.lock (.venv.log)"
    why = "ERROR: No matching distribution found for scons"
    assert ended.message[1:] == [f"sconsw: {what}: {why}"]
    assert "hint" in (copy.root / ".venv.log").read_text()
    assert copy.calls("scons") == []


# --- packages that only some calls need


def test_without_a_compiler_zig_is_installed_and_requested(copy: Copy) -> None:
    copy.bin.joinpath("gcc").unlink()
    ended = copy.run("libs")
    assert (
        ended.message[0]
        == "sconsw: no C compiler found: using zig from the PyPI package ziglang, compiler=zig"
    )
    assert copy.calls("pip", "word") == [
        "pip requirements.lock",
        "pip requirements-zig.lock",
        "word <libs>",
        "word <compiler=zig>",
    ]


def test_without_a_compiler_one_that_was_requested_is_left_to_scons(copy: Copy) -> None:
    copy.bin.joinpath("gcc").unlink()
    copy.run("compiler=gcc")
    assert copy.calls("pip", "word") == ["pip requirements.lock", "word <compiler=gcc>"]


def test_clang_alone_is_a_compiler(copy: Copy) -> None:
    copy.bin.joinpath("gcc").rename(copy.bin / "clang")
    copy.run()
    assert copy.calls("pip", "word") == ["pip requirements.lock"]


@pytest.mark.parametrize("request_", ["compiler=zig", "compiler=gcc,zig"])
def test_zig_is_installed_when_it_is_requested(copy: Copy, request_: str) -> None:
    copy.run(request_)
    assert copy.calls("pip", "word") == [
        "pip requirements.lock",
        "pip requirements-zig.lock",
        f"word <{request_}>",
    ]


@pytest.mark.parametrize(
    ("request_", "extra"),
    [
        ("history", "history"),
        ("format=parquet", "parquet"),
        ("tune", "tune"),
        ("executor=dask:tcp://127.0.0.1:8786", "dask"),
        ("executor=slurm", "slurm"),
    ],
)
def test_an_extra_is_installed_for_what_needs_it(copy: Copy, request_: str, extra: str) -> None:
    copy.run(request_)
    assert copy.calls("pip") == ["pip requirements.lock", f"pip requirements-{extra}.lock"]


def test_lint_installs_what_it_runs_into_the_environment_that_is_there(copy: Copy) -> None:
    copy.run()
    copy.calls()
    ended = copy.run("lint")
    locks = [f"requirements-{name}.lock" for name in ("dev", "docs", "tune")]
    assert ended.message == [f"sconsw: preparing .venv: the packages of {lock} ..." for lock in locks]
    assert copy.calls("venv", "pip") == [f"pip {lock}" for lock in locks]
    assert copy.run("lint").message == []


# --- real environments


@pytest.fixture
def real(tmp_path: Path) -> Copy:
    """A copy with the real Python, only the real scons of the lock, and an SConstruct of one line."""
    made = Copy(tmp_path)
    made.environment["PATH"] += os.pathsep + os.environ["PATH"]
    made.environment["PYTHON"] = sys.executable
    lock = (ROOT / "requirements.lock").read_text()
    scons = re.search(r"^scons==(.*\\\n)+.*--hash.*\n", lock, re.MULTILINE)
    assert scons is not None
    made.root.joinpath("requirements.lock").write_text(scons.group())
    made.root.joinpath("SConstruct").write_text(
        "print(sorted(ARGUMENTS.items())); Exit(int(ARGUMENTS['exit']))\n"
    )
    return made


def test_a_real_environment_runs_the_scons_of_the_lock(real: Copy) -> None:
    ended = real.run("-Q", "exit=5", "x=a  b")
    if "(from versions: none)" in (real.root / ".venv.log").read_text():
        pytest.skip(f"the package index cannot be reached: {ended.message[-1]}")
    assert ended.status == 5, ended.message
    assert "[('exit', '5'), ('x', 'a  b')]" in ended.out
    assert real.run("-Q", "exit=0").message == []


def test_a_package_of_the_users_own_does_not_replace_one_of_the_lock(real: Copy, tmp_path: Path) -> None:
    wrong = tmp_path / "own" / "SCons"
    wrong.mkdir(parents=True)
    wrong.joinpath("__init__.py").write_text("raise SystemExit('the wrong SCons')\n")
    ended = real.run("-Q", "exit=0", PYTHONPATH=str(wrong.parent))
    if "(from versions: none)" in (real.root / ".venv.log").read_text():
        pytest.skip(f"the package index cannot be reached: {ended.message[-1]}")
    assert (ended.status, ended.out) == (0, "[('exit', '0')]\n")


def test_a_real_pip_without_an_index_ends_in_one_line(real: Copy) -> None:
    ended = real.run(
        PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_NO_INDEX="1", PIP_FIND_LINKS=str(real.root),
        PIP_NO_CACHE_DIR="1", PIP_CONFIG_FILE=os.devnull,
    )  # fmt: skip
    assert ended.status == 2
    assert len(ended.message) == 2
    assert (
        "cannot install the packages of requirements.lock (.venv.log): ERROR: No matching" in ended.message[1]
    )
