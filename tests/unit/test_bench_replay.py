"""The replay of a trace: what it refuses, what it prints, and the traces of this repository."""

from __future__ import annotations

import json
import lzma
import random
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from toy_traces import HEADER_BYTES, KINDS, Toy, decoded, small

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "csrc" / "bench"
TRACES = sorted((FOLDER / "traces").glob("*.trace.xz"))
FLAGS = [
    *("-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread"),
    *(f"-fno-builtin-{name}" for name in ("malloc", "calloc", "realloc", "free")),
]
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
Replay = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`bench_replay` with sanitizers, where the compiler has them."""
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("neither gcc nor clang is installed")
    made = tmp_path_factory.mktemp("replay") / "bench_replay"
    words = [compiler, *FLAGS, str(FOLDER / "bench_replay.c"), "-o", str(made)]
    done = subprocess.run([*words, *SANITIZED], capture_output=True, timeout=60)
    if done.returncode:
        subprocess.run(words, check=True, timeout=60)
    return made


@pytest.fixture
def replay(program: Path, tmp_path: Path) -> Replay:
    """Replays these bytes."""

    def call(content: bytes, *words: str) -> subprocess.CompletedProcess[str]:
        trace = tmp_path / "a.trace"
        trace.write_bytes(content)
        command = [str(program), "--ops", "2", "--trace", str(trace), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    return call


def test_a_trace_is_replayed_as_often_as_is_requested(replay: Replay) -> None:
    toy = small()
    calls = toy.totals["events"] + len(toy.live)  # what is left is freed
    for wanted, done_ops in ((2, calls), (calls * 3, calls * 3), (calls * 4 - 1, calls * 3)):
        done = replay(toy.content(), "--ops", str(wanted))
        assert (done.stderr, done.returncode) == ("", 0)
        assert json.loads(done.stdout)["ops"] == done_ops


def test_the_counts_are_those_of_the_events(replay: Replay) -> None:
    toy = small()
    counts = json.loads(replay(toy.content(current=1) + bytes(100), "--print", "counts").stdout)
    assert counts["file_bytes"] == len(toy.content())
    assert {kind: counts[kind] for kind in KINDS} == {kind: toy.totals[kind] for kind in KINDS}
    assert [counts[name] for name in ("events", "peak_blocks", "peak_bytes", "threads", "end", "calls")] == [
        *(8, 3, 75_000, 1, "exit", 10)
    ]
    assert counts["sizes"] == {"1": 1, "4": 2, "32": 1, "8192": 1, "131072": 1}


def test_both_readers_of_the_format_agree(replay: Replay) -> None:
    lines = replay(small().content(), "--print", "events").stdout.splitlines()
    assert [line.split()[1:3] for line in lines] == [
        [kind, f"#{number}"] for _, kind, number, _, _ in decoded(small().content())
    ]


def with_threads() -> Toy:
    toy = Toy()
    toy.add("free", toy.add("malloc", size=9, thread=1), thread=2)
    return toy


def with_total(name: str, change: int) -> Toy:
    toy = small()
    toy.totals[name] += change
    return toy


def with_event(kind: str, number: int | None, **more: int) -> Toy:
    toy = small()
    toy.add(kind, number, **more)
    return toy


def with_bytes(*more: int) -> Toy:
    toy = small()
    toy.events += bytes(more)
    return toy


def at_end(toy: Toy) -> int:
    return HEADER_BYTES + len(toy.events)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "it is no trace: it is shorter than the header"),
        (small().content()[: HEADER_BYTES - 1], "it is no trace: it is shorter than the header"),
        (small().content(magic=b"OTHERONE"), "it is no trace: it does not begin with MALTRACE"),
        (small().content(version=2), "its format is version 2, and this program reads version 1"),
        (small().content()[:-3], "it is cut off: 20 of 23 bytes of events are there"),
        (with_threads().content(), "it has 2 threads, and only traces of one thread are replayed"),
        (Toy().content(), "it has no events"),
    ],
)
def test_a_file_that_is_no_trace_is_refused(
    replay: Replay, tmp_path: Path, content: bytes, what: str
) -> None:
    done = replay(content)
    assert (done.stdout, done.stderr, done.returncode) == ("", f"{tmp_path}/a.trace: {what}\n", 2)


@pytest.mark.parametrize(
    ("toy", "at", "what"),
    [
        (with_event("free", 0), at_end(small()), "its object was freed before"),
        (with_event("realloc", 1, size=3), at_end(small()), "its object was freed before"),
        (with_event("free", 9), at_end(small()), "there is no such object yet"),
        (with_event("malloc", None, size=1 << 32), at_end(small()), "a block of 4 GiB or more cannot be"),
        (with_event("realloc", 3, size=0), at_end(small()), "a realloc to 0 bytes"),
        (with_bytes(7), at_end(small()), "there is no such event"),
        (with_bytes(0 | 1 << 3, 1), at_end(small()), "there is no such event"),
        (with_bytes(0), at_end(small()) + 1, "the last event is incomplete"),
        (with_bytes(0, 0x80), at_end(small()) + 2, "the last event is incomplete"),
        (with_bytes(0, *[0xFF] * 9, 2), at_end(small()) + 11, "a number has more than 64 bits"),
        (with_bytes(5, 2, 0, 1), at_end(small()) + 1, "there is no such thread"),
        (with_bytes(0, 1), at_end(small()), "there are more events than the header counts"),
        (with_total("malloc", 1), HEADER_BYTES, "the events are others than the header counts"),
        (with_total("peak_bytes", 1), HEADER_BYTES, "the events are others than the header counts"),
        (with_total("end", 3), 16, "the header is damaged"),
        (with_total("events", 1000), 16, "the header is damaged"),
        (with_total("peak_blocks", 1000), 16, "more blocks at a time than can be replayed"),
        (with_total("peak_blocks", -1), HEADER_BYTES + 16, "the header promises fewer blocks"),
    ],
)  # fmt: skip
def test_a_damaged_trace_is_refused_with_the_place(
    replay: Replay, tmp_path: Path, toy: Toy, at: int, what: str
) -> None:
    done = replay(toy.content())
    assert (done.stdout, done.returncode) == ("", 2)
    assert done.stderr.startswith(f"{tmp_path}/a.trace: byte {at}: {what}")
    assert done.stderr.endswith("; record the trace again\n")


def test_a_trace_with_random_damage_is_refused_or_replayed(replay: Replay) -> None:
    """The sanitizers find a read or write outside the tables, or a number that overflows."""
    chance, whole = random.Random(3), small().content()
    for _ in range(60):
        content = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            content[chance.randrange(16, len(content))] = chance.randrange(256)
        done = replay(bytes(content[: chance.choice([len(content), chance.randrange(len(content))])]))
        assert done.returncode in (0, 2), done.stderr
        assert done.stderr.count("\n") == (1 if done.returncode else 0), done.stderr


def test_a_trace_that_is_not_there_or_not_named_is_an_error(program: Path) -> None:
    for words, what in (
        ([], "--trace is missing: the path of a trace, or the name of one in build/traces\n"),
        (["--trace"], "--trace takes a text\n"),
        (["--trace", "/no/such"], "/no/such: No such file or directory\n"),
        (["--trace", "odd"], f"{program.parents[2]}/traces/odd.trace: No such file or directory\n"),
        (["--trace", "odd", "--threads", "2"], "--threads: a trace is replayed in one thread\n"),
    ):
        done = subprocess.run([program, *words], capture_output=True, text=True, timeout=60)
        assert (done.stdout, done.stderr, done.returncode) == ("", what, 2)


def line_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert (done.stderr, done.returncode) == ("", 0)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("packed", TRACES, ids=lambda path: path.name)
def test_a_recorded_trace_is_whole_and_small(replay: Replay, packed: Path) -> None:
    """The replayer compares each total of the header with the events. The sanitizers watch one replay."""
    assert packed.stat().st_size < 1 << 20
    content = lzma.decompress(packed.read_bytes())
    counts = line_of(replay(content, "--print", "counts"))
    assert counts["file_bytes"] == len(content)
    assert sum(counts[kind] for kind in KINDS) == counts["events"] > 100_000
    assert (counts["threads"], counts["end"]) == (1, "exit")
    assert sum(counts["sizes"].values()) == counts["events"] - counts["free"]
    assert line_of(replay(content, "--touch", "ends"))["ops"] == counts["calls"]


def test_each_recorded_trace_is_a_load() -> None:
    matrix = yaml.safe_load((ROOT / "variants" / "matrix.yaml").read_text(encoding="utf-8"))
    loads = [load["args"] for load in matrix["peers"]["loads"].values() if load["group"] == "traces"]
    assert sorted(args[args.index("--trace") + 1] for args in loads) == [
        packed.name.removesuffix(".trace.xz") for packed in TRACES
    ]
    assert len(TRACES) == 3


def test_the_header_has_the_documented_layout() -> None:
    assert struct.unpack_from("<8sI", small().content()) == (b"MALTRACE", 1)
    assert HEADER_BYTES == 216
    documented = (ROOT / "docs" / "measuring.md").read_text(encoding="utf-8")
    assert f"{HEADER_BYTES} bytes" in documented
