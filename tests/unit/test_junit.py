"""junit.xml: a suite a cell; failures with their log, and what was not run with its reason."""

from __future__ import annotations

from xml.etree import ElementTree

import report_samples as samples

from layermatrix.report import junit


def suites(record: samples.Record) -> dict[str, ElementTree.Element]:
    root = ElementTree.fromstring(junit.render(record))
    return {suite.get("name", ""): suite for suite in root}


def test_a_cell_is_a_suite_with_its_build_and_every_program() -> None:
    suite = suites(samples.record([samples.cell("old")]))["old-release-gcc"]
    cases = [case.get("name") for case in suite.iter("testcase")]
    assert cases == ["build", "budget", "test_basic", "test_threads", "sqlite"]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("5", "0", "0")


def test_a_failed_program_carries_its_reason_command_and_log() -> None:
    bad = samples.program("test_b", "failed", "exit status 1", "x.c:3: <lost> & gone")
    suite = suites(samples.record([samples.cell("old", tests=samples.ran("tests", bad))]))["old-release-gcc"]
    failure = suite.find(".//failure")
    assert failure is not None
    assert failure.get("message") == "exit status 1"
    assert failure.text == "build/x/bin/test_b\nx.c:3: <lost> & gone"
    assert suite.get("failures") == "1"


def test_a_program_that_was_not_run_is_skipped_with_the_reason() -> None:
    idle = samples.program("sqlite", "not run", "sqlite3 is not installed")
    suite = suites(samples.record([samples.cell("old", programs=samples.ran("programs", idle))]))[
        "old-release-gcc"
    ]
    skipped = suite.find(".//skipped")
    assert skipped is not None
    assert skipped.get("message") == "sqlite3 is not installed"


def test_a_build_that_failed_is_a_failure_with_its_log() -> None:
    failure = {"command": "gcc -c x.c", "log": "error: no", "target": "x.o"}
    kinds = {kind: samples.absent(kind, "not built") for kind in ("tests", "programs")}
    suite = suites(samples.record([samples.cell("old", built=False, failure=failure, **kinds)]))[
        "old-release-gcc"
    ]
    found = suite.find("testcase[@name='build']/failure")
    assert found is not None
    assert found.text == "gcc -c x.c\nerror: no"
    assert suite.get("skipped") == "2"


def test_tests_that_lost_their_evidence_do_not_look_passed() -> None:
    lost = {**samples.absent("tests", "there is no tests.json"), "missing": True}
    suite = suites(samples.record([samples.cell("old", tests=lost)]))["old-release-gcc"]
    assert suite.get("failures") == "1"


def test_characters_that_xml_cannot_hold_are_replaced() -> None:
    bad = samples.program("test_b", "failed", "why\x00", "\x1b[31mred\ud800\uffff")
    failure = suites(samples.record([samples.cell("old", tests=samples.ran("tests", bad))]))[
        "old-release-gcc"
    ]
    assert "?[31mred??" in (failure.findtext(".//failure") or "")


def test_cells_left_out_are_skipped_with_the_reason() -> None:
    record = samples.phases(left_out=[{"id": "old-release-clang", "reason": "clang is not installed"}])
    case = suites(record)["left out"].find("testcase")
    assert case is not None
    assert case.get("name") == "old-release-clang"
    assert case.find("skipped") is not None


def test_the_sums_stand_at_the_top() -> None:
    root = ElementTree.fromstring(junit.render(samples.phases()))
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("20", "0", "0")


def test_a_broken_budget_is_a_failed_case_with_its_layers() -> None:
    suite = suites(samples.record([samples.cell("old", budget=samples.budget(21))]))["old-release-gcc"]
    (failure,) = suite.iter("failure")
    assert failure.get("message") == "alloc instructions is 22, and 21 is the most (variants/old.yaml:7)"
    assert (failure.text or "").startswith("over budget: ")
