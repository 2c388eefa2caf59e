"""Small results in the shape that `results.collect` returns, for the tests of the reports.

No figure here was measured. The figures are invented so that a test can find them in the output.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from layermatrix.analysis import comparison, reported
from layermatrix.analysis.comparison import Comparison, Experiments, Question, Side
from layermatrix.analysis.counter_lock import ComparedCell as Reference
from layermatrix.analysis.counter_lock import ComparedFigure, ComparedLoad
from layermatrix.analysis.counter_lock import Verdict as Against
from layermatrix.analysis.layer_path import Backend, LayerPath, Overlap, Stage
from layermatrix.analysis.results import (
    BaselineResult,
    CellResult,
    Here,
    LeftOut,
    Origin,
    Results,
    System,
)
from layermatrix.core.records import Measured, Missing, NotMeasured
from layermatrix.evidence.asm import Asm, Size
from layermatrix.evidence.bench import Bench, Ratio, Timing, Verdict
from layermatrix.evidence.binary.counts import Entry, Hit, Share, Sums
from layermatrix.evidence.budget import Budget, LayerShare, Limited, OverBudget
from layermatrix.evidence.code import Code, EntryText, HeaderText, Lines, Sources
from layermatrix.evidence.counters import CountedLoad, Counters
from layermatrix.evidence.guards import (
    Claim,
    ForbiddenCalls,
    GuardCheck,
    Guards,
    Messages,
    OfSource,
    Statements,
)
from layermatrix.evidence.guards import Verdict as DebugCode
from layermatrix.evidence.kind import Check, Status
from layermatrix.evidence.programs import Programs
from layermatrix.evidence.tests import Tests
from layermatrix.measure import peers as peer_runs
from layermatrix.measure import stats
from layermatrix.measure.peer_results import PeerResults
from layermatrix.measure.peers import Lineup
from layermatrix.model.catalogue import Better, Unit
from layermatrix.model.layers import Option, Toggle
from layermatrix.model.measuring import Group, PeerLoad, Peers, Scale

Evidence = Measured | NotMeasured

REPORTED = {
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
    "old": ("Stack", "Ring", "List", "Refill"),
    "mid": ("Stack", "List", "Refill"),
    "new": ("List", "Refill"),
    "split": ("List", "Refill"),
}
EVENTS = ("instructions", "i1_misses", "d1_misses", "ll_misses", "branches", "mispredicted")
NOT_INSTALLED = NotMeasured("valgrind is not installed")
HERE = Here("x86_64", "Made-up CPU", "f1", 2, "Linux 6", "glibc 2.36", "3.11.7", "m1", {"gcc": "gcc 12.2"})


# --- evidence


def sums(instructions: int) -> dict[str, int]:
    counts = {"instructions": instructions, "nops": 0, "branches": 3, "calls": 0, "tail_calls": 0}
    return {**counts, "atomics": 0, "spills": 0, "bytes": instructions * 4}


def entry(name: str, count: int) -> Entry:
    """An entry of `count` instructions in twice as many lines."""
    frame, rest = Share(**sums(4), hit=Sums(**sums(3))), Share(**sums(count - 4), hit=Sums(**sums(2)))
    hit = Hit(**sums(5), stack=0, cache_lines=1, layers=("list",))
    return Entry(
        **sums(count), stack=8, cache_lines=2, function=f"fast_{name}", probe=f"probe_{name}",
        lines=count * 2, hit=hit, layers={"frame": frame, "list": rest},
    )  # fmt: skip


def asm(alloc: int, free: int = 9) -> Asm:
    """Evidence `asm`: `alloc` instructions."""
    return Asm("x86_64", {"alloc": entry("alloc", alloc), "free": entry("free", free)}, Size(4096, 64))


def code(checks: int, paths: int) -> Code:
    """Evidence `code`: the alloc path has `checks` runtime checks and `paths` conditional paths."""
    entries = {
        name: EntryText(f"fast_{name}", count, {"sys_toggles": count}, paths)
        for name, count in (("alloc", checks), ("free", checks // 2))
    }
    files = {"sys_state.c": Lines(73, "200-300"), "sys_tls.c": Lines(242, "300-400")}
    return Code(HeaderText("sys_gen.h", 877, paths + 2), entries, Sources(21, 29), files)


def budget(limit: int, value: int = 22) -> Budget:
    """Evidence `budget` of one limit, within it or over it."""
    figure: dict[str, Any] = {
        "entry": "alloc",
        "metric": "instructions",
        "limit": limit,
        "place": "variants/old.yaml:7",
        "value": value,
    }
    layers = (LayerShare("frame", 4, 4, None), LayerShare("list", value - 4, 8, "templates/layers/list.h.j2"))
    over = OverBudget(
        **figure, ancestor="older-release-gcc", ancestor_value=12, shares="instructions", layers=layers
    )
    return Budget((Limited(**figure),), (over,) if value > limit else ())


def guards(count: int) -> Guards:
    return Guards(
        verdict=DebugCode.KEPT if count else DebugCode.ABSENT,
        sentinel="sys",
        debug_strings=Messages(count, tuple(f"[sys:{index}] words" for index in range(count))),
        statements=Statements(3),
        forbidden=ForbiddenCalls(0, ()),
        sources={"layer ring": OfSource(3, count, 0)},
        checks=(
            GuardCheck("same code", Claim.PASSED),
            GuardCheck("control", Claim.NOT_CLAIMED, "taken elsewhere"),
        ),
    )


def failed_guards() -> Guards:
    """Evidence `guards` of a release that contains a forbidden call."""
    mistake = "csrc/a.c:7:1: error: puts in work is forbidden in a release: <no output>"
    check = GuardCheck("nothing left", Claim.FAILED, None, (mistake,))
    return replace(guards(0), verdict=DebugCode.FAILED, checks=(check,))


def counters(instructions: float, i1: float, d1: float) -> Counters:
    per_op = {
        "instructions": instructions,
        "i1_misses": i1,
        "d1_misses": d1,
        "ll_misses": 0.001,
        "branches": 4.25,
        "mispredicted": 0.125,
    }
    raw = {name: value + 0.5 for name, value in per_op.items()}
    load = CountedLoad(1000, "0123abcd", per_op, dict.fromkeys(per_op, 0.5), raw)
    return Counters(
        tool="valgrind-3.19.0 cachegrind",
        valgrind="valgrind-3.19.0",
        libc="glibc 2.36",
        cache={"I1": (32768, 8, 64), "D1": (32768, 8, 64), "LL": (8388608, 16, 64)},
        conditions=("addresses not randomised", "on one processor"),
        loads={"mixed": load, "swap": load},
        hardware=NotMeasured("perf is not installed"),
    )


def reference(new: float = 60.0, verdict: Against = Against.WITHIN) -> Reference:
    """A comparison of two loads. The accepted instructions of the first are 60."""
    figures = dict.fromkeys(EVENTS, ComparedFigure(0.5, 0.5, 0.1, Against.WITHIN))
    figures["instructions"] = ComparedFigure(60.0, new, 0.6, verdict)
    loads = {
        "mixed": ComparedLoad(verdict, None, figures),
        "swap": ComparedLoad(Against.NEW, "no reference for this load", {}),
    }
    return Reference(Against.NEW if verdict is Against.WITHIN else verdict, loads)


def timing(speeds: Sequence[float], ratio: Ratio | NotMeasured | None, peak: int = 2048) -> Timing:
    return Timing(
        unit="Mops/s",
        samples=tuple(speeds),
        median=statistics.median(speeds),
        low=min(speeds),
        high=max(speeds),
        interval="min..max",
        peak_kib=peak,
        baseline=(49.0, 50.0, 51.0) if ratio else (),
        baseline_peak_kib=1024 if ratio else None,
        ratio=ratio,
    )


def bench(ratio: float, spread: float = 0.02) -> Bench:
    """Evidence `bench` of a cell that is `ratio` times as fast as a baseline of 50 Mops/s."""
    speed = 50 * ratio
    of = Ratio(ratio, ratio - spread, ratio + spread, Verdict.SAME)
    load = timing((speed - 1, speed, speed + 1), of)
    return Bench({"mixed": load, "server": replace(load, peak_kib=4096)}, 3)


def timed(speeds: Sequence[float], against: Sequence[float] | None = None) -> Bench:
    """Evidence `bench` of a side that was timed in turn with others."""
    ratio = None
    if against:
        ratios = sorted(new / old for old, new in zip(against, speeds, strict=True))
        ratio = Ratio(statistics.median(ratios), ratios[0], ratios[-1], Verdict.SAME)
    return Bench({"mixed": timing(speeds, ratio)}, len(speeds))


def tests(*programs: Check) -> Tests:
    return Tests(programs)


def programs(*found: Check) -> Programs:
    return Programs(found)


def program(name: str, status: Status = Status.PASSED, reason: str | None = None, log: str = "") -> Check:
    return Check(name, status, reason, log, f"build/x/bin/{name}", 0.25)


# --- cells


def cell(variant: str, **changes: Any) -> CellResult:
    """The result of a cell in which everything was measured and passed. changes: values for its fields, and
    for its evidence by kind."""
    place = LINEAGE.index(variant)
    evidence: dict[str, Evidence] = {
        "asm": asm((800, 300, 22, 22)[place]),
        "budget": budget(22),
        "code": code((36, 9, 0, 0)[place], (0, 11, 1, 1)[place]),
        "guards": guards((2, 0, 0, 0)[place]),
        "counters": counters((60.0, 30.0, 9.5, 9.5)[place], 0.01, (0.9, 0.5, 0.2, 0.2)[place]),
        "tests": tests(program("test_basic"), program("test_threads")),
        "programs": programs(program("sqlite")),
        "layers": NotMeasured("its layers do not count"),
        "bench": bench((0.5, 0.7, 1.3, 1.31)[place]),
    }
    evidence |= {name: changes.pop(name) for name in list(changes) if name in evidence and name != "layers"}
    record = CellResult(
        id=f"{variant}-release-gcc",
        variant=variant,
        mode="release",
        compiler="gcc",
        sanitizer="none",
        target="native",
        doc=f"The {variant} one.",
        lineage=LINEAGE[: place + 1],
        layers=LAYERS[variant],
        reported=REPORTED.get(variant, {}),
        built=True,
        failure=None,
        evidence=evidence,
        reference=reference(),
        layer_costs=NotMeasured("not counted yet"),
    )
    made = replace(record, **changes)
    if "id" in changes:
        return made
    parts = [made.variant, made.mode, made.compiler, *([made.sanitizer] if made.sanitizer != "none" else [])]
    return replace(made, id="-".join(parts))


def unbuilt(variant: str, **changes: Any) -> CellResult:
    """A cell that could not be built."""
    made = cell(variant, built=False, **changes)
    return replace(made, evidence=dict.fromkeys(made.evidence, NotMeasured("not built")))


def without(variant: str, *kinds: str, reason: str = NOT_INSTALLED.reason, **changes: Any) -> CellResult:
    """A cell without evidence of these kinds."""
    return cell(variant, **dict.fromkeys(kinds, NotMeasured(reason)), **changes)


def untested(variant: str, **changes: Any) -> CellResult:
    """A cell whose test evidence is lost."""
    return cell(variant, tests=Missing("there is no tests.json of this cell"), **changes)


# --- variants


def layer(title: str, role: str, keys: Sequence[str], **changes: Any) -> Stage:
    """A layer as `layer_path` describes it."""
    described = Stage(
        name=title.lower(),
        title=title,
        doc=f"What {title} does.",
        role=role,
        storage="none" if role == "refill" else "linked_list",
        keys=tuple(keys),
        serves_all=list(keys) == ["C0", "C1"],
        capacity=0 if role == "refill" else 64,
        bytes_bound=0,
        toggle=None,
        inlined=True,
        is_front=role == "cache",
        stores=role != "refill",
        fills="List" if role == "refill" else "",
    )
    return replace(described, **changes)


def about(variant: str = "old") -> LayerPath:
    """A variant's path: two caches overlap in C1."""
    return LayerPath(
        variant=variant,
        doc=f"The {variant} one.",
        source=f"variants/{variant}.yaml",
        lineage=LINEAGE[: LINEAGE.index(variant) + 1] if variant in LINEAGE else (variant,),
        reported=REPORTED.get(variant, {}),
        settings={"toggles": "env", "debug_output": "always" if variant == "old" else "guarded"},
        entries={"alloc": "fast_alloc", "free": "fast_free"},
        title="The path of a request",
        key="class",
        stored="blocks",
        supply="takes blocks from",
        keys=("C0", "C1"),
        columns={"bytes": ("16", "32"), "serves requests of": ("0 to 16 bytes", "17 to 32 bytes")},
        front="cache",
        layers=(
            layer("Stack", "cache", ["C0", "C1"]),
            layer("Ring", "cache", ["C1"], toggle=Toggle("SYS_RING", False)),
            layer("List", "overflow", ["C0", "C1"], capacity=0, bytes_bound=65536, inlined=False),
            layer("Refill", "refill", ["C0", "C1"], inlined=False),
        ),
        overlaps=(Overlap(("C1",), ("Stack", "Ring")),),
        options=(Option("spill", "Spill early.", "bool", False, env="SYS_SPILL"),),
        backend=Backend("sys", "A backend."),
    )


def baseline(**changes: Evidence) -> BaselineResult:
    own = {"counters": counters(40.0, 0.02, 0.3), "bench": _without_ratio(bench(1.0))}
    evidence: Mapping[str, Evidence] = {**own, **changes}
    return BaselineResult(
        "system malloc", {"mops": "100", "asm_lines": "20-50", "l1_misses": "0.17"}, evidence
    )


def _without_ratio(record: Bench) -> Bench:
    loads = {
        name: replace(load, ratio=None, baseline=(), baseline_peak_kib=None)
        for name, load in record.loads.items()
        if isinstance(load, Timing)
    }
    return replace(record, loads=loads)


# --- experiments


def experiments() -> Experiments:
    """Two experiments and an ablation. `new` has won one experiment; the other shows no difference."""
    fast, slow = ("new", [12.0, 12.1, 12.2] * 2), ("mid", [10.0, 10.1, 10.2] * 2)
    made = [
        compared("mid_or_new", "Mid or new?", "speed", [slow, fast], "new"),
        compared("same", "The same?", "speed", [slow, ("old", [9.9, 10.3, 10.1] * 2)], None),
        compared("without a layer: mid", "What does each layer of mid contribute?", None, [slow, fast], None),
    ]
    return Experiments({found.name: found for found in made})


def compared(
    name: str, question: str, figure: str | None, sides: Sequence[tuple[str, list[float]]], kept: str | None
) -> Comparison:
    about = Question(name, question, "Why.", ("mixed",), figure, kept, f"./sconsw ab {name}")
    first = sides[0][1]
    made = [
        side(cell(variant), timed(speeds, None if speeds is first else first)) for variant, speeds in sides
    ]
    return comparison.build(about, made, "op")


def side(of: CellResult, bench: Bench | NotMeasured, library: str | None = None) -> Side:
    """A cell as a side of a comparison."""
    found: dict[str, Any] = {name: of.evidence[name] for name in ("asm", "code", "counters")}
    return Side(of.id, of.variant, of.layers, of.failure, **found, bench=bench, library=library)


# --- other libraries

GROUPS = {"small": Group("small", "Little ones."), "threads": Group("threads", "Several.", parallel=True)}
PEER_SPEEDS = {  # load -> its group, its place in a family, and the speeds of the four libraries
    "swap": ("small", None, (50.0, 80.0, 40.0, 100.0)),
    "fill": ("small", Scale("blocks", 100), (60.0, 30.0, 90.0, 70.0)),
    "fill_large": ("small", Scale("blocks", 10_000), (30.0, 20.0, 60.0, 61.0)),
    "two": ("threads", Scale("threads", 2), (20.0, 40.0, 30.0, 45.0)),
    "four": ("threads", Scale("threads", 4), (15.0, 70.0, 35.0, 80.0)),
}
LIBRARIES = ("system malloc", "quick", "lean", "mine")


def peer_loads() -> dict[str, PeerLoad]:
    return {
        name: PeerLoad(name, f"what {name} does", f"bench_{name}", ("--ops", "10"), group=group, scale=scale)
        for name, (group, scale, _) in PEER_SPEEDS.items()
    }


def peers(
    rounds: int = 10, loads: Mapping[str, PeerLoad] | None = None, more: Sequence[str] = ()
) -> PeerResults:
    """`mine` beside three other libraries, made by the code that makes the record of a run. more: further
    libraries."""
    loads = loads or peer_loads()
    names = (*LIBRARIES, *more)
    spec = Peers(("mine",), {}, loads, groups=GROUPS, quiet_seconds=1.0)
    others = {name: Path(name) for name in names[1:] if name != "mine"}
    lineup = Lineup(
        [*loads.values()], LIBRARIES[0], others, {"mine": Path("mine")}, {"gone": "not installed"}
    )
    series = {
        name: Bench({load: _peer_timing(load, place, rounds) for load in loads}, rounds)
        for place, name in enumerate(names)
    }
    return peer_runs.results_of(spec, Unit("op", "Mops/s"), lineup, series)


def _peer_timing(load: str, place: int, rounds: int) -> Timing:
    """Speeds that spread by one percent, beside those of the baseline."""
    speeds = PEER_SPEEDS[load][2] if load in PEER_SPEEDS else (40.0, 50.0, 45.0, 55.0)
    own, base = (
        [speed * (1 + 0.01 * (number % 3 - 1)) for number in range(rounds)]
        for speed in (speeds[place % len(speeds)], speeds[0])
    )
    made = timing(own, stats.compare(base, own, Better.HIGHER) if place else None, peak=1000 + 500 * place)
    return replace(made, after_kib=900 + 100 * place, cpu_ns=20.0)


# --- whole results


def record(cells: Iterable[CellResult], **changes: Any) -> Results:
    """Whole results, with the story of these cells."""
    cells = tuple(cells)
    made = Results(
        system=System("sys", "A system of layers."),
        host=HERE,
        loads={"server": "a server's load", "mixed": "random sizes"},
        headline="mixed",
        cells=cells,
        variants={cell.variant: about(cell.variant) for cell in cells},
        baseline=baseline(),
        experiments=experiments(),
        peers=NotMeasured("it was not timed with its peers: ./sconsw peers"),
        origins={"list": Origin("templates/layers/list.h.j2", "variants/layers.yaml:40")},
        left_out=(),
        beside={"speed": "mops"},
        unit=Unit("op", "Mops/s"),
    )
    made = replace(made, **changes)
    return replace(made, story=reported.story_of(made))


def phases(**changes: Any) -> Results:
    """Four variants of one lineage, all measured."""
    return record([cell(name) for name in LINEAGE], **changes)


__all__ = ["LeftOut", "Status"]
