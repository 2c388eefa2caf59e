"""A new exporter is one module and one line of the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.scons.conftest import Project

CSV = '''"""The results as cells.csv, for spreadsheets."""

from __future__ import annotations

from layermatrix.analysis.results import Results
from layermatrix.report import exporter


def render(results: Results) -> str:
    return "".join(f"{cell.id},{cell.failed or 'passed'}\\n" for cell in results.cells)


EXPORTER = exporter.single("cells.csv", render)
'''


def test_a_new_exporter_writes_its_file(foreign: Project, cc: str) -> None:
    foreign.write("tools/layermatrix/report/csvfile.py", CSV)
    registry = "tools/layermatrix/report/registry.py"
    foreign.edit(registry, "import cellpage, html", "import cellpage, csvfile, html")
    foreign.edit(registry, "    cellpage.EXPORTER,\n", "    cellpage.EXPORTER,\n    csvfile.EXPORTER,\n")
    run = foreign.build("phases", "variant=small", "rounds=1")
    assert foreign.read("build/report/cells.csv") == f"small-release-{cc},passed\n"
    assert run.stdout.splitlines()[-1].endswith("cells/*.html, cells.csv")
