"""The proof that a run used the intended library: with real programs, loaders and paths."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from layermatrix.core import elfloader, file_watch, library_use, process
from layermatrix.core.library_use import NotLoadedError, Ran

LIBRARY = "int answer(void) { return 42; }\n"
SILENT = '#include <stdio.h>\nint main(void) { puts("{\\"ops\\": 1}"); return 0; }\n'
# the program prints the object that contains the function
NAMES_IT = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
int main(void) {
    Dl_info found;
    void *answer = dlsym(RTLD_DEFAULT, "answer");
    if (answer == NULL || dladdr(answer, &found) == 0) found.dli_fname = "/usr/lib/another.so";
    printf("{\"library\": \"%s\"}\n", found.dli_fname);
    return 0;
}
"""
FOLDERS = ("plain", "with space", "with:colon", "with: both", "with$ORIGIN", "with\nline")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """libanswer.so, and programs: silent, naming the object, static, and linked with the library."""
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("neither gcc nor clang is installed")
    folder = tmp_path_factory.mktemp("built")
    for name, text, flags in (
        ("libanswer.so", LIBRARY, ["-shared", "-fPIC"]),
        ("silent", SILENT, []),
        ("names_it", NAMES_IT, ["-ldl"]),
        ("static", SILENT, ["-static"]),
        ("linked", SILENT, ["-Wl,--no-as-needed", f"-L{folder}", "-lanswer", "-Wl,-rpath,$ORIGIN"]),
    ):
        source = folder / f"{name}.c"
        source.write_text(text, encoding="utf-8")
        subprocess.run([compiler, str(source), "-o", str(folder / name), *flags], check=True, timeout=60)
    return folder


def run(library: Path | None, program: Path, *, linked: bool = False, **extra: str) -> process.Finished:
    return library_use.run_with(
        library, [str(program)], run=process.run, timeout=20, linked=linked, extra=extra
    )


def refused(library: Path | None, program: Path, *, linked: bool = False, **extra: str) -> str:
    with pytest.raises(NotLoadedError) as error:
        run(library, program, linked=linked, **extra)
    return str(error.value)


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize("program", ["silent", "names_it"])
def test_a_library_is_preloaded_regardless_of_its_path(
    built: Path, tmp_path: Path, name: str, program: str
) -> None:
    folder = tmp_path / name
    shutil.copytree(built, folder)
    assert run(folder / "libanswer.so", folder / program).failure is None


@pytest.mark.parametrize("name", FOLDERS)
def test_a_linked_library_is_found_regardless_of_its_path(built: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    shutil.copytree(built, folder)
    assert run(folder / "libanswer.so", folder / "linked", linked=True).failure is None


def test_temporary_files_in_a_folder_with_a_space_are_put_elsewhere(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "a folder"
    odd.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(odd))
    run(built / "libanswer.so", built / "silent")
    monkeypatch.setattr(library_use, "FOLDERS", (str(odd),))
    assert "set TMPDIR to a writable folder" in refused(built / "libanswer.so", built / "silent")


def test_what_the_program_names_has_to_be_the_library(built: Path, system_library: Path) -> None:
    message = refused(system_library, built / "names_it")
    assert message == f"names_it used /usr/lib/another.so instead of {system_library}"


def of_another_machine(library: Path) -> bytes:
    content = bytearray(library.read_bytes())
    content[18:20] = (0xB7, 0) if content[18] != 0xB7 else (0x3E, 0)  # e_machine, a different one
    return bytes(content)


@pytest.mark.parametrize("program", ["silent", "names_it"])
def test_a_library_that_the_loader_refuses_is_reported_with_its_reason(
    built: Path, tmp_path: Path, program: str
) -> None:
    library = tmp_path / "libanswer.so"
    library.write_bytes(of_another_machine(built / "libanswer.so"))
    assert f"{library}: the loader reports: " in refused(library, built / program)
    library.write_text("no library", encoding="utf-8")
    assert "the loader reports: " in refused(library, built / program)
    library.unlink()
    assert "the loader reports: cannot open shared object file" in refused(library, built / program)


def test_a_static_program_and_a_script_prove_nothing(built: Path, tmp_path: Path) -> None:
    message = refused(built / "libanswer.so", built / "static")
    assert message == "static is statically linked, and does not name the object it used as 'library'"
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho '{}'\n", encoding="utf-8")
    script.chmod(0o755)
    assert refused(built / "libanswer.so", script).startswith(
        "script is not an ELF program, and does not name"
    )


def test_another_library_of_the_name_is_distinguished_from_the_one_under_test(
    built: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copy(built / "libanswer.so", tmp_path))
    message = refused(built / "libanswer.so", built / "linked", linked=True, LD_LIBRARY_PATH=str(tmp_path))
    assert message == f"linked was run without {built / 'libanswer.so'}; it loaded {other}"


def test_a_linked_program_that_is_not_linked_is_reported(built: Path) -> None:
    message = refused(built / "libanswer.so", built / "silent", linked=True)
    assert message == f"silent was run without {built / 'libanswer.so'}"


def test_a_run_without_a_library_has_nothing_preloaded(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(None, built / "silent")
    assert "LD_PRELOAD=/x.so" in refused(None, built / "silent", LD_PRELOAD="/x.so")
    monkeypatch.setattr(library_use, "FOR_EVERY_PROGRAM", tmp_path / "ld.so.preload")
    (tmp_path / "ld.so.preload").write_text("/lib/x.so\n", encoding="utf-8")
    assert refused(None, built / "silent").endswith("preloads /lib/x.so into every program")


def test_a_program_that_fails_is_the_callers_to_judge(built: Path) -> None:
    finished = run(built / "libanswer.so", built / "none")
    assert finished.status == 127


def test_links_are_gone_after_the_run(built: Path) -> None:
    with library_use.link_to(built / "libanswer.so") as link:
        assert link is not None
        assert link.samefile(built / "libanswer.so")
    assert not link.parent.exists()


def script_with(library: Path, text: str) -> Callable[[], None]:
    """The proof that a script with this text used the library."""

    def prove() -> None:
        with library_use.copy_of(library) as copy:
            extra = {"PRELOAD": str(copy.path)}
            finished = process.run(["sh", "-c", text], environment=process.environment(**extra), timeout=20)
            assert finished.failure is None
            library_use.prove_opened(copy, process.environment(), run=process.run)

    return prove


def test_a_script_has_to_start_a_program_with_the_library(built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a folder: odd"
    shutil.copytree(built, folder)
    library = folder / "libanswer.so"
    script_with(library, 'env LD_PRELOAD="$PRELOAD" true')()
    with pytest.raises(NotLoadedError, match="no program that the script started loaded"):
        script_with(library, "true")()
    library.write_bytes(of_another_machine(library))
    with pytest.raises(NotLoadedError, match="sh was run without"):
        script_with(library, 'env LD_PRELOAD="$PRELOAD" true 2>/dev/null')()


def test_without_inotify_a_script_is_believed_when_the_library_can_be_loaded(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_watch, "_notices_of", lambda file: None)
    script_with(built / "libanswer.so", "true")()


def test_an_open_file_is_noticed_and_only_that(tmp_path: Path) -> None:
    file, other = tmp_path / "file", tmp_path / "other"
    for path in (file, other):
        path.touch()
    with file_watch.watch(file) as was_opened:
        other.read_bytes()
        assert was_opened() is False
        file.read_bytes()
        assert was_opened() is True


def test_the_loader_of_a_file_that_is_cut_off_is_not_known(built: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    for length in (0, 3, 10, 60, 70):
        cut.write_bytes((built / "silent").read_bytes()[:length])
        with pytest.raises(elfloader.NoLoaderError):
            elfloader.of_program(cut)
    with pytest.raises(elfloader.NoLoaderError, match="cannot be read"):
        elfloader.of_program(tmp_path / "none")
    assert Path(elfloader.of_program(built / "silent")).is_file()


def test_relative_paths_are_those_of_the_folder_of_the_run(built: Path, tmp_path: Path) -> None:
    for name, target in (("program", "silent"), ("library.so", "libanswer.so")):
        (tmp_path / name).symlink_to(built / target)
    environment: Mapping[str, str] = {**os.environ, "LD_PRELOAD": "./library.so"}
    ran = Ran(Path("program"), environment, tmp_path)
    library_use.prove(ran, Path("library.so"), run=process.run)
    without = Ran(Path("program"), process.environment(), tmp_path)
    with pytest.raises(NotLoadedError):
        library_use.prove(without, Path("library.so"), run=process.run)
