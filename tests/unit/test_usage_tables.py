"""Page faults, context switches and hardware counters: in tables of every report, or said not to be there."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import report_samples as samples

from layermatrix.analysis.results import Results
from layermatrix.core.records import NotMeasured
from layermatrix.evidence.bench import Bench, Timing
from layermatrix.measure.peer_results import PeerResults
from layermatrix.report import markdown, terminal, usage_tables

NO_COUNTERS = "Hardware counters: not measured: perf: cycles: not supported."


def counted(record: Bench) -> Bench:
    """The timing on a machine with counters, of which one event is missing."""
    loads = {
        name: replace(one, hardware=samples.HARDWARE)
        for name, one in record.loads.items()
        if isinstance(one, Timing)
    }
    return replace(record, loads=loads)


def with_counters() -> Results:
    cells = [samples.cell("old", bench=counted(samples.bench(0.5))), samples.cell("mid")]
    return samples.record(cells)


def peers() -> PeerResults:
    """Each library with faults by its place, and a load that one of them could not run."""
    found = samples.peers()
    places = {name: place for place, name in enumerate(found.names)}
    loads = {}
    for name, load in found.loads.items():
        figures: Mapping[str, Timing | NotMeasured] = {
            library: replace(one, usage=samples.usage(places[library]))
            for library, one in load.figures.items()
            if isinstance(one, Timing)
        }
        lost = {"lean": NotMeasured("exit status 1")} if name == "two" else {}
        loads[name] = replace(load, figures={**figures, **lost})
    return replace(found, loads=loads)


def test_each_load_has_a_table_with_the_faults_and_switches_of_each_cell() -> None:
    mixed, server = usage_tables.of_cells(samples.phases())
    assert mixed.title == "Faults, context switches and hardware counters: mixed"
    assert [f"{one.head}, {one.unit}" for one in mixed.headings[1:]] == [
        "page faults, without disk", "page faults, with disk",
        "context switches, voluntary", "context switches, forced",
    ]  # fmt: skip
    rows = {row[0].text: [one.text for one in row[1:]] for row in mixed.rows}
    assert list(rows) == ["system malloc", "old", "mid", "new", "split"]
    assert rows["old"] == ["101", "0", "3", "41"]
    assert mixed.notes[-1] == NO_COUNTERS
    assert server.title.endswith(": server")


def test_counters_of_the_processor_are_columns_where_the_machine_has_them() -> None:
    mixed = usage_tables.of_cells(with_counters())[0]
    heads = [one.head for one in mixed.headings]
    rows = {row[0].text: dict(zip(heads, row, strict=True)) for row in mixed.rows}
    assert rows["old"]["cycles"].text == "12.2"
    assert rows["old"]["cache misses"].text == "0.0125"
    assert rows["old"]["branch misses"].reason == "branch-misses: not supported"
    assert rows["mid"]["cycles"].reason == "perf: cycles: not supported"
    assert mixed.notes[-1].startswith(
        "Hardware counters: counted by the processor in user mode with perf stat"
    )


def test_cells_that_were_not_timed_have_no_row() -> None:
    record = samples.record([samples.cell("old"), samples.cell("mid", bench=NotMeasured("it crashed"))])
    mixed = usage_tables.of_cells(record)[0]
    assert [row[0].text for row in mixed.rows] == ["system malloc", "old"]
    nothing = samples.record([samples.cell("mid", bench=NotMeasured("no"))], baseline=samples.baseline())
    assert all(row[0].text != "mid" for table in usage_tables.of_cells(nothing) for row in table.rows)


def test_libraries_have_a_table_for_each_figure_that_is_not_0_everywhere() -> None:
    faults, waited, forced = usage_tables.of_peers(peers())
    assert [table.title for table in (faults, waited, forced)] == [
        "Page faults, without disk", "Context switches, voluntary", "Context switches, forced",
    ]  # fmt: skip
    rows = {row[0].text: row[1:] for row in faults.rows}
    assert [one.text for one in rows["swap"]] == ["100", "101", "102", "103"]
    assert rows["two"][2].reason == "exit status 1"
    assert (faults.notes, forced.notes[-1]) == ((), NO_COUNTERS)


def shown(found: PeerResults) -> str:
    stream = io.StringIO()
    terminal.peers(found, terminal.make_console(stream), Path("build/peers.json"))
    return " ".join(stream.getvalue().split())


def test_the_terminal_prints_them_or_says_where_they_are() -> None:
    few = samples.peers(loads=dict(list(samples.peer_loads().items())[:3]))
    assert "Page faults, without disk" in shown(few)
    many = shown(peers())
    assert "Page faults, without disk" not in many
    assert "The report has page faults, context switches and hardware counters of each load." in many
    stream = io.StringIO()
    terminal.phase_table(samples.phases(), terminal.make_console(stream))
    assert "Faults, context switches and hardware counters: mixed" in stream.getvalue()
    assert NO_COUNTERS in " ".join(stream.getvalue().split())


def test_markdown_has_the_same_tables() -> None:
    text = markdown.render(samples.phases(peers=peers()))
    assert "## Faults, context switches and hardware counters: mixed" in text
    assert "## Page faults, without disk" in text
    assert NO_COUNTERS.replace("_", "\\_") in text
