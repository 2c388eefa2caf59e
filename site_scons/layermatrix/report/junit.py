"""The results as junit.xml, for CI servers: one suite per cell, one case per check.

Reads results; returns XML text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from layermatrix.analysis.results import BUILD, CellResult, KindCheck, Results
from layermatrix.evidence.kind import Status
from layermatrix.report import exporter

# Characters that XML 1.0 cannot hold, not even escaped; a log may hold any.
FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
OUTCOMES = {Status.FAILED: "failure", Status.NOT_RUN: "skipped", Status.QUARANTINED: "skipped"}


def render(results: Results) -> str:
    """The text of junit.xml."""
    suites = ElementTree.Element("testsuites", name="layermatrix")
    for cell in results.cells:
        _suite(suites, cell.id, [_case(cell, found) for found in cell.checks], cell.repeat)
    if results.left_out:
        left = [_element("left out", item.id, 0.0, "skipped", item.reason) for item in results.left_out]
        _suite(suites, "left out", left)
    for name in ("tests", "failures", "skipped"):
        suites.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    ElementTree.indent(suites)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"
    )


def _suite(
    parent: ElementTree.Element, name: str, cases: Sequence[ElementTree.Element], repeat: str = ""
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


def _case(cell: CellResult, found: KindCheck) -> ElementTree.Element:
    """The case of one check; the kinds of evidence stand apart in the names of classes."""
    check = found.check
    of = cell.id if found.kind == BUILD else f"{cell.id}.{found.kind}"
    outcome = OUTCOMES.get(check.status, "")
    log = "\n".join(text for text in (check.command, check.log) if text) if outcome == "failure" else ""
    return _element(of, check.name, check.seconds, outcome, check.reason or check.status.value, log)


def _element(
    suite: str, name: str, seconds: float, outcome: str = "", message: str = "", text: str = ""
) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=_clean(suite), name=_clean(name), time=f"{seconds:.3f}")
    if outcome:
        ElementTree.SubElement(case, outcome, message=_clean(message)).text = _clean(text) or None
    return case


def _clean(text: str) -> str:
    return FORBIDDEN.sub("?", text)


EXPORTER = exporter.single("junit.xml", render)
