"""The reference of the store, docs/reference/store.md, printed from its schema and its figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from layermatrix.report.page_parts import page, table
from layermatrix.store import changes, comparable, extract, query, schema
from layermatrix.store.database import PATIENCE
from layermatrix.store.entries import DETERMINISTIC, TIMED

INTRO = f"""\
Every job that measures (`phases`, `matrix`, `bench`, `peers`, `ab`, `ablate`, `counters`, `evidence`,
`history`) records its run in a SQLite file: the file of `store=PATH`, else of the environment variable
`LAYERMATRIX_STORE`, else `build/results.sqlite`. One file may serve several clones. `scons history` and
`scons export` show what is in it. [Measuring](../measuring.md#results) describes both.

A run and its figures are one transaction: a run that is killed leaves nothing behind. Several runs may write
at once; each waits up to {PATIENCE:.0f} seconds for the others. If the file cannot be written, the run prints
one line, and its JSON records in `build/` are complete."""
VERSIONS = f"""\
`PRAGMA user_version` is the version of the schema, now {schema.VERSION}. `PRAGMA application_id` is
{schema.APPLICATION:#x}. A file of an older version is brought to the present one when it is opened; a
newer one is an error that names both versions."""
COMPARABLE = """\
Not every two figures can be compared. Timings must be of one machine: with equal {timed}. Counts must be of
one kind of host: with equal {counts}. Two counts of one build (a cell at a commit, or another library)
from two machines also need an equal `library_digest`. An unknown value is equal to none of another machine.

A series of `history` has figures that can be compared, with one `load_digest` and one `compiler_version`.
Runs with edited files (`dirty`) are not part of it. `history` lists the figures that are left out with the
reason."""
CHANGES = f"""\
A count changed if it differs from the median since the last change by more than this, and by more than
{100 * changes.LEAST_CHANGE:g} %. Counts that are not in this table repeat exactly, so any difference of them
is a change."""
TIMINGS = f"""\
`ruptures` (PELT; extra `history`) finds the changes of timings, in series of at least {changes.FEWEST}
commits. A further segment has to reduce the squared distance from the segments' means by
{changes.PENALTY:.0f} log(points), in units of a point's variance."""


def store() -> str:
    """The tables, the figures, the versions, and the columns of an export."""
    blocks = [*_tables(), *_figures(), f"## Versions\n\n{VERSIONS}\n\n{_migrations()}"]
    blocks += [f"## What is compared\n\n{_comparable()}", _changes(), _export()]
    return page("The store of results", INTRO, blocks)


def _tables() -> Iterator[str]:
    yield "## Tables"
    for one in schema.TABLES:
        columns = table(
            ("column", "type", "contents"),
            ((f"`{column.name}`", f"`{column.sql}`", column.doc) for column in one.columns),
        )
        keys = "".join(f"- `{text}`\n" for text in one.constraints)
        indexes = "".join(
            f"- index `{index.name}` ({', '.join(index.columns)}): {index.query}\n" for index in one.indexes
        )
        rules = f"\n\n{keys}{indexes}".rstrip() if keys or indexes else ""
        yield f"### {one.name}\n\n{one.doc}\n\n{columns}{rules}"


def _figures() -> Iterable[str]:
    count, time = "deterministic", "timed"
    entries, hits = ", ".join(extract.OF_ENTRIES), ", ".join(extract.OF_HITS)
    yield "## Figures\n\n" + table(
        ("figure", "kind", "what it is"),
        [
            *(
                (f"`{name}`", count, f"{' + '.join(events)} of an operation, from `counters.json`")
                for name, events in extract.COUNTED.items()
            ),
            ("`speed`", time, "the speed of a load, in the catalogue's unit"),
            *(
                (f"`{name}`", time, f"`{place}` of a timing, {unit.format(work='operation')}")
                for name, (unit, place) in extract.OF_TIMINGS.items()
            ),
            ("`code_size`, `tls_size`", count, "bytes of the library's code and thread-local storage"),
            ("`<entry>.<metric>`", count, f"of an entry of the fast path: {entries}"),
            ("`<entry>.hit_<metric>`", count, f"the same along the hit path: {hits}"),
            ("`<entry>.<metric>.limit`", count, "the limit in the variant's budget"),
        ],
    )


def _migrations() -> str:
    rows = [
        (f"{version} to {version + 1}", "; ".join(f"`{step}`" for step in steps))
        for version, steps in schema.MIGRATIONS.items()
    ]
    return table(("from", "statements"), rows)


def _comparable() -> str:
    timed, counts = (
        ", ".join(f"`{column}`" for column in comparable.COLUMNS[kind]) for kind in (TIMED, DETERMINISTIC)
    )
    return COMPARABLE.format(timed=timed, counts=counts)


def _changes() -> str:
    rows = ((f"`{name}`", f"{most:g}") for name, most in changes.NOISE.items())
    return f"## Changes\n\n{CHANGES}\n\n{table(('figure', 'difference'), rows)}\n\n{TIMINGS}"


def _export() -> str:
    rows = ((f"`{name}`", f"`{column}`") for name, column in query.COLUMNS.items())
    return "## Columns of an export\n\n" + table(("column", "from"), rows)
