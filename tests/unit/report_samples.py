"""Small result records in the shape that `results.collect` gives them, for the tests of the reports.

No figure here was measured: they are made up so that a test can find them again.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from layermatrix.analysis import comparison, reported, results
from layermatrix.core import records

Record = dict[str, Any]

QUOTED = {
    "old": {
        "mops": "25",
        "asm_lines": "2000",
        "l1_misses": "2.0",
        "conditional_paths": "26",
        "runtime_checks": "38",
    },
    "mid": {"mops": "40-50", "asm_lines": "1000-1200", "l1_misses": "0.8-1.2"},
    "new": {"mops": "70-90", "asm_lines": "150-200", "l1_misses": "0.3-0.5"},
}
LINEAGE = ("old", "mid", "new", "split")
LAYERS = {
    "old": ["Stack", "Ring", "List", "Refill"],
    "mid": ["Stack", "List", "Refill"],
    "new": ["List", "Refill"],
    "split": ["List", "Refill"],
}


def asm(alloc: int, free: int = 9) -> Record:
    """Evidence `asm`: `alloc` instructions, twice as many lines."""
    entries = {
        name: {
            "function": f"fast_{name}",
            "probe": f"probe_{name}",
            "instructions": count,
            "bytes": count * 4,
            "branches": 3,
            "calls": 0,
            "lines": count * 2,
            "lines_reason": None,
            "hit": {"instructions": 5, "calls": 0},
            "hit_reason": None,
            "layers": {
                "frame": {"instructions": 4, "hit": {"instructions": 3}},
                "list": {"instructions": count - 4, "hit": {"instructions": 2}},
            },
            "layers_reason": None,
        }
        for name, count in (("alloc", alloc), ("free", free))
    }
    return {"kind": "asm", "status": "measured", "reason": None, "arch": "x86_64", "entries": entries}


def code(checks: int, paths: int) -> Record:
    """Evidence `code`: the alloc path has `checks` runtime checks and `paths` conditional paths."""
    entries = {
        name: {
            "function": f"fast_{name}",
            "runtime_checks": count,
            "switches": {"sys_toggles": count},
            "conditional_paths": paths,
        }
        for name, count in (("alloc", checks), ("free", checks // 2))
    }
    header = {"name": "sys_gen.h", "lines": 877, "conditional_paths": paths + 2}
    files = {"sys_state.c": {"lines": 73, "told": "200-300"}, "sys_tls.c": {"lines": 242, "told": "300-400"}}
    sources = {"files": 21, "conditional_paths": 29}
    record = {"kind": "code", "status": "measured", "reason": None, "header": header, "sources": sources}
    return {**record, "entries": entries, "files": files}


def budget(limit: int, value: int = 22) -> Record:
    """Evidence `budget` of one limit, kept or not."""
    figure = {
        "entry": "alloc",
        "metric": "instructions",
        "limit": limit,
        "place": "variants/old.yaml:7",
        "value": value,
        "reason": None,
    }
    sentence = f"alloc instructions is {value}, and {limit} is the most (variants/old.yaml:7)"
    broken = {
        **figure,
        "sentence": sentence,
        "ancestor": "older-release-gcc",
        "ancestor_value": 12,
        "shares": "instructions",
        "layers": [
            {"layer": "frame", "value": 4, "ancestor": 4, "from": None},
            {"layer": "list", "value": value - 4, "ancestor": 8, "from": "templates/layers/list.h.j2"},
        ],
    }
    found = [broken] if value > limit else []
    return {
        "kind": "budget",
        "status": "measured",
        "reason": None,
        "figures": [figure],
        "broken": found,
        "failures": [one["sentence"] for one in found],
        "log": f"over budget: {sentence}" if found else "",
    }


def guards(count: int) -> Record:
    strings = {"count": count, "examples": [f"[sys:{index}] words" for index in range(count)]}
    return {
        "kind": "guards",
        "status": "measured",
        "reason": None,
        "debug_strings": strings,
        "sentinel": "sys",
        "verdict": "kept" if count else "absent",
        "sources": {"layer ring": {"statements": 3, "strings": count, "forbidden": 0}},
        "checks": [
            {"name": "same code", "status": "passed", "reason": None, "mistakes": []},
            {"name": "control", "status": "not claimed", "reason": "taken elsewhere", "mistakes": []},
        ],
        "failures": [],
        "log": "",
    }


def broken_guards() -> Record:
    """Evidence `guards` of a release that has a forbidden call."""
    mistake = "csrc/a.c:7:1: error: puts in work is forbidden in a release: <no output>"
    check = {"name": "nothing left", "status": "failed", "reason": None, "mistakes": [mistake]}
    failures = {"verdict": "failed", "failures": [f"nothing left: {mistake}"], "log": mistake}
    return {**guards(0), **failures, "checks": [check]}


def counters(instructions: float, i1: float, d1: float) -> Record:
    per_op = {
        "instructions": instructions,
        "i1_misses": i1,
        "d1_misses": d1,
        "ll_misses": 0.001,
        "branches": 4.25,
        "mispredicted": 0.125,
    }
    load = {
        "status": "measured",
        "ops": 1000,
        "args": "0123abcd",
        "per_op": per_op,
        "own_share": dict.fromkeys(per_op, 0.5),
        "raw": {name: value + 0.5 for name, value in per_op.items()},
    }
    fields = {
        "tool": "valgrind-3.19.0 cachegrind",
        "valgrind": "valgrind-3.19.0",
        "libc": "glibc 2.36",
        "cache": {"I1": [32768, 8, 64], "D1": [32768, 8, 64], "LL": [8388608, 16, 64]},
        "conditions": ["addresses not randomised", "on one processor"],
        "hardware": absent("hardware", "perf is not installed"),
    }
    loads = {"mixed": load, "swap": load}
    return {"kind": "counters", "status": "measured", "reason": None, **fields, "loads": loads}


def reference(new: float = 60.0, verdict: str = "kept") -> Record:
    """A comparison of two loads, the instructions of the first having been 60."""
    figures = {
        name: {"old": 0.5, "new": 0.5, "allowed": 0.1, "verdict": "kept"}
        for name in ("instructions", "i1_misses", "d1_misses", "ll_misses", "branches", "mispredicted")
    }
    figures["instructions"] = {"old": 60.0, "new": new, "allowed": 0.6, "verdict": verdict}
    loads = {
        "mixed": {"verdict": verdict, "reason": None, "figures": figures},
        "swap": {"verdict": "new", "reason": "no reference for this load", "figures": {}},
    }
    return {
        "kind": "reference",
        "status": "measured",
        "reason": None,
        "verdict": "new" if verdict == "kept" else verdict,
        "loads": loads,
    }


def bench(ratio: float, spread: float = 0.02) -> Record:
    """Evidence `bench` of a cell that is `ratio` times as fast as a baseline of 50 Mops/s."""
    speed = 50 * ratio
    load = {
        "status": "measured",
        "unit": "Mops/s",
        "samples": [speed - 1, speed, speed + 1],
        "baseline": [49.0, 50.0, 51.0],
        "median": speed,
        "low": speed - 1,
        "high": speed + 1,
        "interval": "min..max",
        "ratio": {"median": ratio, "low": ratio - spread, "high": ratio + spread, "verdict": "level"},
        "peak_kib": 2048,
        "baseline_peak_kib": 1024,
    }
    loads = {"mixed": load, "server": {**load, "peak_kib": 4096}}
    return {"kind": "bench", "status": "measured", "reason": None, "loads": loads, "rounds": 3}


def ran(kind: str, *programs: Record) -> Record:
    return {"kind": kind, "status": "measured", "reason": None, "programs": list(programs)}


def program(name: str, status: str = "passed", reason: str | None = None, log: str = "") -> Record:
    command = f"build/x/bin/{name}"
    return {"name": name, "status": status, "seconds": 0.25, "reason": reason, "log": log, "command": command}


def absent(kind: str, reason: str = "valgrind is not installed") -> Record:
    return {"kind": kind, "status": "not measured", "reason": reason}


def cell(variant: str, **changes: Any) -> Record:
    """A cell's record in which everything was measured and passed."""
    place = LINEAGE.index(variant)
    record: Record = {
        "id": f"{variant}-release-gcc",
        "variant": variant,
        "mode": "release",
        "compiler": "gcc",
        "sanitizer": "none",
        "target": "native",
        "doc": f"The {variant} one.",
        "lineage": list(LINEAGE[: place + 1]),
        "layers": LAYERS[variant],
        "quoted": QUOTED.get(variant, {}),
        "built": True,
        "failure": None,
        "asm": asm((800, 300, 22, 22)[place]),
        "code": code((36, 9, 0, 0)[place], (0, 11, 1, 1)[place]),
        "budget": budget(22),
        "guards": guards((2, 0, 0, 0)[place]),
        "counters": counters((60.0, 30.0, 9.5, 9.5)[place], 0.01, (0.9, 0.5, 0.2, 0.2)[place]),
        "tests": ran("tests", program("test_basic"), program("test_threads")),
        "programs": ran("programs", program("sqlite")),
        "bench": bench((0.5, 0.7, 1.3, 1.31)[place]),
        "reference": reference(),
    }
    record.update(changes)
    if "id" not in changes:
        parts = [record["variant"], record["mode"], record["compiler"]]
        parts += [record["sanitizer"]] if record["sanitizer"] != "none" else []
        record["id"] = "-".join(parts)
    record["failed"] = results.failed(record)
    record["repeat"] = results.repeat_command(record)
    return record


def layer(title: str, role: str, classes: list[str], **changes: Any) -> Record:
    """A layer as `path.describe` describes it."""
    storage = "none" if role == "refill" else "linked_list"
    described = {
        "name": title.lower(),
        "title": title,
        "doc": f"What {title} does.",
        "role": role,
        "storage": storage,
        "classes": classes,
        "serves_all": classes == ["C0", "C1"],
        "capacity": 0 if role == "refill" else 64,
        "bytes_bound": 0,
        "toggle": None,
        "inlined": True,
        "fills": "List" if role == "refill" else None,
    }
    return {**described, **changes}


def about(variant: str = "old") -> Record:
    """A variant's path as `path.describe` describes it: two caches overlap in C1."""
    return {
        "variant": variant,
        "doc": f"The {variant} one.",
        "source": f"variants/{variant}.yaml",
        "lineage": list(LINEAGE[: LINEAGE.index(variant) + 1]) if variant in LINEAGE else [variant],
        "quoted": QUOTED.get(variant, {}),
        "settings": {"toggles": "env", "debug_output": "always" if variant == "old" else "guarded"},
        "entries": {"alloc": "fast_alloc", "free": "fast_free"},
        "classes": [
            {"name": "C0", "size": 16, "low": 0, "high": 16},
            {"name": "C1", "size": 32, "low": 17, "high": 32},
        ],
        "layers": [
            layer("Stack", "cache", ["C0", "C1"]),
            layer("Ring", "cache", ["C1"], toggle={"env": "SYS_RING", "default": False}),
            layer("List", "overflow", ["C0", "C1"], capacity=0, bytes_bound=65536, inlined=False),
            layer("Refill", "refill", ["C0", "C1"], inlined=False),
        ],
        "overlaps": [{"classes": ["C1"], "layers": ["Stack", "Ring"]}],
        "options": [{"name": "spill", "doc": "Spill early.", "value": False, "env": "SYS_SPILL"}],
        "backend": {"name": "sys", "doc": "A backend."},
    }


def baseline(**changes: Any) -> Record:
    record: Record = {
        "name": "system malloc",
        "quoted": {"mops": "100", "asm_lines": "20-50", "l1_misses": "0.17"},
        "counters": counters(40.0, 0.02, 0.3),
        "bench": bench(1.0),
    }
    for load in record["bench"]["loads"].values():
        load["ratio"] = None
    return {**record, **changes}


def experiments() -> Record:
    """Two experiments: one that new has won, and one that shows no difference; and an ablation."""
    fast, slow = ("new", [12.0, 12.1, 12.2]), ("mid", [10.0, 10.1, 10.2])
    made = [
        _comparison("mid_or_new", "Mid or new?", "speed", [slow, fast], "new"),
        _comparison("same", "The same?", "speed", [slow, ("old", [9.9, 10.3, 10.1])], None),
        _comparison("without a layer: mid", "What does each layer of mid bring?", None, [slow, fast], None),
    ]
    for found in made:
        found["stale"] = []
    return records.measured("experiments", comparisons={found["name"]: found for found in made})


def _comparison(
    name: str, question: str, figure: str | None, sides: list[tuple[str, list[float]]], kept: str | None
) -> Record:
    asked = comparison.Question(name, question, "Why.", ("mixed",), figure, kept, f"./sconsw ab {name}")
    first = sides[0][1]
    cells = [
        cell(variant, bench=timed(speeds, None if speeds is first else first)) for variant, speeds in sides
    ]
    return comparison.build(asked, cells, {one["id"]: Path("/nowhere") for one in cells})


def timed(speeds: list[float], against: list[float] | None = None) -> Record:
    """Evidence `bench` of a side that took turns with others."""
    load: Record = {"status": "measured", "unit": "Mops/s", "samples": speeds}
    if against:
        ratios = sorted(new / old for old, new in zip(against, speeds, strict=True))
        load["ratio"] = {"median": ratios[1], "low": ratios[0], "high": ratios[-1]}
    load |= {"median": speeds[1], "low": min(speeds), "high": max(speeds), "interval": "min..max"}
    return records.measured("bench", rounds=len(speeds), loads={"mixed": load})


def record(cells: Iterable[Record], **changes: Any) -> Record:
    """A whole result record, with the story that these cells tell."""
    cells = list(cells)
    made: Record = {
        "schema": 1,
        "system": {"name": "sys", "doc": "A system of layers."},
        "host": {
            "cpu": "Made-up CPU",
            "cores": 2,
            "machine": "x86_64",
            "kernel": "Linux 6",
            "libc": "glibc 2.36",
            "compilers": {"gcc": "gcc 12.2"},
        },
        "loads": {"server": "a server's load", "mixed": "random sizes"},
        "headline": "mixed",
        "cells": cells,
        "variants": {cell["variant"]: about(cell["variant"]) for cell in cells},
        "baseline": baseline(),
        "experiments": experiments(),
        "peers": absent("peers", "it was not timed beside its peers: ./sconsw peers"),
        "origins": {"list": {"template": "templates/layers/list.h.j2", "entry": "variants/layers.yaml:40"}},
        "left_out": [],
    }
    made.update(changes)
    made["story"] = reported.tell(made)
    return made


def phases(**changes: Any) -> Record:
    """Four variants of one lineage, all measured."""
    return record([cell(name) for name in LINEAGE], **changes)
