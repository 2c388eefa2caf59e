"""A new kind of evidence is one module and one line of the registry: every report shows it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

if TYPE_CHECKING:
    from tests.scons.conftest import Project, Run

WEIGHT = '''"""Evidence `weight`: how heavy the shared library is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from layermatrix.build.step import Task
from layermatrix.core.records import Measured
from layermatrix.evidence.builder import Builder
from layermatrix.evidence.columns import Column, Heading, View, figure
from layermatrix.evidence.kind import Check, Inputs, Kind, Status

MOST = 1000000


@dataclass(frozen=True)
class Weight(Measured):
    bytes: int
    most: int


def _declare(build: Builder) -> Inputs:
    return Inputs([build.libraries[0]])


def _take(task: Task) -> Weight:
    return Weight(task.sources[0].stat().st_size, MOST)


def _checks(record: Weight) -> list[Check]:
    if record.bytes <= record.most:
        return [Check("weight", Status.PASSED)]
    return [Check("weight", Status.FAILED, f"more than {record.most} bytes", log="what it weighs")]


def _columns(records: Sequence[Weight], view: View) -> list[Column[Weight]]:
    return [Column(Heading("weight", "ounces"), lambda record: figure(record.bytes), brief=True)]


KIND = Kind(
    name="weight",
    title="Weight",
    doc="how heavy the library is",
    record=Weight,
    columns=_columns,
    declare=_declare,
    take=_take,
    checks=_checks,
)
'''
MODULE = "tools/layermatrix/evidence/weight.py"


@pytest.fixture
def weighed(foreign: Project) -> Project:
    foreign.write(MODULE, WEIGHT)
    registry = "tools/layermatrix/evidence/registry.py"
    foreign.edit(registry, "    bench.KIND,\n", "    bench.KIND,\n    weight.KIND,\n")
    text = foreign.read(registry)
    foreign.write(
        registry, text.replace("import (", "import (\n    weight,").replace("tests\n", "tests, weight\n")
    )
    return foreign


def reports(project: Project, run: Run) -> dict[str, str]:
    """The output that the user sees: the terminal, and each file of the report."""
    files = ("results.json", "junit.xml", "index.html", "results.md")
    return {"terminal": run.stdout, **{name: project.read(f"build/report/{name}") for name in files}}


def case(project: Project, cell: str) -> ElementTree.Element:
    """The case of the new kind in junit.xml."""
    suites = ElementTree.fromstring(project.read("build/report/junit.xml"))
    (found,) = (one for one in suites.iter("testcase") if one.get("classname") == f"{cell}.weight")
    return found


def test_its_figures_are_in_every_report(weighed: Project, cc: str) -> None:
    run = weighed.build("variant=small", "rounds=1")
    cell = f"small-release-{cc}"
    size = weighed.path(f"build/{cell}/libpool.so").stat().st_size
    for name in ("terminal", "index.html", "results.md"):
        text = reports(weighed, run)[name]
        assert "weight" in text, name
        assert f"{size:,}" in text, name
    (record,) = json.loads(weighed.read("build/report/results.json"))["cells"]
    assert record["weight"]["bytes"] == size
    assert record["failed"] is None
    assert case(weighed, cell).find("failure") is None


def test_its_failure_is_one_in_every_report_and_in_the_exit_status(weighed: Project, cc: str) -> None:
    weighed.edit(MODULE, "MOST = 1000000", "MOST = 10")
    run = weighed.scons("variant=small", "rounds=1")
    cell = f"small-release-{cc}"
    assert run.status != 0
    for name, text in reports(weighed, run).items():
        assert "weight: more than 10 bytes" in text or name == "junit.xml", name
    (record,) = json.loads(weighed.read("build/report/results.json"))["cells"]
    assert record["failed"] == "weight: more than 10 bytes"
    failure = case(weighed, cell).find("failure")
    assert failure is not None
    assert (failure.get("message"), failure.text) == ("more than 10 bytes", "what it weighs")
    suites = ElementTree.fromstring(weighed.read("build/report/junit.xml"))
    assert suites.get("failures") == "1"


def test_a_constant_of_its_module_makes_it_out_of_date_and_nothing_else(weighed: Project, cc: str) -> None:
    weighed.build("variant=small", "checks")
    weighed.edit(MODULE, "MOST = 1000000", "MOST = 1000001")
    run = weighed.build("variant=small", "checks")
    assert run.actions == [f"EVIDENCE small-release-{cc}/evidence/weight.json"]
    assert weighed.record(f"small-release-{cc}", "weight")["most"] == 1000001
