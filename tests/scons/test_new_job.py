"""A new job is one module and one line of the registry: `-h` shows it, it runs, and it has a dry run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.scons.conftest import Project

SIZES = '''"""The job `sizes`: how long the libraries of the selected cells are."""

from __future__ import annotations

from layermatrix.build.targets import Variable
from layermatrix.jobs.base import Build, Job, Plan, Work

UNIT = Variable(name="unit", doc="what sizes are shown in", values="bytes, KiB", default="bytes")


def prepare(plan: Plan) -> Work:
    build = Build(plan.select(JOB), ("libs",))
    return Work((build,), "print the sizes", lambda: run(plan, build))


def run(plan: Plan, build: Build) -> int:
    status = plan.build(build)
    for cell in build.chosen.cells:
        size = (plan.root / cell.build_dir / "libpool.so").stat().st_size
        print(f"size of {cell.id}: {size} {plan.request.text(UNIT)}")
    return status


JOB = Job(name="sizes", doc="how long the libraries are", variables=(UNIT,), prepare=prepare)
'''


@pytest.fixture
def with_sizes(foreign: Project) -> Project:
    foreign.write("tools/layermatrix/jobs/sizes.py", SIZES)
    registry = "tools/layermatrix/jobs/registry.py"
    foreign.edit(registry, "    run_tests,\n", "    run_tests,\n    sizes,\n")
    foreign.edit(registry, "    run_tests.JOB,\n", "    run_tests.JOB,\n    sizes.JOB,\n")
    return foreign


def test_a_new_job_is_in_the_help_with_its_variable(with_sizes: Project) -> None:
    run = with_sizes.build("-h")
    assert "\n  sizes       how long the libraries are\n" in run.stdout
    assert "\n  unit=       what sizes are shown in (sizes)\n" in run.stdout


def test_a_new_job_runs(with_sizes: Project, cc: str) -> None:
    run = with_sizes.build("sizes", "variant=small", "unit=KiB")
    assert f"size of small-release-{cc}: " in run.stdout
    assert run.stdout.endswith(" KiB\n")


def test_a_new_job_has_a_dry_run(with_sizes: Project, cc: str) -> None:
    run = with_sizes.build("-n", "sizes", "variant=small")
    assert f"sizes would build libs of 1 cell (small-release-{cc}):\n" in run.stdout
    assert f"LINK     small-release-{cc}/libpool.so\n" in run.stdout
    assert run.stdout.endswith("sizes would then print the sizes\n")
    assert not with_sizes.path(f"build/small-release-{cc}/libpool.so").exists()


def test_its_variable_is_for_it_alone(with_sizes: Project) -> None:
    run = with_sizes.scons("libs", "unit=KiB")
    assert (run.status, run.stderr) == (2, "unit= works only with the target 'sizes'\n")


def test_help_shows_only_what_the_project_has(foreign: Project) -> None:
    run = foreign.build("-h")
    shown = [
        line.split()[0] for line in run.stdout.partition("Targets")[2].splitlines() if line.startswith("  ")
    ]
    assert {"phases", "libs", "report", "list"} <= set(shown)
    assert not {"compiledb", "install", "lint", "fuzz", "peers", "pages", "layers", "tune"} & set(shown)
