"""The check of C folders: order of includes, circles, and where functions are declared."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from layermatrix.evidence.source import c_folders, c_lint

ROOT = Path(__file__).parents[2]
EXPORT = '#define EXPORT __attribute__((visibility("default")))\n'
SOUND = {
    "api.h": "int api_work(void);\n",
    "low/base.h": EXPORT
    + "#define LOCAL static inline\nint base_count(int of);\nLOCAL int base_one(void)\n{\n}\n",
    "low/base.c": '#include "low/base.h"\n#include <stdio.h>\nstatic int own(void)\n{\n}\n\n'
    "int base_count(int of)\n{\n    if (of) return own();\n}\n",
    "low/system.h": "void system_start(void (*then)(int));\n",
    "low/system_linux.c": '#include "low/system.h"\nvoid system_start(void (*then)(int))\n{\n}\n',
    "high/work.h": '#include "low/base.h"\n',
    "high/work.c": '#include "api.h"\n#include "high/work.h"\n#include "printed_gen.h"\n'
    "EXPORT int api_work(void)\n{\n}\nEXPORT void *malloc(int size)\n{\n}\n",
    "tool/main.c": '#include "high/work.h"\nint helper(void)\n{\n}\nint main(void)\n{\n}\n',
}
ROWS = "| `low/` | all |\n| `high/` | a |\n| `tool/` | b |\n"
PAGE = f"# Words\n\n| word | |\n|---|---|\n| a | b |\n\n| folder | |\n|---|---|\n{ROWS}"


def found(*changes: tuple[str, str, str], page: str = PAGE) -> list[str]:
    """The mistakes of the sound files after these changes: path, text, its replacement. Without a text, the
    replacement comes first in the file."""
    texts = dict(SOUND)
    for path, old, new in changes:
        assert old in texts.get(path, "")
        texts[path] = texts.get(path, "").replace(old, new) if old else new + texts.get(path, "")
    return list(c_lint.mistakes(c_folders.Files("src", c_folders.order_in(page), texts)))


def test_sound_files_have_no_mistake() -> None:
    assert c_folders.order_in(PAGE) == ("low", "high", "tool")
    assert found() == []


def test_the_projects_own_files_have_no_mistake() -> None:
    files = c_folders.read(ROOT / "csrc", "csrc")
    assert files.order[:2] == ("os", "debug")
    assert len(files.texts) > 100
    assert list(c_lint.mistakes(files)) == []


def test_no_header_has_the_path_of_a_compilers_own() -> None:
    """The folder of the C files is searched first: `<debug/debug.h>` of libstdc++ would be ours."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("neither g++ nor clang++ is installed")
    headers = [path for path in c_folders.read(ROOT / "csrc", "csrc").texts if path.endswith(".h")]
    text = "".join(f"#if __has_include(<{path}>)\nshadows {path}\n#endif\n" for path in [*headers, "vector"])
    command = [compiler, "-E", "-P", "-x", "c++", "-"]
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=True)
    assert done.stdout.split() == ["shadows", "vector"]


def test_the_order_is_that_of_the_first_table_of_folders() -> None:
    assert c_folders.order_in(f"{PAGE}\n| `other/` | |\n") == ("low", "high", "tool")
    assert c_folders.order_in("no table") == ()


def test_an_include_of_a_lower_folder_is_a_mistake_at_its_line() -> None:
    (mistake,) = found(("low/base.c", "#include <stdio.h>", '#include "high/work.h"'))[:1]
    assert mistake.startswith("src/low/base.c:2:1: error: high/ stands below its own folder")
    assert "high/work.h cannot be included" in mistake


def test_the_order_of_the_table_decides() -> None:
    rows = PAGE.splitlines()
    page = "\n".join([*rows[:-3], rows[-2], rows[-3], rows[-1], ""])
    assert [one.split(": ")[0] for one in found(page=page)] == ["src/high/work.h:1:1"]


def test_a_folder_that_the_table_lacks_is_a_mistake() -> None:
    (mistake,) = found(("new/a.h", "", "int a;\n"))
    assert mistake.startswith(
        "src/new/a.h:1:1: error: the table in README.md has no row for its folder; it has low/,"
    )
    assert found(("loose.c", "", "static int a;\n"))[0].startswith("src/loose.c:1:1: error: the table")


def test_a_page_without_an_order_is_a_mistake() -> None:
    assert found(page="# Nothing\n")[0].startswith("src/README.md:1:1: error: no row of a table")


def test_a_circle_within_a_folder_is_a_mistake_at_each_of_its_includes() -> None:
    """base.c -> system.h, and system_linux.c -> base.h: the C files close the circle, no header does."""
    mistakes = found(
        ("low/base.c", "#include <stdio.h>", '#include "low/system.h"'),
        ("low/system_linux.c", "", '#include "low/base.h"\n'),
    )
    assert [one.split(" error: ")[0] for one in mistakes] == [
        "src/low/base.c:2:1:",
        "src/low/system_linux.c:1:1:",
    ]
    assert mistakes[0].endswith("is in a circle of includes with this file: low/base, low/system")


@pytest.mark.parametrize(
    ("path", "old", "new", "what"),
    [
        (
            "low/base.h",
            "int base_count(int of);\n",
            "",
            "'base_count' is to be declared in low/base.h, or static: no",
        ),
        (
            "low/base.c",
            "static int own",
            "int own",
            "'own' is to be declared in low/base.h, or static: no header",
        ),
        (
            "low/system.h",
            "system_start",
            "other",
            "'system_start' is to be declared in low/system.h, or static",
        ),
        ("high/work.c", "EXPORT int api_work", "int api_work", "'api_work' is to be declared in high/work.h"),
        (
            "high/work.c",
            "EXPORT void *malloc",
            "void *malloc",
            "'malloc' is to be declared in high/work.h, or static",
        ),
        (
            "high/work.c",
            "EXPORT int api",
            "int base_count(int of);\nEXPORT int api",
            "'base_count' is defined in low/",
        ),
    ],
)
def test_a_function_that_is_not_in_its_own_header_is_a_mistake(
    path: str, old: str, new: str, what: str
) -> None:
    (mistake,) = found((path, old, new))
    assert what in mistake


def test_a_function_declared_in_another_files_header_is_a_mistake() -> None:
    mistakes = found(
        ("low/base.h", "int base_count(int of);\n", ""),
        ("low/system.h", "", "int base_count(int of);\n"),
    )
    (mistake,) = mistakes
    assert mistake.startswith("src/low/base.c:7:1: error: 'base_count' is to be declared in low/base.h, or ")
    assert mistake.endswith("it is declared in low/system.h")


def test_the_command_prints_mistakes_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "README.md").write_text(PAGE, encoding="utf-8")
    for path, text in SOUND.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    assert c_lint.main([str(tmp_path)]) == 0
    assert "8 files in 5 units, no circle: low <- high <- tool" in capsys.readouterr().out
    (tmp_path / "low/base.c").write_text('#include "tool/x.h"\n#include "high/work.h"\n', encoding="utf-8")
    assert c_lint.main([str(tmp_path)]) == 1
    assert "low/base.c:2:1: error: high/ stands below" in capsys.readouterr().out


def test_a_comment_without_an_end_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "README.md").write_text(PAGE, encoding="utf-8")
    (tmp_path / "low").mkdir()
    (tmp_path / "low/base.c").write_text("/* no end\n", encoding="utf-8")
    assert c_lint.main([str(tmp_path)]) == 1
    assert "low/base.c:1:1: error: this comment has no end" in capsys.readouterr().out
