"""Compilers are found, queried once, and reported with a hint if they are missing.

The compilers here are shell scripts in a folder, and PATH contains only that folder.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from layermatrix.build import launchers, toolchain
from layermatrix.build.compiler_variables import CompilerVariables
from layermatrix.build.toolchain import (
    Missing,
    Toolchain,
    cxx_missing,
    find_compilers,
    fuzzer_missing,
    sanitizer_missing,
)
from layermatrix.core.errors import SelectionError

ANSWERS = """
case "$*" in
    --version) echo "{name} (Fake) {version}"; echo "more lines" ;;
    -dumpmachine) echo x86_64-fake-linux ;;
    *) {link} ;;
esac
"""
# like a linker: creates the program after -o
LINKS = 'while [ "$1" != -o ]; do shift; done; printf "#!/bin/sh\\n{program}\\n" >"$2"; chmod +x "$2"'

RUNS = LINKS.format(program="exit 0")


class Workshop:
    """A folder of fake compilers, which is the whole PATH, a log of their calls, and a cache file."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        for tool in ("sh", "chmod"):
            self.bin.joinpath(tool).symlink_to(str(shutil.which(tool)))
        self.log = folder / "calls"
        self.cache = folder / "build" / ".toolchain.json"

    def add(self, name: str, script: str) -> Path:
        """Replace or create a command whose calls are logged."""
        draft = self.bin / f".{name}"
        draft.write_text(f'#!/bin/sh\necho "{name} $*" >>{self.log}\n{script}\n')
        draft.chmod(0o755)
        return draft.rename(self.bin / name)

    def add_compiler(self, name: str, version: str = "1.0", link: str = RUNS) -> Path:
        return self.add(name, ANSWERS.format(name=name, version=version, link=link))

    def find(self, *names: str) -> dict[str, Toolchain | Missing]:
        return find_compilers(names, self.cache)

    def found(self, name: str) -> Toolchain:
        answer = self.find(name)[name]
        assert isinstance(answer, Toolchain), answer
        return answer

    def missing(self, name: str) -> str:
        answer = self.find(name)[name]
        assert isinstance(answer, Missing), answer
        return answer.reason

    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    made = Workshop(tmp_path)
    monkeypatch.setenv("PATH", str(made.bin))
    return made


def test_a_compiler_is_its_command_its_version_and_its_target(workshop: Workshop) -> None:
    workshop.add_compiler("gcc", "12.2.0")
    assert workshop.found("gcc") == Toolchain("gcc", ("gcc",), "gcc (Fake) 12.2.0", "x86_64-fake-linux")
    assert workshop.found("gcc").identity == "gcc (Fake) 12.2.0, x86_64-fake-linux"


def test_compilers_come_in_the_order_of_the_request(workshop: Workshop) -> None:
    workshop.add_compiler("gcc")
    assert list(workshop.find("clang", "gcc")) == ["clang", "gcc"]


def test_a_compiler_that_is_not_there_shows_how_to_get_it(workshop: Workshop) -> None:
    assert workshop.missing("clang") == "clang is not installed: apt install clang"


def test_an_unknown_compiler_that_is_not_there_is_missing_too(workshop: Workshop) -> None:
    assert workshop.missing("tcc") == "tcc is not installed"


def test_zig_without_its_package_names_the_command_that_installs_it(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "ziglang is not installed: ./sconsw compiler=zig" in workshop.missing("zig")


def test_a_compiler_that_does_not_run_is_missing_with_its_last_words(workshop: Workshop) -> None:
    workshop.add("gcc", "echo 'gcc: cannot execute cc1' >&2; exit 1")
    assert workshop.missing("gcc") == (
        "gcc is installed but does not run: exit status 1: gcc: cannot execute cc1"
    )


def test_a_compiler_that_prints_nothing_is_missing(workshop: Workshop) -> None:
    workshop.add("gcc", "exit 0")
    assert workshop.missing("gcc") == "gcc is installed but does not run: it prints nothing"


def test_a_compiler_is_run_once_only(workshop: Workshop) -> None:
    workshop.add_compiler("gcc")
    first, calls = workshop.found("gcc"), workshop.calls()
    assert workshop.found("gcc") == first
    assert workshop.calls() == calls == ["gcc --version", "gcc -dumpmachine"]


def test_a_compiler_that_was_replaced_is_run_again(workshop: Workshop) -> None:
    workshop.add_compiler("gcc", "12.2.0")
    workshop.found("gcc")
    workshop.add_compiler("gcc", "13.10.0")
    assert workshop.found("gcc").version == "gcc (Fake) 13.10.0"


def test_a_new_compiler_of_an_unchanged_launcher_is_run_again(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = workshop.add_compiler("gcc", "12.2.0")
    launchers = tmp_path / "launchers"
    launchers.mkdir()
    launcher = launchers / "gcc"
    launcher.write_text(f'#!/bin/sh\nexec {compiler} "$@"\n')
    launcher.chmod(0o755)
    monkeypatch.setenv("PATH", f"{launchers}{os.pathsep}{workshop.bin}")
    assert workshop.found("gcc").version == "gcc (Fake) 12.2.0"
    workshop.add_compiler("gcc", "13.10.0")
    assert workshop.found("gcc").version == "gcc (Fake) 13.10.0"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"gcc": 1}', "\xff"])
def test_a_damaged_cache_is_made_anew(workshop: Workshop, content: str) -> None:
    workshop.add_compiler("gcc")
    workshop.cache.parent.mkdir()
    workshop.cache.write_text(content, encoding="latin-1")
    workshop.found("gcc")
    assert "gcc" in json.loads(workshop.cache.read_text())


def test_a_cache_entry_of_another_release_is_requested_again(workshop: Workshop) -> None:
    workshop.add_compiler("gcc")
    answer = workshop.found("gcc")
    known = json.loads(workshop.cache.read_text())
    del known["gcc"]["triple"]
    workshop.cache.write_text(json.dumps(known))
    assert workshop.found("gcc") == answer


def test_a_cache_that_cannot_be_written_costs_time_only(workshop: Workshop) -> None:
    workshop.add_compiler("gcc")
    workshop.cache.parent.write_text("a file where the folder should be")
    assert workshop.found("gcc").version == "gcc (Fake) 1.0"


def test_the_target_of_zig_is_without_the_version_of_the_running_kernel() -> None:
    answer = "clang version 22.1.8\nTarget: x86_64-unknown-linux6.18.44-gnu2.36.0\nThread model: posix"
    assert toolchain._triple(answer) == "x86_64-unknown-linux-gnu2.36.0"


# --- sanitizers


def test_no_sanitizer_needs_no_compiler_run(workshop: Workshop) -> None:
    workshop.add_compiler("gcc")
    gcc, calls = workshop.found("gcc"), workshop.calls()
    assert sanitizer_missing(gcc, "none", workshop.cache) is None
    assert workshop.calls() == calls


def test_a_sanitizer_that_links_and_runs_is_tried_once_only(workshop: Workshop) -> None:
    workshop.add_compiler("gcc")
    gcc = workshop.found("gcc")
    assert sanitizer_missing(gcc, "asan", workshop.cache) is None
    tried = workshop.calls()
    assert "-fsanitize=address" in tried[-1]
    assert sanitizer_missing(gcc, "asan", workshop.cache) is None
    assert workshop.calls() == tried


def test_each_sanitizer_is_tried_with_its_own_flag(workshop: Workshop) -> None:
    workshop.add_compiler("gcc")
    gcc = workshop.found("gcc")
    for sanitizer, flag in (("ubsan", "undefined"), ("tsan", "thread")):
        assert sanitizer_missing(gcc, sanitizer, workshop.cache) is None
        assert f"-fsanitize={flag}" in workshop.calls()[-1]


def test_a_missing_runtime_is_named_and_looked_for_again_after_it_may_have_been_installed(
    workshop: Workshop,
) -> None:
    workshop.add_compiler("gcc", link="echo 'ld: cannot find libasan.so.8: No such file' >&2; exit 1")
    gcc = workshop.found("gcc")
    expected = "gcc cannot link a program with -fsanitize=address: libasan.so.8 is missing"
    assert sanitizer_missing(gcc, "asan", workshop.cache) == expected
    tried = len(workshop.calls())
    assert sanitizer_missing(gcc, "asan", workshop.cache) == expected
    assert len(workshop.calls()) == tried + 1


def test_a_missing_runtime_of_clang_comes_with_the_package_that_has_it(workshop: Workshop) -> None:
    path = "/usr/lib/clang/14.0.6/lib/linux/libclang_rt.asan-x86_64.a"
    workshop.add_compiler("clang", link=f"echo '/usr/bin/ld: cannot find {path}: No such file' >&2; exit 1")
    clang = Toolchain("clang", ("clang",), "Debian clang version 14.0.6", "x86_64-pc-linux-gnu")
    assert sanitizer_missing(clang, "asan", workshop.cache) == (
        "clang cannot link a program with -fsanitize=address: "
        "libclang_rt.asan-x86_64.a is missing: apt install libclang-rt-14-dev"
    )


def test_a_fuzzer_needs_clang_and_its_runtime(workshop: Workshop) -> None:
    workshop.add_compiler("gcc")
    assert fuzzer_missing(workshop.found("gcc")) == "libFuzzer comes with clang, not with gcc"
    workshop.add_compiler("clang")
    assert fuzzer_missing(workshop.found("clang")) is None
    assert "-fsanitize=fuzzer,address" in workshop.calls()[-1]
    path = "/usr/lib/clang/14.0.6/lib/linux/libclang_rt.fuzzer-x86_64.a"
    workshop.add_compiler("clang", link=f"echo '/usr/bin/ld: cannot find {path}: No such file' >&2; exit 1")
    clang = Toolchain("clang", ("clang",), "Debian clang version 14.0.6", "x86_64-pc-linux-gnu")
    assert fuzzer_missing(clang) == (
        "clang cannot link a program with -fsanitize=fuzzer,address: "
        "libclang_rt.fuzzer-x86_64.a is missing: apt install libclang-rt-14-dev"
    )


def test_a_sanitizer_whose_program_does_not_start_is_missing(workshop: Workshop) -> None:
    dies = "echo 'FATAL: unexpected memory mapping' >&2; exit 66"
    workshop.add_compiler("gcc", link=LINKS.format(program=dies))
    assert sanitizer_missing(workshop.found("gcc"), "tsan", workshop.cache) == (
        "gcc cannot run a program with -fsanitize=thread: exit status 66: FATAL: unexpected memory mapping"
    )


# --- C++


@pytest.mark.parametrize(
    ("command", "cxx"),
    [
        (("gcc",), ("g++",)),
        (("clang",), ("clang++",)),
        (("ccache", "gcc-12"), ("ccache", "g++-12")),
        (("/opt/x/clang-16",), ("/opt/x/clang++-16",)),
        (("aarch64-linux-gnu-gcc",), ("aarch64-linux-gnu-g++",)),
        (("cc",), ("c++",)),
        (("python", "-m", "ziglang", "cc"), ("python", "-m", "ziglang", "c++")),
    ],
)
def test_each_c_compiler_has_its_companion_for_cxx(command: tuple[str, ...], cxx: tuple[str, ...]) -> None:
    assert Toolchain("any", command, "1", "x").cxx == cxx


def test_a_cxx_compiler_that_is_not_there_is_named(workshop: Workshop) -> None:
    workshop.add_compiler("gcc")
    assert cxx_missing(workshop.found("gcc"), workshop.cache) == "no C++ compiler: g++ is not installed"


def test_a_cxx_compiler_that_links_is_tried_once_only(workshop: Workshop) -> None:
    workshop.add_compiler("gcc")
    workshop.add_compiler("g++")
    gcc = workshop.found("gcc")
    assert cxx_missing(gcc, workshop.cache) is None
    tried = workshop.calls()
    assert tried[-1].startswith("g++ -o")
    assert cxx_missing(gcc, workshop.cache) is None
    assert workshop.calls() == tried


def test_a_cxx_compiler_without_its_library_names_what_is_missing_each_time(workshop: Workshop) -> None:
    workshop.add_compiler("clang")
    workshop.add_compiler("clang++", link='echo "fatal error: new: No such file or directory" >&2; exit 1')
    clang = workshop.found("clang")
    message = "no C++ compiler: clang++ cannot link a program: fatal error: new: No such file or directory"
    assert cxx_missing(clang, workshop.cache) == message
    tried = len(workshop.calls())
    assert cxx_missing(clang, workshop.cache) == message
    assert len(workshop.calls()) > tried


# --- the compiler that the user selects


def with_macros(workshop: Workshop, name: str, macros: str) -> None:
    script = ANSWERS.format(name=name, version="12.2.0", link=RUNS)
    workshop.add(name, script.replace("    *)", f"    *-dM*) echo '{macros}' ;;\n    *)"))


def given(workshop: Workshop, *names: str, **texts: str) -> dict[str, Toolchain | Missing]:
    return find_compilers(names, workshop.cache, CompilerVariables(texts))


def test_a_given_compiler_takes_the_place_of_its_family_and_comes_first(workshop: Workshop) -> None:
    workshop.add_compiler("clang")
    with_macros(workshop, "own-cc", "#define __GNUC__ 12")
    found = given(workshop, "clang", "gcc", CC="own-cc", CXX="own-c++", CFLAGS="-O3")
    assert list(found) == ["gcc", "clang"]
    own = found["gcc"]
    assert isinstance(own, Toolchain)
    assert (own.command, own.cxx) == (("own-cc",), ("own-c++",))
    assert own.identity == "own-cc (Fake) 12.2.0, x86_64-fake-linux, CFLAGS=-O3"


def test_a_compiler_that_has_clangs_macros_is_a_clang(workshop: Workshop) -> None:
    with_macros(workshop, "mycc", "#define __clang__ 1 and __GNUC__ 4")
    assert list(given(workshop, CC="mycc")) == ["clang"]


def test_a_given_compiler_is_run_once_only(workshop: Workshop) -> None:
    with_macros(workshop, "mycc", "#define __GNUC__ 4")
    first = given(workshop, CC="mycc")
    calls = workshop.calls()
    assert given(workshop, CC="mycc") == first
    assert workshop.calls() == calls


def test_what_is_neither_a_gcc_nor_a_clang_is_refused(workshop: Workshop) -> None:
    workshop.add_compiler("tcc", "0.9")
    with pytest.raises(
        SelectionError, match=r"CC=tcc: neither gcc nor clang; its version is 'tcc \(Fake\) 0.9'"
    ):
        given(workshop, CC="tcc")


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("gcc,clang", []),
        ("gcc, gcc-12", ["gcc-12"]),
        ("clang-16", ["clang-16"]),
        ("x86_64-linux-gnu-gcc-12", ["x86_64-linux-gnu-gcc-12"]),
        ("gc", []),
        ("gcc*", []),
        ("/usr/bin/gcc", []),
    ],
)
def test_commands_are_distinguished_from_names_and_patterns(text: str, commands: list[str]) -> None:
    assert toolchain.commands(text) == commands


# --- options of the linker


def test_a_linker_is_run_once_for_each_option(workshop: Workshop, tmp_path: Path) -> None:
    workshop.add_compiler("gcc", link='case "$*" in *-Bno*) exit 1 ;; esac')
    gcc = workshop.found("gcc")
    for _ in range(2):
        assert toolchain.links(gcc, "-Wl,-Byes", tmp_path, workshop.cache)
        assert not toolchain.links(gcc, "-Wl,-Bno", tmp_path, workshop.cache)
    assert len([call for call in workshop.calls() if "-shared" in call]) == 2


# --- launchers: programs that start the compiler after them


LAUNCHER = 'exec "$@"'


def started(workshop: Workshop, text: str, *names: str) -> dict[str, Toolchain | Missing]:
    return find_compilers(names, workshop.cache, CompilerVariables({"CC": text}, ("CC",)))


@pytest.fixture
def launching(workshop: Workshop) -> Workshop:
    """A workshop whose gcc also answers which family it is of."""
    workshop.add("gcc", 'case "$*" in *-dM*) echo "#define __GNUC__ 12" ;; esac\n' + GCC)
    return workshop


GCC = ANSWERS.format(name="${0##*/}", version="12.2.0", link=RUNS).replace("    -", "    *-")


@pytest.mark.parametrize("launcher", ["ccache", "sccache", "icecc", "distcc", "wrapper"])
def test_the_compiler_behind_a_launcher_is_the_one_that_is_identified(
    launching: Workshop, launcher: str
) -> None:
    launching.add(launcher, LAUNCHER)
    found = started(launching, f"{launcher} gcc", "gcc", "clang")["gcc"]
    assert isinstance(found, Toolchain)
    assert found.command == (launcher, "gcc")
    assert found.cxx == (launcher, "g++")
    alone = started(launching, "gcc", "gcc")["gcc"]
    assert isinstance(alone, Toolchain)
    assert found.identity == alone.identity == "gcc (Fake) 12.2.0, x86_64-fake-linux"


def test_a_launcher_that_starts_the_compiler_by_a_longer_name_changes_no_identity(
    launching: Workshop,
) -> None:
    launching.bin.joinpath("x86_64-linux-gnu-gcc").symlink_to("gcc")
    launching.add("distcc", 'shift; exec x86_64-linux-gnu-gcc "$@"')
    found = started(launching, "distcc gcc", "gcc")["gcc"]
    assert isinstance(found, Toolchain)
    assert found.version == "gcc (Fake) 12.2.0"


def test_another_compiler_behind_the_same_launcher_has_another_identity(launching: Workshop) -> None:
    launching.add("ccache", LAUNCHER)
    before = started(launching, "ccache gcc", "gcc")["gcc"]
    launching.add("gcc", launching.bin.joinpath("gcc").read_text().replace("12.2.0", "13.1.0"))
    after = started(launching, "ccache gcc", "gcc")["gcc"]
    assert isinstance(before, Toolchain)
    assert isinstance(after, Toolchain)
    assert (before.version, after.version) == ("gcc (Fake) 12.2.0", "gcc (Fake) 13.1.0")


def test_a_launcher_under_the_name_of_a_compiler_is_seen_through(launching: Workshop, tmp_path: Path) -> None:
    """As /usr/lib/ccache/gcc, which is a link to ccache."""
    launching.add("ccache", f'exec {launching.bin / "gcc"} "$@"')
    folder = tmp_path / "lib"
    folder.mkdir()
    folder.joinpath("gcc").symlink_to(launching.bin / "ccache")
    assert started(launching, str(folder / "gcc"), "gcc")["gcc"].name == "gcc"
    launching.add("gcc", launching.bin.joinpath("gcc").read_text().replace("12.2.0", "13.1.0"))
    after = started(launching, str(folder / "gcc"), "gcc")["gcc"]
    assert isinstance(after, Toolchain)
    assert after.version == "gcc (Fake) 13.1.0"


def test_options_of_a_launcher_and_of_the_compiler_need_not_be_programs(launching: Workshop) -> None:
    launching.add("nice", 'shift; shift; exec "$@"')
    found = started(launching, "nice -n 5 gcc -isystem /no/such/folder", "gcc")["gcc"]
    assert isinstance(found, Toolchain)
    assert found.cxx == ("nice", "-n", "5", "g++", "-isystem", "/no/such/folder")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nosuch gcc", "nosuch is not installed; launchers of compilers are ccache, sccache, icecc, distcc"),
        ("sccache gcc", "sccache is not installed: apt install sccache"),
        ("ccache gcc-99", "gcc-99 is not installed"),
        ("ccache clang", "clang is not installed: apt install clang"),
        ("ccache", "ccache starts a compiler: name one after it, such as CC='ccache gcc'"),
        ("says gcc", "the launcher says does not start gcc: its version is 'gcc --version'"),
        ("breaks gcc", "the launcher breaks does not start gcc: exit status 3: no server"),
    ],
)
def test_what_is_wrong_with_a_launcher_is_named(launching: Workshop, text: str, message: str) -> None:
    launching.add("ccache", LAUNCHER)
    launching.add("says", 'echo "$@"')
    launching.add("breaks", "echo no server >&2; exit 3")
    with pytest.raises(SelectionError) as error:
        started(launching, text, "gcc")
    assert str(error.value) == f"CC={text}: {message}"


def test_the_variables_of_launchers_are_passed_on_with_a_launcher_only(tmp_path: Path) -> None:
    wanted = {"CCACHE_DIR": "/c", "DISTCC_HOSTS": "a b", "HOME": "/h"}
    given = {**wanted, "HOMEPAGE": "x", "CCACHED": "x", "CC": "x"}
    assert launchers.variables(("ccache", "gcc"), given) == wanted
    assert launchers.variables(("gcc",), given) == {}
    tmp_path.joinpath("ccache").touch()
    tmp_path.joinpath("gcc").symlink_to(tmp_path / "ccache")
    assert launchers.variables((str(tmp_path / "gcc"),), given) == wanted


@pytest.mark.skipif(shutil.which("ccache") is None, reason="ccache is not installed")
def test_ccache_is_seen_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCACHE_DIR", str(tmp_path / "ccache"))
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    cache = tmp_path / "cache.json"
    found = [
        find_compilers(["gcc"], cache, CompilerVariables({"CC": text}, ("CC",)))["gcc"]
        for text in ("gcc", "ccache gcc")
    ]
    one, other = (answer.identity for answer in found if isinstance(answer, Toolchain))
    assert one == other
