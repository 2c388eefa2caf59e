"""`analysis.host_groups` and the reports: figures of several hosts stand in tables of their own."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import report_samples as samples
from large_store import MACHINE

from layermatrix.analysis import host_groups
from layermatrix.analysis.results import Results
from layermatrix.core.host import Host
from layermatrix.core.records import NotMeasured
from layermatrix.report import answer, html, jsonfile, markdown, tables, terminal

HERE = host_groups.here(samples.phases())
ALIKE = replace(HERE, identity="m2", kernel="Linux 7")  # of the kind of this host
MUSL = replace(MACHINE, cpu="Another CPU", libc="musl 1.2.4", identity="m3")
UNTIMED = NotMeasured("not timed")
MUSL_WORDS = "x86_64, processor features f1, musl 1.2.4"


def on(*hosts: Host | None, timed: bool = True) -> Results:
    """A cell of each variant, which this host or another one counted and timed."""
    cells = [
        replace(
            samples.cell(name, **({} if timed else {"bench": UNTIMED})),
            hosts={"counters": host, "bench": host} if host else {},
        )
        for name, host in zip(samples.LINEAGE, hosts, strict=False)
    ]
    return samples.record(cells)


def names(results: Results, *, timed: bool = True) -> list[tuple[str, list[str]]]:
    found = host_groups.groups(results, timed=timed)
    return [(group.words, [cell.variant for cell in group.cells]) for group in found]


def test_figures_of_one_host_are_one_group_without_words() -> None:
    for results in (samples.phases(), on(MUSL, MUSL, MUSL)):
        assert [words for words, _ in names(results)] == [""]
        assert host_groups.main(results) is results
        assert tables.hosts_table(samples.phases()) is None
    assert "Hosts" not in markdown.render(samples.phases())


def test_a_record_that_was_taken_here_through_a_bundle_is_of_this_host() -> None:
    results = on(None, HERE, None)
    assert len(host_groups.groups(results)) == 1
    assert len(host_groups.used(results)) == 1


def test_counts_of_one_kind_of_host_stand_together_and_those_of_another_do_not() -> None:
    results = on(None, ALIKE, MUSL, timed=False)
    here = "x86_64, processor features f1, glibc 2.36"
    assert names(results, timed=False) == [(here, ["old", "mid"]), (MUSL_WORDS, ["new"])]
    made = [
        table
        for table in tables.counts_tables(results)
        if table.title.startswith("The cost of one op: mixed")
    ]
    assert [table.title.partition(" (")[2] for table in made] == [f"{here})", f"{MUSL_WORDS})"]
    assert [[row[0].text for row in table.rows] for table in made] == [
        ["system malloc", "old", "mid"],
        ["system malloc", "new"],
    ]
    # the baseline was counted here: beside the other kind of host, it says so instead of a figure
    assert "another host" in made[1].rows[0][1].reason
    assert made[0].rows[0][1].reason == ""


def test_timings_stand_together_only_within_one_machine() -> None:
    found = names(on(None, ALIKE, ALIKE, MUSL))
    cpu = "Made-up CPU, 2 cores, x86_64, glibc 2.36"
    assert found == [
        (f"{cpu}, machine m2", ["mid", "new"]),
        (f"{cpu}, machine m1", ["old"]),
        ("Another CPU, 2 cores, x86_64, musl 1.2.4", ["split"]),
    ]


def test_a_step_between_two_hosts_says_why_its_figures_do_not_compare() -> None:
    found = {(step.child, step.measure): step for step in on(None, ALIKE, MUSL).story.steps}
    assert found["mid", "code"].reason is None  # code is the same wherever it is read
    assert found["mid", "executed"].ratio == 0.5  # counts of one kind of host
    assert found["mid", "speed"].measured is None
    assert found["mid", "speed"].reason == (
        "mid: measured on another machine of the same kind: a timing is compared within one machine"
    )
    assert found["new", "executed"].reason == (
        "new: measured on another kind of host: C library musl 1.2.4, not glibc 2.36"
    )
    assert (found["new", "executed"].ratio, found["new", "executed"].agrees) == (None, None)


def test_the_answer_names_the_fastest_variant_of_each_machine() -> None:
    found = answer.sentences(on(None, ALIKE, ALIKE, MUSL))
    fastest = [line for line in found if "is the fastest on" in line]
    assert [line.partition(":")[0].rpartition(", ")[2] for line in fastest] == [
        "machine m2",
        "machine m1",
        "musl 1.2.4",
    ]
    assert any(line.startswith("3 hosts of 2 kinds took these figures.") for line in found)


def test_every_report_has_the_hosts_and_a_table_for_each() -> None:
    results = on(None, MUSL, MUSL)
    console = terminal.make_console(out := io.StringIO())
    terminal.phase_table(results, console)
    terminal.matrix_table(results, console)
    text, page, log = markdown.render(results), html.render(results), out.getvalue()
    words = "Another CPU, 2 cores, x86_64, musl 1.2.4"
    for report in (text.replace("\\", ""), page, " ".join(log.split())):
        assert f"Counters and speed ({words})" in report
        assert "Hosts" in report
    assert f"Cells ({words})" in page
    assert "The charts are about one group of hosts, which compare: Another CPU" in page


def test_json_has_each_host_once_and_cells_name_theirs() -> None:
    found = json.loads(jsonfile.render(on(None, MUSL, MUSL)))
    assert found["hosts"] == [{"id": MUSL.id, "kind": str(MUSL.kind), **MUSL.to_json()}]
    assert [cell["hosts"] for cell in found["cells"]] == [{}, *[{"counters": MUSL.id, "bench": MUSL.id}] * 2]
    assert json.loads(jsonfile.render(samples.phases()))["hosts"] == []
