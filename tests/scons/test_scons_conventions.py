"""The tool follows SCons's conventions: a project keeps its own settings, and its own targets work."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.scons.conftest import CHARTS, LIMIT

if TYPE_CHECKING:
    from tests.scons.conftest import Project

ENVIRONMENT = "env = Environment(\n"
LAST = "env.LayeredJobs()\n"


def test_what_the_project_has_set_is_kept(foreign: Project, cc: str) -> None:
    """Its environment variables, database, number of jobs, flags, and the output of its own targets."""
    own = 'SConsignFile("own.sconsign")\nSetOption("num_jobs", 3)\n'
    own += 'mine = {"PATH": "/usr/bin:/bin", "MINE": "1"}\n'
    foreign.edit("SConstruct", ENVIRONMENT, f"{own}env = Environment(\n    ENV=mine,\n")
    shown = (
        'print("SET", sorted(env["ENV"]) == ["MINE", "PATH"], GetOption("num_jobs"), env["CCFLAGS"], '
        'env["LIBS"], env.get("CCCOMSTR"))\n'
    )
    foreign.append("SConstruct", shown)
    run = foreign.build("variant=small", "libs")
    assert "SET True 3 ['-Wall', '-Werror', '-fPIC'] ['dl'] None" in run.stdout
    assert foreign.path("own.sconsign.dblite").is_file()
    assert not list(foreign.path("build").glob(".sconsign*"))


def test_an_environment_that_is_there_already_is_not_reset(foreign: Project) -> None:
    old = 'env = Environment(\n    tools=["layered"],\n    toolpath=["tools/site_tools"],\n'
    foreign.edit("SConstruct", old, "env = Environment(\n")
    foreign.edit(
        "SConstruct",
        "env.LayeredProject(",
        'env.Tool("layered", toolpath=["tools/site_tools"])\nenv.LayeredProject(',
    )
    foreign.append("SConstruct", 'print("SET", env["CCFLAGS"], env["LIBS"])\n')
    run = foreign.build("variant=small", "libs")
    assert "SET ['-Wall', '-Werror', '-fPIC'] ['dl']" in run.stdout


def test_keywords_of_the_tool_are_its_settings(foreign: Project, cc: str) -> None:
    foreign.edit("SConstruct", 'tools=["layered"]', 'tools=[("layered", {"modes": MODES, "sources": "src"})]')
    foreign.edit(
        "SConstruct", 'env.LayeredProject(sources="src", modes=MODES, sanitizers={})', "env.LayeredProject()"
    )
    run = foreign.build("variant=small", "mode=debug", "libs")
    assert run.cells == {f"small-debug-{cc}"}
    assert (
        b"[pool:" in foreign.path(f"build/small-debug-{cc}/libpool.so").read_bytes()
    )  # the mode's POOL_TALKS


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'tools=["layered"]',
            'tools=[("layered", {"mods": {}})]',
            "layered: unknown keyword 'mods'; did you mean 'modes'?",
        ),
        (
            'env.LayeredProject(sources="src", modes=MODES, sanitizers={})',
            "",
            "LayeredCells: call env.LayeredProject() first",
        ),
        (
            "    header = cell.LayeredHeader()",
            "    header = env.LayeredHeader()",
            "LayeredHeader: it is a method of the environments of env.LayeredCells()",
        ),
    ],
)
def test_a_slip_in_sconstruct_is_named(foreign: Project, old: str, new: str, message: str) -> None:
    foreign.edit("SConstruct", old, new)
    run = foreign.scons("libs")
    assert run.status == 2
    assert f"scons: *** {message}" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_folder_that_cannot_be_made_is_named(foreign: Project) -> None:
    shutil.rmtree(foreign.path("build"))
    foreign.write("build", "a file\n")
    run = foreign.scons("libs")
    assert (run.status, run.stderr) == (2, f"{foreign.path('build')}: File exists\n")


def test_a_folder_that_is_read_only_is_named_and_questions_are_answered(foreign: Project) -> None:
    """Uses a mount namespace with a read-only tree, because root can write to a folder without write
    permission."""
    foreign.build("headers")
    here = shlex.quote(str(foreign.root))
    script = f'mount --bind {here} {here} && mount -o remount,ro,bind {here} && cd {here} && exec "$@"'
    words = [
        "unshare",
        "--mount",
        "--map-root-user",
        "sh",
        "-c",
        script,
        "sh",
        sys.executable,
        "-B",
        "-m",
        "SCons",
    ]

    def run(*targets: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*words, "-Q", *targets], capture_output=True, text=True, timeout=LIMIT)

    listed = run("list", "variant=small")
    if "unshare" in listed.stderr or "mount:" in listed.stderr:
        pytest.skip(f"no read-only mount can be made here: {listed.stderr.splitlines()[0]}")
    assert (listed.returncode, listed.stderr) == (0, "")
    built = run("libs")
    assert (built.returncode, built.stderr) == (2, f"{foreign.path('build')}: cannot be written to\n")


# --- in a project with other targets


@pytest.fixture
def guest(foreign: Project) -> Project:
    """The pool in a subfolder of a project that has its own program and variable."""
    top = foreign.root / "app"
    (top / "lib").mkdir(parents=True)
    for path in list(foreign.root.iterdir()):
        if path.name not in ("app", "tools"):
            path.rename(top / "lib" / path.name)
    foreign.root.joinpath("tools").rename(top / "tools")
    (top / "lib/SConstruct").rename(top / "lib/SConscript")
    foreign.root = top
    foreign.edit("lib/SConscript", '["tools/site_tools"]', '["#tools/site_tools"]')
    foreign.edit("lib/SConscript", "sanitizers={}", 'sanitizers={}, variables=["SHOUT"]')
    foreign.append("lib/SConscript", "Return('libraries')\n")
    foreign.write("hello.c", '#include <stdio.h>\nint main(void) { return puts("hello") < 0; }\n')
    foreign.write(
        "SConstruct",
        'libraries = SConscript("lib/SConscript")\nenv = Environment()\n'
        'program = env.Program("hello", "hello.c", LIBS=[libraries[1]])\n'
        'env.Alias("app", program)\nDefault(program)\n',
    )
    return foreign


def test_a_project_below_is_built_in_its_own_folder_beside_other_targets(guest: Project, cc: str) -> None:
    guest.build("SHOUT=1")
    assert guest.path("hello").is_file()
    assert guest.path(f"lib/build/apart-release-{cc}/libpool.a").is_file()
    assert not guest.path("build").exists()
    guest.build("variant=small", "checks", "app")
    folder = guest.path(f"lib/build/small-release-{cc}")
    assert guest.record_of(folder, "tests")["programs"][0]["status"] == "passed"
    assert guest.build("variant=small", "checks", "app").actions == []
    guest.build(f"lib/build/small-debug-{cc}/libpool.so")
    assert guest.path(f"lib/build/small-debug-{cc}/libpool.so").is_file()


def test_a_job_of_a_project_below_builds_and_reports_there(guest: Project, cc: str) -> None:
    guest.build("phases", "variant=small", "rounds=1")
    assert guest.path("lib/build/report/index.html").is_file()
    assert guest.path(f"lib/build/small-release-{cc}/evidence/bench.json").is_file()


def test_an_unknown_target_is_left_to_scons_where_others_may_come(guest: Project) -> None:
    run = guest.scons("libz")
    assert run.status == 2
    assert "Do not know how to make" in run.stderr


def test_a_target_of_the_projects_own_goes_with_ours(foreign: Project, cc: str) -> None:
    foreign.edit("SConstruct", LAST, 'env.Alias("note", env.Textfile("note", ["x"]))\n' + LAST)
    foreign.edit("SConstruct", 'tools=["layered"]', 'tools=["layered", "textfile"]')
    run = foreign.build("variant=small", "headers", "note")
    assert run.cells == {f"small-release-{cc}"}
    assert foreign.path("note.txt").is_file()
    run = foreign.scons("notes")
    assert (run.status, run.stderr) == (2, "unknown target 'notes'; did you mean 'note'?\n")


def test_help_has_the_projects_own_text_too(foreign: Project) -> None:
    foreign.edit("SConstruct", ENVIRONMENT, 'Help("Build pools.\\n")\nenv = Environment(\n')
    run = foreign.build("-h")
    assert run.stdout.startswith("Build pools.\n")
    assert "\n  libs        the libraries, shared and static\n" in run.stdout


# --- cleaning


def cells(project: Project) -> set[str]:
    folders = {path.name for path in project.path("build").iterdir() if path.is_dir()}
    return folders - {CHARTS.name}


def test_cleaning_removes_the_cells_that_are_selected_and_no_other(foreign: Project, cc: str) -> None:
    foreign.build("variant=all", "mode=all", "headers")
    everything = {f"{variant}-{mode}-{cc}" for variant in ("small", "apart") for mode in ("release", "debug")}
    assert cells(foreign) == everything
    foreign.build("-c", "variant=small")
    assert cells(foreign) == everything - {f"small-release-{cc}"}
    foreign.build("-c", "matrix", "mode=debug")
    assert cells(foreign) == {f"apart-release-{cc}"}
    foreign.build("-c", "headers")
    assert not foreign.path(f"build/apart-release-{cc}/gen/pool_gen.h").exists()
    foreign.build("-c")
    assert cells(foreign) == set()
