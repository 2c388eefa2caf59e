"""The installed package: a wheel in its own environment, used in a project elsewhere."""

from __future__ import annotations

import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from tests.scons.conftest import COMPILER, ROOT, Stranger
from tests.scons.wheels import pip, run


@pytest.fixture
def stranger(python: Path, tmp_path: Path) -> Stranger:
    shutil.copytree(Path(__file__).parent / "foreign", tmp_path / "pool")
    project = Stranger(tmp_path / "pool", python)
    project.edit("variants/matrix.yaml", "compiler: [gcc]", f"compiler: [{COMPILER.name}]")
    project.edit("SConstruct", 'tools=["layered"],', 'tools=["default", "layered"],')
    project.edit("SConstruct", '["tools/site_tools"]', '[PyPackageDir("layermatrix.site_tools")]')
    return project


def test_the_wheel_has_the_library_the_tool_and_the_templates_of_reports(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    library = ROOT / "site_scons"
    for file in (library / "layermatrix").rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            assert file.relative_to(library).as_posix() in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"layermatrix"}


def test_a_wheel_can_be_made_of_the_sdist(source: Path, python: Path, tmp_path: Path) -> None:
    """`pip wheel` of an unpacked sdist, using only the files in it."""
    script = (
        "import sys\nfrom hatchling.builders.sdist import SdistBuilder\n"
        "print(next(SdistBuilder(sys.argv[1]).build(directory=sys.argv[2])))"
    )
    pip(sys.executable, "install", "--quiet", "--target", tmp_path / "hatch", "hatchling")
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'hatch')!r})\n{script}"
    done = run(sys.executable, "-c", code, source, tmp_path)
    assert done.returncode == 0, done.stderr
    with tarfile.open(done.stdout.strip()) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.glob("layermatrix-*/")
    pip(sys.executable, "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path / "out", unpacked)
    assert list((tmp_path / "out").glob("layermatrix-*.whl"))


def test_another_project_is_built_checked_and_reported_with_the_installed_wheel(
    stranger: Stranger, cc: str
) -> None:
    where = run(stranger.python, "-c", "import layermatrix; print(layermatrix.__file__)").stdout
    assert Path(where.strip()).is_relative_to(stranger.python.parents[1])
    stranger.build("rounds=1", "phases")
    folder = f"build/small-release-{cc}"
    for name in ("gen/pool_gen.h", "libpool.so", "libpool.a"):
        assert stranger.path(f"{folder}/{name}").is_file()
    assert stranger.record(f"small-release-{cc}", "tests")["programs"][0]["status"] == "passed"
    assert "<html" in stranger.read("build/report/index.html")
    assert stranger.build("variant=small", "checks").actions == []


def test_a_plain_scons_without_the_packages_names_what_to_install(stranger: Stranger, tmp_path: Path) -> None:
    """The library and SCons are installed, but no package that the library imports."""
    lib = tmp_path / "lib"
    site = next(stranger.python.parents[1].glob("lib/python*/site-packages"))
    for name in ("SCons", "layermatrix"):
        shutil.copytree(site / name, lib / name)
    script = f"import sys; sys.path.insert(0, {str(lib)!r}); import SCons.Script; SCons.Script.main()"
    base = Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    done = run(base, "-I", "-S", "-c", script, "-Q", "libs", folder=stranger.root)
    assert done.returncode == 2
    message = next(line for line in done.stderr.splitlines() if line)
    assert "the tool 'layered' needs packages that this Python does not have: pyyaml, jinja2, " in message
    assert "-m pip install pyyaml jinja2 " in message
    assert "Traceback" not in done.stderr
