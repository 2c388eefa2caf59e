"""The benchmark programs: each runs, reports all its fields, and fails if the allocator is wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toy_traces
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "csrc" / "bench"
FAULTY = Path(__file__).with_name("faulty_malloc.c")
SOURCES = sorted(FOLDER.glob("bench_*.c"))
FLAGS: list[str] = [
    *("-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-fPIC"),
    *(f"-fno-builtin-{name}" for name in ("malloc", "calloc", "realloc", "free")),
]

# Small enough to take a few milliseconds, but each still does its real work.
TINY = {
    "churn": ["--ops", "4000", "--slots", "50"],
    "larson": ["--ops", "4000", "--slots", "50", "--threads", "2", "--rounds-of", "500"],
    "lifetimes": ["--ops", "4000", "--slots", "63"],
    "live": ["--ops", "4000", "--slots", "500"],
    "owners": ["--ops", "4000", "--slots", "50", "--owners", "4", "--freers", "2"],
    "phases": ["--ops", "4000", "--slots", "500", "--max", "1024", "--keep", "100"],
    "pipe": ["--ops", "4000", "--producers", "2", "--consumers", "1"],
    "random_mixed_hakmem": ["--ops", "4000", "--slots", "50"],
    "realloc": ["--ops", "2", "--slots", "40", "--max", "4K", "--step", "64"],
    "replace": ["--ops", "4000", "--slots", "50"],
    "replay": ["--ops", "4000", "--trace", "toy"],
    "sharing": ["--ops", "400"],
    "spawn": ["--ops", "4000", "--slots", "50", "--rounds-of", "100"],
    "startup": ["--ops", "200", "--slots", "50"],
}
# The same programs with other options: another function, another order, more threads.
OTHERS = [
    ("churn", ["--kind", "calloc", "--max", "64K"]),
    ("churn", ["--kind", "aligned", "--align", "4096", "--touch", "pages", "--max", "64K"]),
    ("churn", ["--touch", "none", "--threads", "3"]),
    ("churn", ["--touch", "late", "--min", "80"]),
    ("churn", ["--table", "shared", "--threads", "3"]),
    ("lifetimes", ["--threads", "2"]),
    ("live", ["--threads", "2"]),
    ("owners", ["--freers", "0"]),
    ("phases", ["--order", "random", "--doublings", "2", "--max", "4K"]),
    ("phases", ["--order", "backward", "--threads", "3", "--freer", "next"]),
    ("phases", ["--touch", "none", "--min", "256", "--max", "256"]),
    ("pipe", ["--consumers", "4", "--batch", "7"]),
    ("realloc", ["--step", "0", "--max", "1M", "--touch", "pages"]),
    ("replay", ["--touch", "ends"]),
    ("replay", ["--touch", "none"]),
    ("sharing", ["--first", "given", "--threads", "3"]),
]
CASES = [*((name, []) for name in TINY), *OTHERS]
FIELDS = {"bench", "ops", "seconds", "mops", "peak_kib", "checksum", "cpu_seconds", "allocator"}

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Library = Callable[..., Path]


def tiny(name: str, more: list[str]) -> list[str]:
    """The arguments of a short run. If an option appears twice, its last value counts."""
    return [*TINY[name], *more]


@pytest.fixture(scope="module")
def compiler() -> str:
    """The compiler that is installed."""
    found = shutil.which("gcc") or shutil.which("clang")
    if found is None:
        pytest.skip("neither gcc nor clang is installed")
    return found


@pytest.fixture(scope="module")
def programs(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the programs, which find traces where a build has them."""
    build = tmp_path_factory.mktemp("programs")
    folder = build / "baseline" / "bin"
    for inside in (folder, build / "traces"):
        inside.mkdir(parents=True)
    (build / "traces" / "toy.trace").write_bytes(toy_traces.small().content())
    for source in SOURCES:
        words = [compiler, *FLAGS, str(source), "-o", str(folder / source.stem)]
        subprocess.run(words, check=True, timeout=60)
    return folder


@pytest.fixture(scope="module")
def library(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Compiles an allocator that is correct, or wrong in one way."""
    folder = tmp_path_factory.mktemp("libraries")

    def compile_(fault: str | None = None, name: str | None = None) -> Path:
        made = folder / (name or f"lib{fault or 'right'}.so")
        if not made.exists():
            define: list[str] = [f"-D{fault}"] if fault else []
            words: list[str] = [*FLAGS, *define, "-shared", str(FAULTY), "-o", str(made)]
            subprocess.run([compiler, *words], check=True, timeout=60)
        return made

    return compile_


@pytest.fixture
def run(programs: Path) -> Run:
    """Runs a program, with a library preloaded if one is given."""

    def call(name: str, args: list[str], preload: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
        if preload is not None:
            environment["LD_PRELOAD"] = str(preload)
        command = [str(programs / f"bench_{name}"), *args]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    return call


def line_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert (done.stderr, done.returncode) == ("", 0)
    line: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return line


def test_every_program_is_tried_here() -> None:
    assert {source.stem.removeprefix("bench_") for source in SOURCES} == set(TINY)


@pytest.mark.parametrize("name", ["gcc", "clang"])
def test_a_compiler_finds_nothing_to_warn_of(name: str) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    subprocess.run([name, *FLAGS, "-fsyntax-only", *SOURCES, FAULTY], check=True, timeout=60)


@pytest.mark.parametrize(("name", "more"), CASES)
def test_a_run_reports_every_field(run: Run, name: str, more: list[str]) -> None:
    line = line_of(run(name, tiny(name, more)))
    assert set(line) == FIELDS
    assert all(line[field] > 0 for field in ("ops", "seconds", "mops", "peak_kib"))
    assert all(line[field] >= 0 for field in ("checksum", "cpu_seconds"))
    assert "libc" in Path(line["allocator"]).name


def test_a_counted_run_prints_no_figure_that_varies(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERED_COUNTED", "1")
    line = line_of(run("churn", tiny("churn", [])))
    assert [line[field] for field in ("seconds", "mops", "peak_kib", "cpu_seconds")] == [0, 0, 0, 0]
    assert line["ops"] > 0


@pytest.mark.parametrize("name", TINY)
def test_memory_after_the_last_free_is_reported_where_it_is_requested(run: Run, name: str) -> None:
    line = line_of(run(name, [*tiny(name, []), "--after-ms", "30"]))
    assert set(line) == {*FIELDS, "after_kib"}
    assert line["after_kib"] > 0


@pytest.mark.parametrize(("name", "more"), CASES)
def test_the_library_that_was_called_is_named_and_does_not_change_the_work(
    run: Run, library: Library, name: str, more: list[str]
) -> None:
    own, other = (line_of(run(name, tiny(name, more), preload)) for preload in (None, library()))
    assert other["allocator"] == os.path.realpath(library())
    assert (own["ops"], own["checksum"]) == (other["ops"], other["checksum"])


def test_a_path_with_quotes_is_still_json(run: Run, library: Library) -> None:
    odd = library(name='an_"odd\\one".so')
    assert line_of(run("churn", tiny("churn", []), odd))["allocator"] == os.path.realpath(odd)


def test_a_library_that_has_malloc_only_gives_no_figure(run: Run, library: Library) -> None:
    half = library("ONLY_MALLOC")
    done = run("churn", tiny("churn", []), half)
    assert (done.stdout, done.returncode) == ("", 2)
    assert done.stderr.startswith(f"malloc comes from {os.path.realpath(half)}, but free from ")
    assert done.stderr.endswith(": preload one allocator only\n")


# The older programs check sums of bytes, not each block. In `sharing`, threads share a block only by chance.
@pytest.mark.parametrize("name", sorted({*TINY} - {"larson", "replace", "random_mixed_hakmem", "sharing"}))
def test_memory_that_is_handed_out_twice_is_noticed(run: Run, library: Library, name: str) -> None:
    done = run(name, tiny(name, []), library("WRONG_OVERLAP"))
    assert (done.stdout, done.returncode) == ("", 2)
    assert "handed out memory twice" in done.stderr


@pytest.mark.parametrize(
    ("fault", "name", "args", "words"),
    [
        ("WRONG_ZERO", "churn", ["--kind", "calloc"], "is not zeroed"),
        ("WRONG_ALIGN", "churn", ["--kind", "aligned"], "is not aligned to 64"),
        ("WRONG_ALIGN", "churn", ["--min", "64"], "bytes is not aligned"),
        ("WRONG_COPY", "realloc", [], "was written to by someone else"),
    ],
)
def test_a_wrong_block_is_noticed(
    run: Run, library: Library, fault: str, name: str, args: list[str], words: str
) -> None:
    done = run(name, [*tiny(name, []), *args], library(fault))
    assert (done.stdout, done.returncode) == ("", 2)
    assert words in done.stderr


def test_a_slow_run_ends_at_its_limit_with_fewer_ops(run: Run) -> None:
    line = line_of(run("churn", ["--ops", "1000000M", "--limit-ms", "20"]))
    assert 0 < line["ops"] < 10**12
    assert 0.02 <= line["seconds"] < 20


def test_the_time_of_many_threads_is_that_of_all_of_them(run: Run) -> None:
    """No thread works before the clock starts or after it stops, although only a few threads run at a
    time."""
    for _ in range(5):
        line = line_of(run("churn", ["--ops", "2M", "--threads", "64"]))
        assert line["cpu_seconds"] <= line["seconds"] * len(os.sched_getaffinity(0)) + 0.005


def test_k_and_m_are_1024_and_its_square(run: Run) -> None:
    assert line_of(run("churn", ["--ops", "2K"]))["ops"] == 2048
    assert line_of(run("churn", ["--ops", "1M"]))["ops"] == 1 << 20


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["--ops", "12Q"], "--ops takes a number from 2 to 1099511627776"),
        (["--ops", "-2"], "--ops takes a number from 2 to 1099511627776"),
        (["--ops", "99999999999999999999"], "--ops takes a number from 2 to 1099511627776"),
        (["--ops", "99999999999999M"], "--ops takes a number from 2 to 1099511627776"),
        (["--ops"], "--ops takes a number from 2 to 1099511627776"),
        (["--kind", "alloca"], "--kind does not take 'alloca'; --help lists its words"),
        (["--kind"], "--kind does not take ''; --help lists its words"),
        (["--rounds-of", "5"], "unknown option '--rounds-of'; --help lists them"),
        (["--min", "9", "--max", "8"], "--min is above --max"),
        (["--min", "7"], "--min is below 8, which is needed for --touch"),
        (["--kind", "aligned", "--align", "24"], "--align takes a power of 2"),
    ],
)
def test_an_argument_that_cannot_be_is_refused(run: Run, args: list[str], complaint: str) -> None:
    done = run("churn", args)
    assert (done.stdout, done.stderr, done.returncode) == ("", f"{complaint}\n", 2)


def test_help_lists_the_options_that_the_program_knows(run: Run) -> None:
    text = run("churn", ["--help"]).stdout
    assert "--kind" in text
    assert "malloc calloc aligned (malloc)" in text
    assert "--rounds-of" not in text


def test_the_arguments_of_every_load_are_known_to_its_program(programs: Path) -> None:
    matrix = yaml.safe_load((ROOT / "variants" / "matrix.yaml").read_text(encoding="utf-8"))
    loads = matrix["peers"]["loads"]
    assert len(loads) > 50
    for name, load in loads.items():
        command = [str(programs / load["program"]), *(str(word) for word in load["args"]), "--help"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert (name, done.stderr, done.returncode) == (name, "", 0)
