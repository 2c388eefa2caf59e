"""junit.xml: one suite per cell; failures with their logs, and skipped checks with their reasons."""

from __future__ import annotations

import io
import json
from xml.etree import ElementTree

import pytest
import report_samples as samples
from rich.console import Console

from layermatrix.analysis.results import CellResult, LeftOut, Results
from layermatrix.build.failure import Failure
from layermatrix.evidence.kind import Status
from layermatrix.report import html, jsonfile, junit, markdown, terminal


def suites(record: Results) -> dict[str, ElementTree.Element]:
    root = ElementTree.fromstring(junit.render(record))
    return {suite.get("name", ""): suite for suite in root}


def test_a_cell_is_a_suite_with_its_build_and_every_check() -> None:
    suite = suites(samples.record([samples.cell("old")]))["old-release-gcc"]
    cases = [(case.get("classname"), case.get("name")) for case in suite.iter("testcase")]
    assert cases[:2] == [("old-release-gcc", "build"), ("old-release-gcc.budget", "budget")]
    assert {"test_basic", "test_threads", "sqlite", "same code"} <= {name for _, name in cases}
    assert suite.get("tests") == str(len(cases))
    assert suite.get("failures") == "0"


def test_a_failed_program_carries_its_reason_command_and_log() -> None:
    bad = samples.program("test_b", Status.FAILED, "exit status 1", "x.c:3: <lost> & gone")
    suite = suites(samples.record([samples.cell("old", tests=samples.tests(bad))]))["old-release-gcc"]
    failure = suite.find(".//failure")
    assert failure is not None
    assert failure.get("message") == "exit status 1"
    assert failure.text == "build/x/bin/test_b\nx.c:3: <lost> & gone"
    assert suite.get("failures") == "1"


def test_a_program_that_was_not_run_is_skipped_with_the_reason() -> None:
    idle = samples.program("sqlite", Status.NOT_RUN, "sqlite3 is not installed")
    cell = samples.cell("old", programs=samples.programs(idle))
    skipped = suites(samples.record([cell]))["old-release-gcc"].find("testcase[@name='sqlite']/skipped")
    assert skipped is not None
    assert skipped.get("message") == "sqlite3 is not installed"


def test_a_build_that_failed_is_a_failure_with_its_log() -> None:
    cell = samples.unbuilt("old", failure=Failure("gcc -c x.c", "error: no", "x.o"))
    suite = suites(samples.record([cell]))["old-release-gcc"]
    found = suite.find("testcase[@name='build']/failure")
    assert found is not None
    assert found.text == "gcc -c x.c\nerror: no"
    assert suite.get("failures") == "1"


def test_tests_that_lost_their_evidence_do_not_look_passed() -> None:
    suite = suites(samples.record([samples.untested("old")]))["old-release-gcc"]
    assert suite.get("failures") == "1"


@pytest.mark.parametrize(
    "failing",
    [
        samples.cell("old", budget=samples.budget(21)),
        samples.cell("old", guards=samples.failed_guards()),
        samples.cell("old", tests=samples.tests(samples.program("test_b", Status.FAILED))),
        samples.unbuilt("old"),
        samples.untested("old"),
    ],
)
def test_every_exporter_agrees_on_what_failed(failing: CellResult) -> None:
    """Each report counts a failed cell, independently of the kind of failure."""
    record = samples.record([failing, samples.cell("mid")])
    root = ElementTree.fromstring(junit.render(record))
    assert root.get("failures") == "1"
    cells = {cell["id"]: cell["failed"] for cell in json.loads(jsonfile.render(record))["cells"]}
    assert cells == {"old-release-gcc": failing.failed, "mid-release-gcc": None}
    assert failing.failed
    for text in (printed(record), html.render(record), markdown.render(record)):
        assert failing.id in text.split("Failed")[1]
    assert "2 cells: 1 passed, 1 failed, 0 not tested." in printed(record)


def printed(record: Results) -> str:
    out = io.StringIO()
    terminal.matrix_table(record, Console(file=out, width=200, no_color=True))
    return out.getvalue()


def test_characters_that_xml_cannot_hold_are_replaced() -> None:
    bad = samples.program("test_b", Status.FAILED, "why\x00", "\x1b[31mred\ud800\uffff")
    suite = suites(samples.record([samples.cell("old", tests=samples.tests(bad))]))["old-release-gcc"]
    assert "?[31mred??" in (suite.findtext(".//failure") or "")


def test_cells_left_out_are_skipped_with_the_reason() -> None:
    record = samples.phases(left_out=(LeftOut("old-release-clang", "clang is not installed"),))
    case = suites(record)["left out"].find("testcase")
    assert case is not None
    assert case.get("name") == "old-release-clang"
    assert case.find("skipped") is not None


def test_the_sums_stand_at_the_top() -> None:
    record = samples.phases()
    root = ElementTree.fromstring(junit.render(record))
    assert root.get("tests") == str(sum(len(cell.checks) for cell in record.cells))
    assert root.get("failures") == "0"


def test_a_figure_over_budget_is_a_failed_case_with_its_layers() -> None:
    suite = suites(samples.record([samples.cell("old", budget=samples.budget(21))]))["old-release-gcc"]
    (failure,) = suite.iter("failure")
    assert failure.get("message") == "alloc instructions is 22, and the limit is 21 (variants/old.yaml:7)"
    assert (failure.text or "").startswith("over budget: ")
