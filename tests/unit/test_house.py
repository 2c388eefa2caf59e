"""The house of layermatrix: its packages and registries, its documented interface, and its language."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from layermatrix.build.dependencies import LIBRARY
from layermatrix.evidence.registry import KINDS
from layermatrix.jobs.registry import JOBS
from layermatrix.report.registry import EXPORTERS
from layermatrix.scons import tool
from layermatrix.scons.project import project

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {file.parent.name for file in LIBRARY.glob("*/__init__.py")}
TOOL_PAGE = (ROOT / "docs/scons-tool.md").read_text(encoding="utf-8")

# Words that the project does not use any more, each split, so that this list is not among the findings.
RETIRED = [
    "the s" + "eed", "as t" + "old", "was t" + "old", "goes h" + "ome", "way of a h" + "it", "tw" + "ins?",
    "stand-" + "ins?", "who" + "ever", "what" + "ever", "no" + r"bod(y|ys|ies)", "some" + r"bod(y|ys)",
    "what of i" + "t", "in the mid" + "st",
]  # fmt: skip
WRITTEN = (".py", ".md", ".yaml", ".j2", ".c", ".h", ".cc", ".toml", ".css", ".sh")


def test_each_package_has_a_line_in_the_readme_in_the_order_of_the_contract() -> None:
    readme = (LIBRARY / "README.md").read_text(encoding="utf-8")
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (layers,) = re.findall(r"^layers = \[\n([^]]*)\]", settings, re.MULTILINE)
    contract = re.findall(r'"(\w+)"', layers)
    assert re.findall(r"^\| `(\w+)/` \| .{20,}\|$", readme, re.MULTILINE) == contract[::-1]
    assert set(contract) == PACKAGES


def test_there_is_one_style_of_import() -> None:
    for file in LIBRARY.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            assert not isinstance(node, ast.ImportFrom) or node.level == 0, f"{file}:{node.lineno}"


@pytest.mark.parametrize(
    ("package", "name", "registered"),
    [("evidence", "KIND", len(KINDS)), ("jobs", "JOB", len(JOBS)), ("report", "EXPORTER", len(EXPORTERS))],
)
def test_every_module_with_an_entry_is_registered(package: str, name: str, registered: int) -> None:
    found = [
        file
        for file in (LIBRARY / package).glob("*.py")
        if re.search(rf"^{name}\b.* = ", file.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    # fuzz.py makes its evidence in a job
    assert len(found) - registered == (1 if name == "KIND" and (LIBRARY / "evidence/fuzz.py") in found else 0)


def test_the_page_of_the_tool_has_every_method_and_setting() -> None:
    for method in (project, *tool.METHODS_OF_A_PROJECT, *tool.METHODS_OF_A_CELL):
        assert f"Layered{method.__name__.title().replace('_', '')}(" in TOOL_PAGE
    for setting in tool.DEFAULTS:
        assert f"`LAYERED_{setting.upper()}`" in TOOL_PAGE


def test_no_text_has_a_word_that_was_retired() -> None:
    pattern = re.compile(rf"(?<![A-Za-z])({'|'.join(RETIRED)})(?![A-Za-z])", re.IGNORECASE)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("the texts of the project are those that git lists, and this is no clone")
    names = [name for name in listed.stdout.split("\0") if name.endswith(WRITTEN)]
    found = [
        f"{name}:{number}: {line.strip()}"
        for name in [*names, "sconsw", "SConstruct"]
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)


def test_no_shell_script_defines_a_function_twice() -> None:
    """The shell uses the later one without a word, also where the earlier one was meant."""
    for script in [
        ".ci/run",
        "sconsw",
        *(str(file.relative_to(ROOT)) for file in ROOT.glob("tests/programs/*.sh")),
    ]:
        defined = re.findall(r"^ *(\w+) *\(\)", (ROOT / script).read_text(encoding="utf-8"), re.MULTILINE)
        assert not [name for name, count in Counter(defined).items() if count > 1], script
