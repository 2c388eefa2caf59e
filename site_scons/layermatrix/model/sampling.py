"""Choose some of the selected cells: one change at a time, pairs, a random part, or a shard.

Pure functions of the cells: the same cells give the same choice on every machine and every day.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from layermatrix.core.errors import SelectionError, suggest
from layermatrix.model.cells import Cell
from layermatrix.model.matching import rule_values
from layermatrix.model.matrix import Rule
from layermatrix.model.patterns import match_any

WAYS = ("all", "one-factor", "pairwise", "random:N:seed")
RANDOM = re.compile(r"random:(\d+):([\w.-]+)")
SHARD = re.compile(r"(\d+)/(\d+)")

Values = tuple[str, ...]  # of a cell, in the order of the axes
Pair = tuple[tuple[int, str], tuple[int, str]]  # two axes, each with a value


def sample(
    way: str, cells: Sequence[Cell], axes: Sequence[str], rules: Sequence[Rule] = ()
) -> tuple[Cell, ...]:
    """Some of the cells, in their order. rules: those that the cells fulfil. Raises SelectionError for an
    unknown way."""
    if way == "all":
        return tuple(cells)
    if way == "one-factor":
        return one_factor(cells, axes)
    if way == "pairwise":
        return pairwise(cells, axes, rules)
    parts = RANDOM.fullmatch(way)
    if parts and int(parts[1]) > 0:
        return at_random(cells, int(parts[1]), parts[2])
    likely = suggest(way, WAYS)
    hint = f"did you mean {likely!r}?" if likely else f"known: {', '.join(WAYS)}, such as random:20:7"
    raise SelectionError(f"sample={way}: unknown way; {hint}")


def one_factor(cells: Sequence[Cell], axes: Sequence[str]) -> tuple[Cell, ...]:
    """The first cell, and those that differ from it on one axis. For a value that no such cell has, the cell
    that differs on the fewest axes."""
    if not cells:
        return ()
    by_values = _by_values(cells, axes)
    first = next(iter(by_values))
    chosen = {first, *(values for values in by_values if _distance(values, first) == 1)}
    for place, value in _all_values(by_values):
        if not any(values[place] == value for values in chosen):
            having = (values for values in by_values if values[place] == value)
            chosen.add(min(having, key=lambda values: _distance(values, first)))
    return tuple(cell for values, cell in by_values.items() if values in chosen)


def pairwise(cells: Sequence[Cell], axes: Sequence[str], rules: Sequence[Rule] = ()) -> tuple[Cell, ...]:
    """A covering array: each pair of values that any of the cells has is in one of the chosen cells."""
    by_values = _by_values(cells, axes)
    missing = {pair: None for values in by_values for pair in _pairs(values)}
    chosen: set[Values] = set()
    rows = itertools.chain(_covering(by_values, axes, rules), _by_coverage(by_values, missing))
    for values in rows:
        new = [pair for pair in _pairs(values) if pair in missing]
        if values in by_values and new:
            chosen.add(values)
            for pair in new:
                del missing[pair]
    return tuple(cell for values, cell in by_values.items() if values in chosen)


def at_random(cells: Sequence[Cell], count: int, seed: str) -> tuple[Cell, ...]:
    """So many cells. A cell keeps its place in the lottery when others appear or disappear."""
    lots = sorted(cells, key=lambda cell: hashlib.sha256(f"{seed} {cell.id}".encode()).digest())
    drawn = {cell.id for cell in lots[:count]}
    return tuple(cell for cell in cells if cell.id in drawn)


def shard(text: str, cells: Sequence[Cell], costs: Mapping[str, float]) -> tuple[Cell, ...]:
    """One part of the cells, such as 2/5. costs: cell -> seconds. Raises SelectionError if the text is no
    part."""
    parts = SHARD.fullmatch(text)
    if not parts or not 1 <= int(parts[1]) <= int(parts[2]):
        raise SelectionError(f"shard={text}: expected a part such as 2/5")
    return shards(cells, int(parts[2]), costs)[int(parts[1]) - 1]


def shards(cells: Sequence[Cell], count: int, costs: Mapping[str, float]) -> list[tuple[Cell, ...]]:
    """The cells in so many parts of about the same cost. A cell without a known cost counts as the mean."""
    known = [costs[cell.id] for cell in cells if cell.id in costs]
    usual = sum(known) / len(known) if known else 1.0
    loads, owner = [0.0] * count, dict[str, int]()
    for cell in sorted(cells, key=lambda cell: (-costs.get(cell.id, usual), cell.id)):
        least = min(range(count), key=lambda index: loads[index])
        loads[least] += costs.get(cell.id, usual)
        owner[cell.id] = least
    return [tuple(cell for cell in cells if owner[cell.id] == index) for index in range(count)]


# --- the covering array


def _by_values(cells: Iterable[Cell], axes: Sequence[str]) -> dict[Values, Cell]:
    return {tuple(cell.value(axis) for axis in axes): cell for cell in cells}


def _distance(one: Values, other: Values) -> int:
    return sum(left != right for left, right in zip(one, other, strict=True))


def _all_values(found: Iterable[Values]) -> dict[tuple[int, str], None]:
    """Each axis with each of its values, in the order of the cells."""
    return dict.fromkeys((place, value) for values in found for place, value in enumerate(values))


def _pairs(values: Values) -> Iterator[Pair]:
    yield from itertools.combinations(enumerate(values), 2)


def _covering(
    by_values: Mapping[Values, Cell], axes: Sequence[str], rules: Sequence[Rule]
) -> Iterator[Values]:
    """Rows of the library `covertable`. It knows the rules, but not what is missing on this machine, so some
    rows may be no cells."""
    factors = {
        axis: list(dict.fromkeys(values[place] for values in by_values)) for place, axis in enumerate(axes)
    }
    if len(axes) < 2 or not by_values:
        return
    import covertable
    from covertable.exceptions import NeverMatch

    try:
        for row in covertable.make(factors, constraints=_constraints(factors, rules)):
            yield tuple(row[axis] for axis in axes)
    except NeverMatch:  # with what this machine lacks, some pairs cannot be: `_by_coverage` finds the others
        return


def _constraints(factors: Mapping[str, Sequence[str]], rules: Sequence[Rule]) -> list[dict[str, Any]]:
    """The rules that leave cells out. After an `include`, an earlier rule no longer holds for all cells."""
    if any(rule.include for rule in rules):
        return []
    found = []
    for rule in rules:
        conditions = [
            {
                "operator": "in",
                "left": axis,
                "values": [one for one in factors[axis] if match_any(rule_values(axis, one), patterns)],
            }
            for axis, patterns in rule.cells.given
        ]
        found.append({"operator": "not", "condition": {"operator": "and", "conditions": conditions}})
    return found


def _by_coverage(by_values: Mapping[Values, Cell], missing: Mapping[Pair, None]) -> Iterator[Values]:
    """Cells with pairs that are still missing, the one with the most first; `missing` shrinks in between."""
    while missing:
        yield max(by_values, key=lambda values: sum(pair in missing for pair in _pairs(values)))
