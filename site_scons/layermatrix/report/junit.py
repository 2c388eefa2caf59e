"""The result record as junit.xml, for CI servers: a suite a cell, a case for the build and for each program.

Reads a result record; returns XML text.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from layermatrix.analysis.results import repeat_command
from layermatrix.report import exporter

Record = dict[str, Any]

PROGRAM_KINDS = ("tests", "programs")
GATES = ("budget",)
# Characters that XML 1.0 cannot hold, not even escaped; a log may hold any.
FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(results: Record) -> str:
    """The text of junit.xml."""
    suites = ElementTree.Element("testsuites", name="layermatrix")
    for cell in results["cells"]:
        cases = [_build_case(cell), *_gate_cases(cell), *_program_cases(cell)]
        _suite(suites, cell["id"], cases, repeat_command(cell))
    if results["left_out"]:
        left = [_case("left out", item["id"], 0.0, "skipped", item["reason"]) for item in results["left_out"]]
        _suite(suites, "left out", left)
    for name in ("tests", "failures", "skipped"):
        suites.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    ElementTree.indent(suites)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"
    )


def _suite(
    parent: ElementTree.Element, name: str, cases: list[ElementTree.Element], repeat: str = ""
) -> None:
    suite = ElementTree.SubElement(parent, "testsuite", name=_clean(name), tests=str(len(cases)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    suite.set("errors", "0")
    suite.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    suite.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.3f}")
    if repeat:
        properties = ElementTree.SubElement(suite, "properties")
        ElementTree.SubElement(properties, "property", name="repeat", value=_clean(repeat))
    suite.extend(cases)


def _build_case(cell: Record) -> ElementTree.Element:
    if cell["built"]:
        return _case(cell["id"], "build", 0.0)
    failure = cell.get("failure") or {}
    message = f"{failure.get('target') or 'library'} could not be built"
    log = "\n".join(text for text in (failure.get("command"), failure.get("log")) if text)
    return _case(cell["id"], "build", 0.0, "failure", message, log or "there is no library")


def _gate_cases(cell: Record) -> list[ElementTree.Element]:
    """A case for each kind of evidence that can fail by what it found."""
    cases = []
    for kind in GATES:
        evidence = cell.get(kind) or {}
        failures = evidence.get("failures")
        if failures:
            log = evidence.get("log") or "\n".join(failures)
            cases.append(_case(cell["id"], kind, 0.0, "failure", failures[0], log))
        elif evidence.get("status") == "measured":
            cases.append(_case(cell["id"], kind, 0.0))
        else:
            cases.append(_case(cell["id"], kind, 0.0, "skipped", evidence.get("reason") or "not measured"))
    return cases


def _program_cases(cell: Record) -> list[ElementTree.Element]:
    cases = []
    for kind in PROGRAM_KINDS:
        programs = cell[kind].get("programs", [])
        cases += [_program_case(cell["id"], kind, program) for program in programs]
        if not programs:
            # A suite that lost its evidence must not look like one that passed.
            outcome = "failure" if cell[kind].get("missing") and kind == "tests" else "skipped"
            cases.append(
                _case(f"{cell['id']}.{kind}", kind, 0.0, outcome, cell[kind].get("reason") or "not measured")
            )
    return cases


def _program_case(cell_id: str, kind: str, program: Record) -> ElementTree.Element:
    name, seconds, reason = (
        f"{cell_id}.{kind}",
        float(program.get("seconds") or 0.0),
        program.get("reason") or "",
    )
    if program["status"] == "passed":
        return _case(name, program["name"], seconds)
    if program["status"] == "failed":
        log = f"{program.get('command', '')}\n{program.get('log') or ''}"
        return _case(name, program["name"], seconds, "failure", reason or "failed", log)
    return _case(name, program["name"], seconds, "skipped", reason or "not run")


def _case(
    suite: str, name: str, seconds: float, outcome: str = "", message: str = "", text: str = ""
) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=_clean(suite), name=_clean(name), time=f"{seconds:.3f}")
    if outcome:
        ElementTree.SubElement(case, outcome, message=_clean(message)).text = _clean(text) or None
    return case


def _clean(text: str) -> str:
    return FORBIDDEN.sub("?", text)


EXPORTER = exporter.single("junit.xml", render)
