"""The executors that need no cluster: their names, their errors, this machine, and submitit without Slurm."""

from __future__ import annotations

import ast
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import toy_bundles

from layermatrix.build import targets
from layermatrix.build.request import RequestError
from layermatrix.hosts import driver, scale
from layermatrix.hosts.driver_results import Results
from layermatrix.hosts.executors import registry, worker
from layermatrix.hosts.executors.base import ExecutorError, Kind
from layermatrix.hosts.executors.local import Local

QUICK = driver.Limits(tick=0.05)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("dsk:tcp://a:1", r"executor=: unknown executor 'dsk'; did you mean 'dask'\?"),
        ("", r"executor=: unknown executor ''; known: local, dask, slurm"),
        (
            "dask",
            r"executor=dask: the scheduler's address is missing; expected dask:tcp://HOST:PORT, such as",
        ),
        ("dask:", r"executor=dask:: nothing follows the colon; expected dask:tcp://HOST:PORT"),
        (
            "dask:localhost:8786",
            r"'localhost:8786' is no address of a scheduler; expected dask:tcp://HOST:PORT",
        ),
        ("dask:tcp://a:99999", r"'tcp://a:99999' is no address of a scheduler"),
        ("local:0", r"executor=local:0: expected a number of bundles from 1 to 1024, such as local:4"),
        ("local:many", r"executor=local:many: expected a number"),
        ("slurm:partion=a", r"unknown option 'partion'; did you mean 'partition'\?"),
        ("slurm:partition", r"option partition has no value; expected partition=VALUE"),
        ("slurm:jobs=0", r"jobs=0: expected a number above 0"),
        ("slurm:cluster=lcal", r"cluster=lcal: unknown value; did you mean 'local'\?"),
    ],
)
def test_a_wrong_value_is_refused_with_what_was_meant(value: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        registry.parse(value)


@pytest.mark.parametrize(
    ("value", "name", "takes_bundles"),
    [
        ("local", "local", False),
        ("local:4", "local", True),
        ("dask:tcp://[::1]:8786", "dask", True),
        ("slurm", "slurm", True),
        ("slurm:partition=short,jobs=9", "slurm", True),
    ],
)
def test_a_value_names_its_executor(
    value: str, name: str, takes_bundles: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    chosen = registry.parse(value)
    assert (chosen.kind.name, chosen.takes_bundles, chosen.name) == (name, takes_bundles, value)


@pytest.mark.parametrize("kind", [kind for kind in registry.EXECUTORS if kind.module])
def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    kind: Kind, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        RequestError, match=rf"needs the PyPI package {kind.module}, .*layermatrix\[{kind.extra}\]"
    ):
        registry.parse(kind.example)
    (tmp_path / "sconsw").touch()
    with pytest.raises(RequestError, match=rf"\./sconsw executor={kind.name}\S* installs it$"):
        registry.parse(kind.example)


def test_the_command_line_names_every_executor() -> None:
    assert tuple(kind.form for kind in registry.EXECUTORS) == targets.EXECUTORS
    text = (Path(registry.__file__).parents[4] / "pyproject.toml").read_text(encoding="utf-8")
    for kind in registry.EXECUTORS:
        assert not kind.extra or f'\n{kind.extra} = ["{kind.module}>=' in text


# --- what a worker does


def _run(
    tmp_path: Path, before: str, seconds: float = 30.0, tools: Mapping[str, str] | None = None
) -> tuple[bytes | None, str]:
    work = toy_bundles.bundle(tmp_path, "a", before=before)
    return worker.run(work.file.read_bytes(), seconds, tools or {})


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ("sys.exit('libc is too old')", "libc is too old"),
        ("sys.exit(3)", "exit status 3"),
        ("sys.exit(0)", "it wrote no result"),
        ("os.kill(os.getpid(), 9)", "signal 9 ended it"),
        ("import time; time.sleep(60)", "it was still running after 0.3 s"),
    ],
)
def test_a_bundle_that_cannot_be_run_gives_the_reason(tmp_path: Path, before: str, reason: str) -> None:
    limit = 0.3 if "sleep" in before else 30.0
    assert _run(tmp_path, before, limit) == (None, reason)


def test_a_missing_tool_is_named_with_its_package_and_the_bundle_is_not_started(tmp_path: Path) -> None:
    found = _run(tmp_path, f"open({str(tmp_path / 'started')!r}, 'w')", tools={"no-such-tool": "its-package"})
    assert found == (None, "not installed there: no-such-tool; apt install its-package")
    assert not (tmp_path / "started").exists()


def test_nothing_of_a_bundle_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    child = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"
    content, _ = _run(tmp_path, f"{child}; print(os.getpid(), file=open({str(tmp_path / 'group')!r}, 'w'))")
    assert content
    group = int((tmp_path / "group").read_text(encoding="ascii"))
    end = time.monotonic() + 5
    while _lives(group):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert not list(tmp_path.glob("layermatrix-*"))


def _lives(group: int) -> bool:
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = file.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[2]) == group and words[0] != "Z":
            return True
    return False


def test_the_text_of_a_worker_imports_only_the_standard_library() -> None:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(Path(worker.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).split(".")[0])
    assert imported
    assert imported <= sys.stdlib_module_names


def test_the_cost_of_an_executor_is_measured() -> None:
    lines: list[str] = []
    found = scale.run("local:2", [3, 6], lines.append)
    assert [cost.cells for cost in found] == [3, 6]
    assert lines == [scale.HEADER, *(cost.line for cost in found)]
    for cost in found:
        assert 0 < cost.cpu < cost.all_cpu
        assert cost.bytes > 200 * cost.cells


# --- this machine


def test_this_machine_runs_bundles_as_child_processes(tmp_path: Path) -> None:
    works = [toy_bundles.bundle(tmp_path, f"cell{number}") for number in range(6)]
    executor = Local(2)
    summary = driver.run(works, executor, Results(tmp_path), say=lambda line: None, limits=QUICK)
    executor.shutdown()
    assert summary == driver.Summary(total=6, new=6)


def test_a_timing_runs_alone(tmp_path: Path) -> None:
    """Each bundle notes itself in a folder, and a timing sees no other one there."""
    place = tmp_path / "running"
    place.mkdir()
    note = (
        f"me = os.path.join({str(place)!r}, str(os.getpid())); open(me, 'w'); import time; time.sleep(0.05)"
    )
    alone = f"{note}; assert len(os.listdir({str(place)!r})) == 1"
    works = [
        toy_bundles.bundle(
            tmp_path, f"cell{number}", before=alone if number % 2 else note, after="os.unlink(me)",
            resources={"bench": 1} if number % 2 else None,
        )
        for number in range(8)
    ]  # fmt: skip
    executor = Local(4)
    summary = driver.run(works, executor, Results(tmp_path), say=lambda line: None, limits=QUICK)
    executor.shutdown()
    assert summary == driver.Summary(total=8, new=8)


def test_a_tool_that_this_machine_lacks_is_reported_at_once(tmp_path: Path) -> None:
    work = toy_bundles.bundle(tmp_path, "a", tools={"no-such-tool": "its-package"})
    begin = time.monotonic()
    summary = driver.run([work], Local(1), Results(tmp_path), say=lambda line: None, limits=QUICK)
    assert summary.is_complete
    assert summary.lacking == {"a": "not installed there: no-such-tool; apt install its-package"}
    assert time.monotonic() - begin < 5


def test_a_bundle_that_is_gone_is_not_run(tmp_path: Path) -> None:
    work = toy_bundles.bundle(tmp_path, "a")
    work.file.unlink()
    summary = driver.run([work], Local(1), Results(tmp_path), say=lambda line: None, limits=QUICK)
    assert "No such file or directory" in summary.not_run["a"]


def test_the_end_of_an_executor_ends_its_bundles(tmp_path: Path) -> None:
    started = tmp_path / "started"
    before = f"open({str(started)!r}, 'w').write(str(os.getpid())); import time; time.sleep(600)"
    executor = Local(1)
    executor.submit(toy_bundles.bundle(tmp_path, "a", before=before))
    end = time.monotonic() + 20
    while not started.exists() or not started.read_text(encoding="ascii"):
        assert time.monotonic() < end
        time.sleep(0.01)
    executor.shutdown()
    while _lives(int(started.read_text(encoding="ascii"))):
        assert time.monotonic() < end
        time.sleep(0.01)


# --- Slurm


SBATCH = """#!/bin/sh
# As Slurm's sbatch: runs a copy of the file in the background, and prints the number of the job.
id=$$
cp "$1" "$SLURM_TEST/$id.sh"
echo "$@" "$(grep '^#SBATCH' "$1")" >>"$SLURM_TEST/calls"
SLURM_JOB_ID=$id SLURM_JOB_NUM_NODES=1 SLURM_NTASKS=1 SLURM_NODEID=0 SLURM_PROCID=0 SLURM_LOCALID=0 \
    sh "$SLURM_TEST/$id.sh" >"$SLURM_TEST/$id.log" 2>&1 &
echo "Submitted batch job $id"
"""
SRUN = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do case $1 in --output | --error) shift ;; esac; shift; done
exec "$@"
"""
SACCT = """#!/bin/sh
echo 'JobID|State|NodeList'
"""
COMMANDS = {"sbatch": SBATCH, "srun": SRUN, "sacct": SACCT, "scancel": "#!/bin/sh\n"}


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with commands that answer as Slurm's; the file `calls` there has the jobs."""
    pytest.importorskip("submitit", reason="the extra layermatrix[slurm] is not installed")
    folder = tmp_path / "commands"
    folder.mkdir()
    for name, text in COMMANDS.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_TEST", str(folder))
    return folder


def test_slurm_gets_a_job_for_each_bundle_with_the_options_of_the_command_line(
    slurm: Path, tmp_path: Path
) -> None:
    works = [
        toy_bundles.bundle(tmp_path, "cell"),
        toy_bundles.bundle(tmp_path, "timing", resources={"bench": 1}),
        toy_bundles.bundle(tmp_path, "lacking", tools={"no-such-tool": "its-package"}),
    ]
    executor = registry.parse("slurm:partition=short,cpus_per_task=2,exclude=old1").connect(tmp_path)
    limits = driver.Limits(tick=0.05, places=2)
    try:
        summary = driver.run(works, executor, Results(tmp_path), say=lambda line: None, limits=limits)
    finally:
        executor.shutdown()
    assert summary.is_complete
    assert summary.lacking == {"lacking": "not installed there: no-such-tool; apt install its-package"}
    calls = (slurm / "calls").read_text(encoding="utf-8").split("#!/bin/sh")[0]
    assert calls.count("--partition=short") == 5
    assert calls.count("--cpus-per-task=2") == 5
    assert calls.count("--exclusive") == 1
    assert calls.count("--time=3") == 5
    assert f"--exclude=old1,{os.uname().nodename}" in calls  # the second attempt avoids the node of the first
    left = [file.name for file in (tmp_path / registry.FOLDER / "slurm").iterdir() if file.suffix == ".pkl"]
    assert left == []


def test_what_sbatch_refuses_is_shown(slurm: Path, tmp_path: Path) -> None:
    refuse = "#!/bin/sh\necho 'sbatch: error: invalid partition specified: shrt' >&2\nexit 1\n"
    (slurm / "sbatch").write_text(refuse, encoding="utf-8")
    executor = registry.parse("slurm:partition=shrt").connect(tmp_path)
    work = toy_bundles.bundle(tmp_path, "cell")
    with pytest.raises(ExecutorError, match=r"executor=slurm: sbatch: .*invalid partition specified: shrt"):
        driver.run([work], executor, Results(tmp_path), say=lambda line: None)
    executor.shutdown()


def test_a_machine_without_slurm_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit", reason="the extra layermatrix[slurm] is not installed")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExecutorError, match=r"sbatch is not installed here; start this on a login node"):
        registry.parse("slurm").connect(tmp_path)


def test_submitit_without_slurm_runs_bundles(tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="the extra layermatrix[slurm] is not installed")
    works = [toy_bundles.bundle(tmp_path, f"cell{number}") for number in range(2)]
    executor = registry.parse("slurm:cluster=local").connect(tmp_path)
    try:
        summary = driver.run(works, executor, Results(tmp_path), say=lambda line: None, limits=QUICK)
    finally:
        executor.shutdown()
    assert summary == driver.Summary(total=2, new=2)
