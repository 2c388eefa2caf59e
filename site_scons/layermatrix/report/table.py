"""Lay a result record out as tables of figures, once for the terminal, Markdown and HTML.

Reads a result record; returns `Table`s of text. A figure says of itself whether it was measured here, is
quoted from the seed, was not measured (and why), or does not apply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from layermatrix.analysis import counter_lock, figures, reported
from layermatrix.analysis.results import failed
from layermatrix.model.measuring import FLOOR

Record = dict[str, Any]

MEASURED, SEED, MISSING, NOT_APPLICABLE, NAME, GOOD, BAD, ASIDE = (
    "measured", "seed", "missing", "none", "name", "good", "bad", "aside",
)  # fmt: skip
ASSEMBLY = "lines of the compiler's assembly (cc -S)"
DECODED = "decoded from the object: the whole inlined path with its cold part"
DEBUG_CODE = (
    "absent: same objects without debug code, no forbidden call, no message; found: a debug build has every"
    " message, so the search is not blind; kept: part of the release by the variant's choice"
)
ALONG_HIT = "decoded from the object, along the way of a hit of the first layer"
SAME_OUTPUT = "real programs under LD_PRELOAD: the same output as without it"
ROUNDS = "median (low-high) of rounds in which the baseline and every cell take turns"
RATIOS = "median of the ratios of the rounds, with its interval"
PEAK = "peak resident memory of the benchmark"
NET = "simulated; what the benchmark itself costs, which an empty library shows, is taken off"
AGAINST = "beside what was accepted last for this compiler, C library and valgrind (variants/counters.lock)"
RAW = "simulated; the benchmark's own share included"
BELOW_ZERO = "a figure below 0: the benchmark itself costs less with the library than with the empty one"
COMPARED = (
    ("instructions", "instr./op", 1), ("i1_misses", "I1 miss/op", 3), ("d1_misses", "D1 miss/op", 3),
    ("mispredicted", "mispred./op", 3),
)  # fmt: skip
PRINTED = "a header is printed for its variant: what others choose by #if is mostly chosen when it is printed"
SEED_NOTE = "quoted from the seed, not measured here"


@dataclass(frozen=True)
class Figure:
    """What stands in one field; `note` is its second line (a spread), `reason` why nothing was measured."""

    text: str
    kind: str = MEASURED
    note: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Column:
    """A heading of two lines, the second being the unit, and how the figures below it were taken."""

    head: str
    unit: str
    figure: Callable[[Record], Figure]
    baseline: Callable[[Record], Figure]
    method: str = ""
    group: str = ""  # columns of one group stand together where a table is too wide for one piece

    @property
    def quoted(self) -> bool:
        return self.head.startswith("seed")


@dataclass(frozen=True)
class Table:
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Figure, ...], ...]
    notes: tuple[str, ...] = ()

    def reasons(self) -> list[str]:
        """Why figures are missing, each reason once; its place in the list is its footnote's number."""
        return list(
            dict.fromkeys(figure.reason for row in self.rows for figure in row if figure.kind == MISSING)
        )

    @property
    def quotes_seed(self) -> bool:
        return any(figure.kind == SEED for row in self.rows for figure in row)


def code_table(results: Record) -> Table:
    """What the code is: layers, instructions, lines of assembly, debug strings, correctness."""
    return _table("What the code is", results, list(_code_columns(results)), with_baseline=True)


def text_table(results: Record) -> Table:
    """What is left to decide in the text: by the preprocessor, and at run time."""
    columns = [Column("header", "lines", _header("lines"), _none, "lines of the generated header")]
    for entry in entries(results) or ["alloc"]:
        for head, key in (("paths", "conditional_paths"), ("checks", "runtime_checks")):
            method = f"{key.replace('_', ' ')} in the text of the entry and of what it inlines"
            columns.append(Column(f"{entry} {head}", "count", _text_count(entry, key), _none, method))
            if entry == next(iter(entries(results)), entry):
                columns.append(Column(f"seed {head}", "count", _quoted(key), _quoted(key)))
    header = _header("conditional_paths")
    columns.append(Column("header paths", "count", header, _none, "conditional paths of the whole header"))
    made = _table("What the text leaves open", results, columns, with_baseline=False)
    return replace(made, notes=(PRINTED,))


def run_table(results: Record) -> Table:
    """How it runs: counters and throughput of each load, beside the baseline."""
    columns = [*_counter_columns(results), *_load_columns(results)]
    return _noted(_table("How it runs", results, columns, with_baseline=True))


def counts_tables(results: Record) -> list[Table]:
    """What an operation of each load that was counted costs."""
    return [
        _noted(_table(f"What an operation costs: {load}", results, columns, with_baseline=True))
        for load in counted_loads(results)
        for columns in [list(_count_columns(load))]
    ]


def _noted(table: Table) -> Table:
    """The table with a word on figures below zero, where there is one."""
    texts = [figure.text for row in table.rows for figure in row]
    below_zero = any(text.startswith("-") and len(text) > 1 for text in texts)
    return replace(table, notes=(BELOW_ZERO,)) if below_zero else table


def matrix_table(results: Record) -> Table:
    """One line a cell: what every cell of a matrix has to show."""
    return _table("Cells", results, list(_matrix_columns(results)), with_baseline=False)


def comparison_table(comparison: Record) -> Table:
    """The sides of an experiment, or a variant and the same without each of its layers."""
    results = {"cells": [{**side, "id": side["variant"]} for side in comparison["sides"]]}
    columns = [Column("layers", "count", lambda side: Figure(str(len(side["layers"]))), _none)]
    columns += [
        Column(entry, "instr.", _asm(entry, "instructions"), _none, DECODED, "code")
        for entry in entries(results)
    ]
    for load in comparison["loads"]:
        columns += [
            Column(head, load, _counter_of(load, key, digits), _none, "simulated", load)
            for key, head, digits in COMPARED
        ]
        if _is_timed(comparison, load):
            columns.append(Column(load, "Mops/s", _speed(load), _none, ROUNDS, load))
            columns.append(Column("ratio to", "the first", _against_first(load), _none, ROUNDS, load))
            columns.append(Column("peak", "KiB", _peak(load), _none, PEAK, load))
    return _table(comparison["question"], results, columns, with_baseline=False)


def _is_timed(comparison: Record, load: str) -> bool:
    """Whether a speed is to be expected: where anything was timed, this load was among it."""
    timed = [side["bench"]["loads"] for side in comparison["sides"] if side["bench"].get("loads")]
    return not timed or any(load in loads for loads in timed)


def peers_table(found: Record) -> Table:
    """Everyone's speed with each load, and our own beside the best of the others and beside the floor."""
    floor = found.get("floor")  # an older record has none
    names = [found["baseline"], *found["rivals"], *([FLOOR] if floor else []), *found["own"]]
    beside = {"against_best": "the best other", **({"against_floor": "the floor"} if floor else {})}
    columns = [Column("load", "", _none, _none)]
    columns += [
        Column(name, "Mops/s, reference" if name == FLOOR else "Mops/s", _none, _none, ROUNDS)
        for name in names
    ]
    columns += [
        Column(f"{name} to", other, _none, _none, RATIOS, name)
        for name in found["own"]
        for other in beside.values()
    ]
    rows = []
    for name, load in found["loads"].items():
        speeds = [_peer_speed(one, load["figures"].get(one)) for one in names]
        ratios = [_peer_ratio(load.get(key, {}).get(one)) for one in found["own"] for key in beside]
        rows.append((Figure(name, NAME), *speeds, *ratios))
        peaks = [_peer_peak(load["figures"].get(one)) for one in names]
        rows.append((Figure("peak, KiB"), *peaks, *(Figure("") for _ in ratios)))
    notes = [f"{FLOOR}: {floor['doc']} ({floor['source']})"] if floor else []
    notes += [f"{name}: not measured: {reason}" for name, reason in found["missing"].items()]
    notes += [f"{name}: {load['doc']} ({load['command']})" for name, load in found["loads"].items()]
    title = f"Beside its peers, {found['rounds']} rounds in turn"
    return Table(title, tuple(columns), tuple(rows), tuple(notes))


def _peer_speed(name: str, of: Record | None) -> Figure:
    if of is None or not of.get("samples"):
        return not_measured(of.get("reason") if of else None)
    kind = ASIDE if name == FLOOR else MEASURED
    return Figure(number(of["median"], 1), kind, f"{number(of['low'], 1)}-{number(of['high'], 1)}")


def _peer_peak(of: Record | None) -> Figure:
    return Figure(number(of["peak_kib"])) if of and of.get("samples") else not_applicable()


def _peer_ratio(ratio: Record | None) -> Figure:
    if ratio is None:
        return not_applicable()
    return Figure(f"{ratio['median']:.2f}x", note=f"{ratio['low']:.2f}-{ratio['high']:.2f}")


def entries(results: Record) -> list[str]:
    """The entries of the fast path that were decoded in any cell."""
    return list(dict.fromkeys(name for cell in results["cells"] for name in figures.entry_names(cell)))


def loads(results: Record) -> list[str]:
    """The loads, the headline first."""
    return sorted(results.get("loads", {}), key=lambda name: name != results.get("headline"))


def counted_loads(results: Record) -> list[str]:
    """The loads that were counted in any cell, the headline first."""
    found = dict.fromkeys(name for cell in results["cells"] for name in cell["counters"].get("loads", {}))
    return sorted(found, key=lambda name: name != results.get("headline"))


def row_names(results: Record) -> dict[str, str]:
    """What tells each cell from the others: its variant where that is enough, else its id."""
    cells = results["cells"]
    unique = len({cell["variant"] for cell in cells}) == len(cells)
    return {cell["id"]: cell["variant"] if unique else cell["id"] for cell in cells}


def not_measured(reason: str | None) -> Figure:
    return Figure("not measured", MISSING, reason=reason or "no reason was given")


def not_applicable() -> Figure:
    return Figure("-", NOT_APPLICABLE)


def number(value: float, digits: int = 0) -> str:
    """A figure for people; what rounds to nothing has no sign."""
    return f"{round(value, digits) + 0.0:,.{digits}f}"


def passed(evidence: Record) -> Figure:
    """Programs that passed, of all that were to run."""
    if evidence.get("status") != "measured" and not evidence.get("programs"):
        return not_measured(evidence.get("reason"))
    programs = evidence.get("programs", [])
    good = sum(program["status"] == "passed" for program in programs)
    bad = any(program["status"] == "failed" for program in programs)
    kind = BAD if bad else GOOD if programs and good == len(programs) else MEASURED
    return Figure(f"{good}/{len(programs)}", kind)


def _table(title: str, results: Record, columns: Sequence[Column], *, with_baseline: bool) -> Table:
    names = row_names(results)
    first = Column(
        "variant" if with_baseline else "cell", "", lambda _cell: not_applicable(), lambda _b: Figure("")
    )
    rows = []
    if with_baseline:
        base = results["baseline"]
        rows.append((Figure(base["name"], NAME), *(column.baseline(base) for column in columns)))
    for cell in results["cells"]:
        name = names[cell["id"]] if with_baseline else cell["id"]
        rows.append((Figure(name, NAME), *(column.figure(cell) for column in columns)))
    return Table(title, (first, *columns), tuple(rows))


def _code_columns(results: Record) -> Iterable[Column]:
    first = next(iter(entries(results)), "alloc")
    yield Column("layers", "count", lambda cell: Figure(str(len(cell["layers"]))), _none)
    for entry in entries(results) or ["alloc", "free"]:
        yield Column(f"{entry} hit", "instr.", _hit(entry), _none, ALONG_HIT)
        yield Column(entry, "instr.", _asm(entry, "instructions"), _none, DECODED)
    yield Column(f"{first} asm", "lines -S", _asm(first, "lines"), _none, ASSEMBLY)
    yield Column("seed asm", "lines", _quoted("asm_lines"), _quoted("asm_lines"))
    yield Column(f"{first} code", "bytes", _asm(first, "bytes"), _none, "bytes of machine code")
    yield from check_columns(results)


def check_columns(_results: Record) -> Sequence[Column]:
    """What was checked about each cell."""
    return (
        Column("budget", "kept", _budget, _none, "limits of the variant's budget that are kept", "checks"),
        Column("debug str.", "count", _debug_strings, _none, "debug strings left in the library", "checks"),
        Column("debug", "code", _debug_code, _none, DEBUG_CODE, "checks"),
        Column("tests", "passed", _programs("tests"), _none, "test programs: exit status 0", "checks"),
        Column("programs", "passed", _programs("programs"), _none, SAME_OUTPUT, "checks"),
    )


def _counter_columns(results: Record) -> Iterable[Column]:
    load = results.get("headline")
    for head, unit, figure, method in (
        ("instr.", "per op", _counter("instructions", 1, load), NET),
        ("mispred.", "per op", _counter("mispredicted", 3, load), NET),
        ("L1", "miss/op", _misses(figures.l1_misses, load), NET),
        ("L1 whole", "miss/op", _misses(figures.raw_l1_misses, load), RAW),
    ):
        yield Column(head, unit, figure, figure, method, "counters")
    yield Column("seed L1", "miss/op", _quoted("l1_misses"), _quoted("l1_misses"), group="counters")


def _count_columns(load: str) -> Iterable[Column]:
    for key, head, unit, digits in (
        ("instructions", "instr.", "per op", 1),
        ("branches", "branches", "per op", 2),
        ("mispredicted", "mispred.", "per op", 3),
        ("i1_misses", "I1", "miss/op", 3),
        ("d1_misses", "D1", "miss/op", 3),
        ("ll_misses", "LL", "miss/op", 3),
    ):
        figure = _counter(key, digits, load)
        yield Column(head, unit, figure, figure, NET)
    yield Column("reference", "verdict", _against(load), _none, AGAINST)


def _load_columns(results: Record) -> Iterable[Column]:
    for load in loads(results):
        yield Column(load, "Mops/s", _speed(load), _speed(load), ROUNDS, load)
        yield Column(
            "ratio to", "system", _ratio(load), _one(load), "median of the ratios of the rounds", load
        )
        if load == results.get("headline"):
            yield Column("seed", "Mops/s", _quoted("mops"), _quoted("mops"), group=load)
        yield Column("peak", "KiB", _peak(load), _peak(load), PEAK, load)


def _matrix_columns(results: Record) -> Iterable[Column]:
    first = next(iter(entries(results)), "alloc")
    load = results.get("headline")
    yield Column("built", "library", _built, _none)
    yield Column("tests", "passed", _programs("tests"), _none)
    yield Column("programs", "passed", _programs("programs"), _none)
    yield Column("debug", "code", _debug_code, _none)
    yield Column(f"{first} hit", "instr.", _hit(first), _none)
    yield Column(first, "instr.", _asm(first, "instructions"), _none)
    yield Column("L1 misses", "per op", _misses(figures.l1_misses, load), _none)
    if load:
        yield Column("speed", "x system", _ratio(load), _none)


def _none(_record: Record) -> Figure:
    return not_applicable()


def _one(load: str) -> Callable[[Record], Figure]:
    """The baseline's ratio to itself, where it was timed at all."""
    return _of_load(load, "median", lambda _of: Figure("1.00x"))


def _programs(kind: str) -> Callable[[Record], Figure]:
    return lambda cell: passed(cell[kind])


def _asm(entry: str, key: str) -> Callable[[Record], Figure]:
    def figure(cell: Record) -> Figure:
        found = cell["asm"].get("entries", {}).get(entry, {})
        if found.get(key) is None:
            return not_measured(found.get(f"{key}_reason") or cell["asm"].get("reason"))
        return Figure(number(found[key]))

    return figure


def _text_count(entry: str, key: str) -> Callable[[Record], Figure]:
    def figure(cell: Record) -> Figure:
        found = cell["code"].get("entries", {}).get(entry, {}).get(key)
        return not_measured(cell["code"].get("reason")) if found is None else Figure(number(found))

    return figure


def _hit(entry: str) -> Callable[[Record], Figure]:
    def figure(cell: Record) -> Figure:
        found = cell["asm"].get("entries", {}).get(entry, {})
        if not found.get("hit"):
            return not_measured(found.get("hit_reason") or cell["asm"].get("reason"))
        return Figure(number(found["hit"]["instructions"]))

    return figure


def _header(key: str) -> Callable[[Record], Figure]:
    def figure(cell: Record) -> Figure:
        found = cell["code"].get("header", {}).get(key)
        return not_measured(cell["code"].get("reason")) if found is None else Figure(number(found))

    return figure


def _budget(cell: Record) -> Figure:
    evidence = cell.get("budget") or {}
    limits = len(evidence.get("figures", ()))
    if not limits:
        return not_measured(evidence.get("reason"))
    kept = limits - len(evidence["broken"])
    return Figure(f"{kept}/{limits}", GOOD if kept == limits else BAD)


def quoted_lines(cell: Record) -> Figure:
    """Lines of assembly as the seed counted them."""
    return _quoted("asm_lines")(cell)


def _quoted(key: str) -> Callable[[Record], Figure]:
    def figure(record: Record) -> Figure:
        text = record["quoted"].get(key) if reported.is_told(record) else None
        return Figure(text, SEED) if text else not_applicable()

    return figure


def _debug_strings(cell: Record) -> Figure:
    count = cell["guards"].get("debug_strings", {}).get("count")
    return not_measured(cell["guards"].get("reason")) if count is None else Figure(number(count))


def _debug_code(cell: Record) -> Figure:
    """What the checks of debug code came to, in a word."""
    verdict = cell["guards"].get("verdict")
    kinds = {"failed": BAD, "absent": GOOD, "found": GOOD}
    if verdict is None or verdict == "not claimed":
        reasons = [check["reason"] for check in cell["guards"].get("checks", ()) if check["reason"]]
        return not_measured(next(iter(reasons), cell["guards"].get("reason")))
    return Figure(verdict, kinds.get(verdict, MEASURED))


def _counter(key: str, digits: int, load: str | None) -> Callable[[Record], Figure]:
    def figure(record: Record) -> Figure:
        value = (figures.per_op(record, load) or {}).get(key)
        return _uncounted(record, load) if value is None else Figure(number(value, digits))

    return figure


def _counter_of(load: str, key: str, digits: int) -> Callable[[Record], Figure]:
    """A counter of this load and no other."""

    def figure(side: Record) -> Figure:
        of = side["counters"].get("loads", {}).get(load)
        if of is None and figures.is_counted(side):
            return not_measured("this load is not counted")
        per_op = (of or {}).get("per_op") or {}
        if per_op and key not in per_op:
            return not_measured("this is not counted")
        return Figure(number(per_op[key], digits)) if per_op else _uncounted(side, load)

    return figure


def _against_first(load: str) -> Callable[[Record], Figure]:
    """The ratio to the first side, which itself has none."""

    def figure(side: Record) -> Figure:
        of = side["bench"].get("loads", {}).get(load, {})
        if of.get("samples") and "ratio" not in of:
            return Figure("1.00x")
        return _ratio(load)(side)

    return figure


def _against(load: str) -> Callable[[Record], Figure]:
    """What comparison with the accepted figures says of a load."""

    def figure(cell: Record) -> Figure:
        found = cell["reference"].get("loads", {}).get(load)
        if found is None or found["verdict"] == counter_lock.MISSED:
            return not_measured((found or cell["reference"]).get("reason"))
        kind = {counter_lock.WORSE: BAD, counter_lock.BETTER: GOOD}.get(found["verdict"], MEASURED)
        return Figure(found["verdict"], kind)

    return figure


def _misses(
    of: Callable[[Record, str | None], figures.Interval | None], load: str | None
) -> Callable[[Record], Figure]:
    def figure(record: Record) -> Figure:
        misses = of(record, load)
        return Figure(number(misses[1], 3)) if misses else _uncounted(record, load)

    return figure


def _uncounted(record: Record, load: str | None) -> Figure:
    own = record["counters"].get("loads", {}).get(load or "", {})
    return not_measured(own.get("reason") or record["counters"].get("reason"))


def _of_load(load: str, key: str, print_value: Callable[[Record], Figure]) -> Callable[[Record], Figure]:
    def figure(record: Record) -> Figure:
        found = record["bench"].get("loads", {}).get(load, {})
        if found.get(key) is None:
            return not_measured(
                found.get("reason") or found.get(f"{key}_reason") or record["bench"].get("reason")
            )
        return print_value(found)

    return figure


def _speed(load: str) -> Callable[[Record], Figure]:
    return _of_load(load, "median", lambda of: _spread(of, 1, ""))


def _ratio(load: str) -> Callable[[Record], Figure]:
    return _of_load(load, "ratio", lambda of: _spread(of["ratio"], 2, "x"))


def _peak(load: str) -> Callable[[Record], Figure]:
    return _of_load(load, "peak_kib", lambda of: Figure(number(of["peak_kib"])))


def _spread(of: Record, digits: int, suffix: str) -> Figure:
    note = f"{number(of['low'], digits)}-{number(of['high'], digits)}"
    return Figure(number(of["median"], digits) + suffix, note=note)


def _built(cell: Record) -> Figure:
    if cell["built"]:
        return Figure("yes", GOOD)
    return Figure("no", BAD)


def verdict(cell: Record) -> Figure:
    """Whether the cell passed; what failed first where it did not; why nobody can say where no test ran."""
    reason = failed(cell)
    if reason:
        return Figure(reason, BAD)
    tests = cell["tests"]
    return Figure("passed", GOOD) if tests.get("programs") else not_measured(tests.get("reason"))
