"""What a change moved, as Markdown: for the summary of a pull request and for the log of a CI run.

Reads `analysis.changes.Changes`; returns text. The worst comes first: cells that fail now, then figures.
"""

from __future__ import annotations

from collections.abc import Sequence

from layermatrix.analysis.changes import Apart, Changes, Failed, Moved
from layermatrix.evidence.columns import number, several
from layermatrix.report.markdown import escape

MOST_NAMES = 6
MOST_ROWS = 60  # a summary is read by people; the reports hold every figure


def render(changes: Changes) -> str:
    """The text of changes.md."""
    blocks = [
        f"## {headline(changes)}",
        _cells("Fails now", changes.broken),
        _cells("Fails as before", changes.failing),
        _names("Passes now", changes.fixed),
        _table(changes.moved),
        *map(_apart, changes.apart),
        _names("New cells", changes.added),
        _names("Cells that are gone", changes.gone),
        "Counted figures only; speeds are compared by `ab` and `ablate`, which time both sides in one run."
        if changes.compared
        else "",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def headline(changes: Changes) -> str:
    """The change in one line."""
    worse = sum(one.is_worse for one in changes.moved)
    better = sum(
        one.before is not None and one.now is not None and one.now < one.before for one in changes.moved
    )
    parts = [f"{several(len(changes.broken), 'cell')} broken"] if changes.broken else []
    parts += [f"{len(changes.failing)} failing as before"] if changes.failing else []
    parts += [f"{len(changes.fixed)} fixed"] if changes.fixed else []
    if not changes.compared:
        return ", ".join(parts) or "every cell passed"
    parts += [f"{several(worse, 'figure')} grew"] if worse else []
    parts += [f"{several(better, 'figure')} shrank"] if better else []
    what = ", ".join(parts) or "no counted figure moved"
    return f"{what}: {several(changes.compared, 'cell')} compared with {escape(changes.base)}"


def _cells(title: str, cells: Sequence[Failed]) -> str:
    lines = [f"- **{escape(one.cell)}**: {escape(one.reason)}. Repeat: `{one.repeat}`" for one in cells]
    return "\n".join([f"### {title}", "", *lines]) if lines else ""


def _names(title: str, names: Sequence[str]) -> str:
    return f"{title}: {', '.join(map(escape, names))}." if names else ""


def _apart(apart: Apart) -> str:
    names = ", ".join(map(escape, apart.cells[:MOST_NAMES]))
    left = len(apart.cells) - MOST_NAMES
    more = f" and {left} more" if left > 0 else ""
    return f"Counts that are not compared: of {names}{more}: {escape(apart.reason)}."


def _table(moved: Sequence[Moved]) -> str:
    """The figures that moved, those that grew the most first."""
    if not moved:
        return ""
    ordered = sorted(moved, key=lambda one: (not one.is_worse, -abs(one.percent or 0.0)))
    heads = ["| cell | figure | before | now | change | limit |", "| :-- | :-- | --: | --: | --: | --: |"]
    left = len(ordered) - MOST_ROWS
    more = [f"\n{several(left, 'more figure')} moved by less."] if left > 0 else []
    return "\n".join([*heads, *map(_row, ordered[:MOST_ROWS]), *more])


def _row(one: Moved) -> str:
    over = one.limit is not None and one.now is not None and one.now > one.limit
    mark = "**" if one.is_worse else ""
    fields = (
        escape(one.cell),
        escape(f"{one.figure.replace('_', ' ')}"),
        _number(one.before, one.digits),
        _number(one.now, one.digits),
        f"{mark}{_change(one)}{mark}",
        f"**{_number(one.limit, 0)}, over**"
        if over
        else _number(one.limit, 0)
        if one.limit is not None
        else "",
    )
    return f"| {' | '.join(fields)} |"


def _number(value: float | None, digits: int) -> str:
    return "not measured" if value is None else number(value, digits)


def _change(one: Moved) -> str:
    """The difference, with its share of the earlier figure."""
    if one.before is None or one.now is None:
        return ""
    share = f" ({one.percent:+.1f} %)" if one.percent is not None else ""
    difference = one.now - one.before
    return f"{'+' if difference > 0 else ''}{number(difference, one.digits)}{share}"
