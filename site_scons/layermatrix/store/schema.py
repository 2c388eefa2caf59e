"""The tables of the store, as data: the SQL that creates them, the migrations, and docs/reference/store.md.

`VERSION` stands in the file as `PRAGMA user_version`. A change of a table raises it and adds the statements
that bring a file of the previous version forward.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

VERSION = 3
APPLICATION = 0x6C6D7278  # "lmrx", as `PRAGMA application_id`: tells a store from another program's file


@dataclass(frozen=True)
class Column:
    """sql: its type and constraints."""

    name: str
    sql: str
    doc: str


@dataclass(frozen=True)
class Index:
    """query: what reads through it."""

    name: str
    columns: tuple[str, ...]
    query: str


@dataclass(frozen=True)
class Table:
    """constraints: of the whole table. options: after the closing parenthesis."""

    name: str
    doc: str
    columns: tuple[Column, ...]
    constraints: tuple[str, ...] = ()
    options: str = ""
    indexes: tuple[Index, ...] = ()

    @property
    def statements(self) -> list[str]:
        """The SQL that creates the table and its indexes."""
        parts = [f"{column.name} {column.sql}" for column in self.columns]
        body = ",\n  ".join([*parts, *self.constraints])
        create = f"CREATE TABLE {self.name} (\n  {body}\n){self.options}"
        return [create, *(self._create(index) for index in self.indexes)]

    def _create(self, index: Index) -> str:
        return f"CREATE INDEX {index.name} ON {self.name} ({', '.join(index.columns)})"


MACHINES = Table(
    "machines",
    "The machines that measured. An equal machine in an equal state has one row.",
    (
        Column("id", "TEXT PRIMARY KEY", "digest of the other columns, or of those of an older version"),
        Column("cpu", "TEXT NOT NULL", "the processor's name"),
        Column("cpu_flags", "TEXT NOT NULL", "digest of the processor's features"),
        Column("cores", "INTEGER NOT NULL", "the processors that the run could use"),
        Column("architecture", "TEXT NOT NULL", "such as x86_64"),
        Column("kernel", "TEXT NOT NULL", "the system and its release"),
        Column("libc", "TEXT NOT NULL", "the C library and its version"),
        Column("python", "TEXT NOT NULL DEFAULT ''", "the version of Python; empty in older rows"),
        Column(
            "identity",
            "TEXT NOT NULL DEFAULT ''",
            "tells this computer from others: a digest; of older rows, a random name of their file",
        ),
    ),
)
RUNS = Table(
    "runs",
    "One row for each finished run of a job. A run and its figures are written in one transaction.",
    (
        Column("id", "INTEGER PRIMARY KEY", "the number of the run in this file"),
        Column("key", "TEXT NOT NULL UNIQUE", "a random name, which stays the same when stores are merged"),
        Column("job", "TEXT NOT NULL", "the job, such as bench"),
        Column("started", "TEXT NOT NULL", "UTC, as 2026-01-31T12:00:00Z"),
        Column("finished", "TEXT NOT NULL", "UTC"),
        Column(
            "commit_hash", "TEXT NOT NULL", "the commit of the project's files; empty outside a repository"
        ),
        Column(
            "commit_time",
            "INTEGER NOT NULL",
            "the committer's date in seconds since 1970; 0 if there is none",
        ),
        Column(
            "commit_order",
            "INTEGER NOT NULL DEFAULT 0",
            "the commits before it; orders commits of one second",
        ),
        Column("dirty", "INTEGER NOT NULL", "1 if the files differed from the commit"),
        Column("command", "TEXT NOT NULL", "the command line"),
        Column("seed", "INTEGER", "decides the random order of the runs; NULL if the order was not random"),
        Column("machine", "TEXT NOT NULL REFERENCES machines(id)", "the machine"),
        Column("conditions", "TEXT NOT NULL", "JSON: the load of the machine, and what else applied"),
    ),
    indexes=(Index("runs_by_commit", ("commit_hash", "job"), "which commits are recorded"),),
)
SUBJECTS = Table(
    "subjects",
    "What was measured: a build of a cell, another library, or the baseline. Equal builds have one row.",
    (
        Column("id", "INTEGER PRIMARY KEY", "the number of the subject in this file"),
        Column("key", "TEXT NOT NULL UNIQUE", "digest of the other columns"),
        Column("name", "TEXT NOT NULL", "the id of a cell, or the name of a library"),
        Column("source", "TEXT NOT NULL", "cell, peer or baseline"),
        Column("variant", "TEXT NOT NULL", "empty if it is not a cell; so are the next five columns"),
        Column("mode", "TEXT NOT NULL", "such as release"),
        Column("compiler", "TEXT NOT NULL", "such as gcc"),
        Column("sanitizer", "TEXT NOT NULL", "such as none"),
        Column("target", "TEXT NOT NULL", "such as native"),
        Column("axes", "TEXT NOT NULL", "JSON: values of the project's own axes that are not the default"),
        Column("library_digest", "TEXT NOT NULL", "SHA-256 of the shared library; empty if there is none"),
        Column(
            "compiler_version", "TEXT NOT NULL", "the compiler's version and target, and the user's flags"
        ),
    ),
    indexes=(Index("subjects_by_name", ("name",), "the history of a subject"),),
)
FIGURES = Table(
    "figures",
    "The figures. Those of a run belong to its row in `runs`.",
    (
        Column("run", "INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE", "the run"),
        Column("subject", "INTEGER NOT NULL REFERENCES subjects(id)", "what was measured"),
        Column("load", "TEXT NOT NULL", "the load; empty for a figure of the code"),
        Column("figure", "TEXT NOT NULL", "the name of the figure, such as speed"),
        Column("unit", "TEXT NOT NULL", "its unit"),
        Column("better", "TEXT NOT NULL", "higher or lower"),
        Column(
            "kind", "TEXT NOT NULL", "deterministic: a count, which repeats; timed: depends on the machine"
        ),
        Column("load_digest", "TEXT NOT NULL", "changes with the program and arguments of the load"),
        Column("median", "REAL NOT NULL", "the median of the samples, or the count"),
        Column("low", "REAL NOT NULL", "the lower end of the interval of the median"),
        Column("high", "REAL NOT NULL", "the upper end"),
        Column("samples", "TEXT", "JSON: all samples; NULL for a count"),
    ),
    constraints=("PRIMARY KEY (run, subject, load, figure)",),
    options=" WITHOUT ROWID",
    indexes=(
        Index("figures_by_subject", ("subject", "figure", "load", "run"), "the history of a subject"),
        Index("figures_by_load", ("figure", "load", "run"), "all subjects with a load"),
    ),
)
TABLES: tuple[Table, ...] = (MACHINES, RUNS, SUBJECTS, FIGURES)

# version -> the statements that bring a file of that version to the next one
MIGRATIONS: Mapping[int, Sequence[str]] = {
    1: ("ALTER TABLE runs ADD COLUMN commit_order INTEGER NOT NULL DEFAULT 0",),
    2: (
        "ALTER TABLE machines ADD COLUMN python TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE machines ADD COLUMN identity TEXT NOT NULL DEFAULT ''",
        # which computer an older row is about is not known; one file was mostly written by one
        "UPDATE machines SET identity = (SELECT lower(hex(randomblob(8))))",
    ),
}


def statements() -> list[str]:
    """The SQL that creates an empty store of today's version."""
    return [statement for table in TABLES for statement in table.statements]
