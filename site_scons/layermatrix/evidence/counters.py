"""Count what an operation of each load costs, in a model of a processor: instructions, misses, branches.

Runs benchmark programs under cachegrind with a library preloaded or none. Returns the record `counters`. The
counts are those of a model, not of the machine that runs it. They repeat but for the digits of the time that
the benchmark prints: in five runs on a busy machine, each load of three cells, they differed by at most 0.003
instructions, 0.0007 branches and 0.0002 misses an operation.

Each figure is a slope: the program runs with N operations and with N/4, and

    per operation = (events(N) - events(N/4)) / (N - N/4)

so that process start, dynamic loading and warm-up, which both runs have, cancel. Of each event three figures:

raw         everything that the program and the library do.
own_share   the benchmark's own: the events in the program's functions while the *empty* library serves it.
            That hands out blocks in the way that misses the cache least, and what it spends on that is left
            out. So the loop, its mispredicted branches, and the touching of lines that no allocator can keep
            in the cache, are the benchmark's.
per_op      raw - own_share: what the library is answerable for. Its own instructions, branches and misses;
            the call; and what it costs the benchmark (or, below 0, saves it) by where it puts blocks, or by
            throwing the benchmark's lines out of the cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from layermatrix.build import toolchain
from layermatrix.core import preload, process, records
from layermatrix.evidence.binary import elf
from layermatrix.evidence.tools.cachegrind import (
    EVENTS,
    Cachegrind,
    CacheModel,
    Counted,
    CountersError,
    steady,
)
from layermatrix.evidence.tools.hardware import Perf

Counts = dict[str, float]
Count = Callable[[Sequence[str]], Counted]


@dataclass(frozen=True)
class Load:
    """A benchmark's command with the option that says how many operations, e.g. (prog, --ops, 400000);
    it prints one JSON line with the number of operations that it has done."""

    name: str
    command: tuple[str, ...]
    ops_option: str = "--ops"
    ops_field: str = "ops"

    @property
    def digest(self) -> str:
        """Another one where program or arguments are others: such counts are not to be compared."""
        words = [Path(self.command[0]).name, *self.command[1:]]
        return hashlib.sha256("\0".join(words).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Tools:
    """Paths of what counts, None where it is not installed."""

    valgrind: str | None
    perf: str | None


def measure(
    loads: Sequence[Load],
    library: Path | None,
    empty: Path,
    cache: CacheModel,
    tools: Tools,
    *,
    run: process.Run = process.run,
) -> records.Record:
    """The record `counters`. library: what is preloaded, None for the system's own; empty: the library that
    does nothing. A load that fails is "not measured" with its reason; so is the record when none succeeds."""
    if tools.valgrind is None:
        return records.not_measured("counters", "valgrind is not installed")
    before, conditions = steady(run)
    bench = Cachegrind(tools.valgrind, cache, run, before=before)
    version = bench.version()
    results = {load.name: _load(bench, load, library, empty) for load in loads}
    failed = [result["reason"] for result in results.values() if not records.is_measured(result)]
    if len(failed) == len(results):
        return records.not_measured("counters", failed[0] if failed else "no load is counted")
    return records.measured(
        "counters",
        tool=f"{version} cachegrind",
        valgrind=version,
        libc=toolchain.libc(),
        cache={name: list(shape) for name, shape in vars(cache).items()},
        conditions=conditions,
        loads=results,
        hardware=_hardware(loads, library, tools.perf, run),
    )


def _load(bench: Cachegrind, load: Load, library: Path | None, empty: Path) -> records.Record:
    try:
        program = _functions(Path(load.command[0]))
        ops, (raw, _) = _slope(load, lambda command: bench.count(command, library, program))
        _, (_, own) = _slope(load, lambda command: bench.count(command, empty, program))
    except (CountersError, preload.NotLoadedError, elf.ElfError) as error:
        return {"status": records.NOT_MEASURED, "reason": f"{load.name}: {error}"}
    return {
        "status": records.MEASURED,
        "ops": ops,
        "args": load.digest,
        "per_op": {name: round(raw[name] - own[name], 6) for name in EVENTS},
        "own_share": _rounded(own),
        "raw": _rounded(raw),
    }


def _functions(program: Path) -> Collection[str]:
    """The functions of a program's own. ElfError, CountersError where nobody can tell them."""
    found = {
        symbol.name
        for symbol in elf.read(program).symbols
        if symbol.kind == "STT_FUNC" and symbol.section is not None
    }
    if not found:
        raise CountersError(f"{program.name} has no symbols, so that its own share cannot be told")
    return found


def _hardware(
    loads: Sequence[Load], library: Path | None, perf: str | None, run: process.Run
) -> records.Record:
    """What the machine itself counts for each operation; nothing is taken off."""
    if perf is None:
        return records.not_measured("hardware", "perf is not installed")
    tool = Perf(perf, run)

    counted = {}
    try:
        for load in loads:
            _, (events,) = _slope(load, lambda command: tool.count(command, library))
            counted[load.name] = _rounded(events)
    except (CountersError, preload.NotLoadedError) as error:
        return records.not_measured("hardware", str(error))
    return records.measured("hardware", loads=counted)


def _rounded(counts: Counts) -> Counts:
    return {name: round(value, 6) for name, value in counts.items()}


# --- slopes


def _slope(load: Load, count: Count) -> tuple[int, tuple[Counts, ...]]:
    """Operations of the longer run, and the events that each further operation costs."""
    wanted = _ops(load)
    longer, shorter = count(load.command), count(_with_ops(load, wanted // 4))
    many, few = _reported_ops(load, longer.stdout), _reported_ops(load, shorter.stdout)
    if many <= few:
        raise CountersError(f"asked for {wanted} operations it did {many}, for a quarter of them {few}")
    pairs = zip(longer.events, shorter.events, strict=True)
    return many, tuple({name: (a[name] - b[name]) / (many - few) for name in a} for a, b in pairs)


def _ops_place(load: Load) -> int:
    if load.ops_option not in load.command[:-1]:
        raise CountersError(f"the command has no {load.ops_option} with a number behind it")
    return load.command.index(load.ops_option) + 1


def _ops(load: Load) -> int:
    text = load.command[_ops_place(load)]
    if not text.isdecimal() or int(text) < 4:
        raise CountersError(f"{load.ops_option} {text}: a number from 4 is needed to take a quarter of it")
    return int(text)


def _with_ops(load: Load, ops: int) -> tuple[str, ...]:
    place = _ops_place(load)
    return (*load.command[:place], str(ops), *load.command[place + 1 :])


def _reported_ops(load: Load, stdout: bytes) -> int:
    try:
        ops = process.reported(stdout).get(load.ops_field)
    except ValueError as error:
        raise CountersError(str(error)) from error
    if type(ops) is not int:
        raise CountersError(f"it does not say its number of operations as {load.ops_field!r}")
    return ops
