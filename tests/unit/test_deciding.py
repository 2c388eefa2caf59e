"""What `ab`, `bisect`, `ablate` and `tune` accept on the command line, and how they refuse the rest."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import large_store
import pytest
from test_candidates import TUNE
from toy_specs import FILES

from layermatrix.build import request
from layermatrix.build.request import NothingToDoError, RequestError
from layermatrix.build.toolchain import Toolchain
from layermatrix.jobs import ab, ablate, base, bisect, good_commit, registry, search, sides, tune
from layermatrix.jobs.base import Plan
from layermatrix.measure import load_selection
from layermatrix.spec.loader import load_project
from layermatrix.store import database, recording
from layermatrix.store.entries import Measurement

Write = Callable[..., Path]
COMPILERS: request.Compilers = {
    name: Toolchain(name, (name,), f"{name} 12", "x86_64-linux-gnu") for name in ("gcc", "clang")
}
PEERS = """
peers:
  variants: [base]
  libraries: {other: {file: libother.so.9, package: libother9}}
  groups: {small: {doc: Small blocks.}, threads: {doc: Threads., parallel: on}}
  loads:
    mixed: {doc: Some., program: bench, args: [--ops, 99], group: small}
    pairs: {doc: Two., program: bench, args: [--ops, 5], group: threads}
"""
LEAN = "doc: Lean.\nlayers: [list, refill]\n"
WIDE = "doc: Wide.\nextends: lean\n"
AUTHOR = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main")


@pytest.fixture
def root(project: Write) -> Path:
    return project(lean=LEAN, wide=WIDE, old=WIDE, matrix=str(FILES["matrix"]) + PEERS + TUNE)


def plan(root: Path, job: base.Job, *words: str) -> Plan:
    pairs = [(name, value) for name, _, value in (word.partition("=") for word in words)]
    return Plan(root, load_project(root), request.parse(pairs, [job.name], registry.TARGETS), COMPILERS, ())


def then(root: Path, job: base.Job, *words: str) -> str:
    """What the job would do."""
    made = plan(root, job, *words)
    return job.prepare(made).then


def refusal(root: Path, job: base.Job, *words: str) -> str:
    with pytest.raises(RequestError) as refused:
        then(root, job, *words)
    return str(refused.value)


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", *AUTHOR, *words], cwd=root, check=True, capture_output=True)


@pytest.fixture
def history(root: Path) -> Path:
    """The project with three commits; the last one changes only a document."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    git(root, "init", "--quiet")
    for name, text in (("a.c", "int a;\n"), ("a.c", "int b;\n"), ("notes.md", "None.\n")):
        root.joinpath(name).write_text(text, encoding="utf-8")
        git(root, "add", "--all")
        git(root, "commit", "--quiet", "--message", f"change {name}")
    return root


# --- loads


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["mixed"]),
        ("all", ["mixed", "pairs"]),
        ("pa*", ["pairs"]),
        ("small", ["mixed"]),
        ("threads, mixed", ["mixed", "pairs"]),
    ],
)
def test_loads_are_selected_by_name_group_and_pattern(root: Path, text: str, names: list[str]) -> None:
    assert [load.name for load in load_selection.select(load_project(root), text)] == names


def test_a_load_of_both_places_is_that_of_the_matrix(project: Write) -> None:
    both = load_selection.known(load_project(project(matrix=str(FILES["matrix"]) + PEERS)))
    assert (both["mixed"].args, both["mixed"].counted) == (("--ops", "10"), ("--ops", "1"))
    untimed = str(FILES["matrix"]).replace("args: [--ops, 10], ", "").replace(", headline: mixed", "")
    found = load_selection.known(load_project(project(matrix=untimed + PEERS)))
    assert (found["mixed"].args, found["mixed"].counted) == (("--ops", "99"), ("--ops", "1"))


# --- ab


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("a=bas", "b=lean"), "a=bas: unknown variant, cell or library 'bas'; did you mean 'base'?"),
        (("a=base",), "ab compares a= with b=: b= is not set"),
        (("b=base",), "ab compares a= with b=: a= is not set"),
        (("a=base", "b=lean", "load=mixd"), "load=mixd: unknown load 'mixd'; did you mean 'mixed'?"),
        (("a=base", "b=lean", "load=,"), "load=,: expected names, groups, patterns, or all"),
        (("a=base", "b=x:none.so"), "b=x:none.so: there is no file "),
        (("a=base@HEAD", "b=base"), "is not in a git repository, so it has no other commit"),
        (("a=base", "b=lean", "experiment=x"), "leave experiment= out"),
        (("a=base", "b=lean", "variant=base"), "leave variant= and without= out"),
        (("a=base-debug-gcc", "b=lean"), "only native release cells without a sanitizer"),
        (("a=base", "b=lean", "compiler=all"), "it names base-release-gcc, base-release-clang: name one"),
        (("load=mixed",), "an experiment names its own loads"),
        ((), "this project has no variants/experiments.yaml; a=<variant> b=<variant> compares two sides"),
    ],
)
def test_what_ab_cannot_compare_is_refused(root: Path, words: tuple[str, ...], message: str) -> None:
    assert message in refusal(root, ab.JOB, *words)


def test_sides_are_variants_cells_libraries_and_the_baseline(root: Path) -> None:
    root.joinpath("mine.so").write_bytes(b"")
    made = plan(root, ab.JOB)
    cell = sides.find(made, "a", "lean-release-clang").cell
    assert cell
    assert cell.id == "lean-release-clang"
    assert sides.find(made, "a", "mine:mine.so").library == root / "mine.so"
    assert sides.find(made, "a", "system malloc").library is None
    assert sides.find(made, "a", "other").missing == "libother.so.9 is not installed (Debian: libother9)"
    assert [one.name for one in sides.pair(made, "base", "base")] == ["base", "base again"]


def test_a_side_of_another_commit_is_checked_there(history: Path) -> None:
    made = plan(history, ab.JOB)
    found = sides.find(made, "a", "base@HEAD~1")
    assert found.commit
    assert found.cell
    assert found.cell.id == "base-release-gcc"
    (history / "variants/old.yaml").unlink()
    gone = sides.find(plan(history, ab.JOB), "a", "old@HEAD").cell
    assert gone
    assert gone.id == "old-release-gcc"
    for text, message in (
        ("base@HEAD~9", "a=base@HEAD~9: git knows no commit 'HEAD~9'"),
        ("base@mian", "a=base@mian: git knows no commit 'mian'; did you mean 'main'?"),
        ("bas@HEAD", "a=bas@HEAD: HEAD has no variant 'bas'; did you mean 'base'?"),
    ):
        with pytest.raises(RequestError) as refused:
            sides.find(made, "a", text)
        assert message in str(refused.value)


# --- bisect


def test_a_search_names_the_commits_that_touch_the_build(history: Path) -> None:
    words = then(history, bisect.JOB, "good=HEAD~2", "variant=base")
    assert words.startswith("measure some of 1 commit from HEAD~2 to HEAD, each built in build/base")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("good=HEAD~9",), "good=HEAD~9: git knows no commit 'HEAD~9'"),
        (("good=HEAD", "bad=HEAD~1"), "good=HEAD is not in the history of bad=HEAD~1: exchange them"),
        (("good=HEAD~1", "compiler=all"), "bisect follows one native release cell, not base-release-gcc, "),
        (("good=HEAD~1",), "no commit after HEAD~1 up to HEAD touched files of the build"),
        (("good=HEAD", "bad=HEAD"), "no commit after HEAD up to HEAD touched files of the build"),
    ],
)
def test_what_bisect_cannot_search_is_refused(history: Path, words: tuple[str, ...], message: str) -> None:
    assert message in refusal(history, bisect.JOB, "variant=base", *words)


def test_nothing_between_the_ends_is_nothing_to_do(history: Path) -> None:
    with pytest.raises(NothingToDoError):
        then(history, bisect.JOB, "variant=base", "good=HEAD")


def test_without_good_the_search_looks_for_it(history: Path) -> None:
    assert then(history, bisect.JOB, "variant=base") == (
        "look among 1 commit before HEAD for one whose figure differs, and measure some of the commits"
        " between the two, each built in build/base"
    )
    with pytest.raises(NothingToDoError, match="no commit before HEAD~2 touched files of the build"):
        then(history, bisect.JOB, "variant=base", "bad=HEAD~2")


def hashes(root: Path) -> list[str]:
    """All commits, newest first."""
    done = subprocess.run(["git", "rev-list", "HEAD"], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.split()


def test_a_good_commit_is_looked_for_in_the_store_and_then_by_longer_and_longer_steps(
    history: Path, tmp_path: Path
) -> None:
    for number in range(8):
        history.joinpath("a.c").write_text(f"int c{number};\n", encoding="utf-8")
        git(history, "commit", "--quiet", "--all", "--message", f"c{number}")
    bad, *older = hashes(history)  # 7 that touch the build, a document, and 2 more
    wanted = good_commit.Wanted(bad, "base-release-gcc", ("instructions",), ("mixed",))
    store = tmp_path / "results.sqlite"
    stepped = good_commit.candidates(history, store, wanted)
    assert [(one.commit, one.why) for one in stepped] == [
        (older[0], "1 back"), (older[1], "2 back"), (older[3], "4 back"), (older[8], "8 back"),
        (older[9], "9 back"),
    ]  # fmt: skip

    with database.writable(store) as opened:
        for place, value in ((6, 10.0), (5, 10.0), (4, 20.0), (2, 20.0)):
            run = large_store.run(10 - place, older[place])
            figure = large_store.count(value, load="mixed")
            recording.add(opened, run, [Measurement(large_store.subject("base"), (figure,))])
    found = good_commit.candidates(history, store, wanted)
    assert [(one.commit, one.why) for one in found[:2]] == [
        (older[2], "the store has its instructions of mixed"),
        (older[5], "in the store, instructions of mixed changed after it"),
    ]
    assert found[2:] == stepped


# --- ablate


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("with=stak",), "with=: unknown layer 'stak'; did you mean 'stack'?"),
        (("without=stak",), "without=: unknown layer 'stak'; did you mean 'stack'?"),
        (("pairs=many",), "pairs=many: expected all, none, or a count"),
        (("write=2nd",), "write=2nd: the name must be a C identifier"),
        (("write=lean",), "write=lean: variants/lean.yaml exists: choose another name"),
        (("write=matrix",), "write=matrix: variants/matrix.yaml exists: choose another name"),
        (("write=new", "variant=all"), "write= takes the best change of one cell, not of 4 cells"),
    ],
)
def test_what_ablate_cannot_do_is_refused(root: Path, words: tuple[str, ...], message: str) -> None:
    assert message in refusal(root, ablate.JOB, *words)


def test_ablate_says_what_it_would_do(root: Path) -> None:
    words = then(root, ablate.JOB, "variant=base", "rounds=3")
    assert words.startswith("build 1 cell (base-release-gcc) without and with single layers")
    assert "time each in 3 rounds" in words


# --- tune


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("variant=lean",), "tune needs variant=, one whose values may change; known: base"),
        (("metric=misses",), "metric=misses: tune decides by instructions or by speed"),
        (("metric=speed", "rounds=1"), "metric=speed needs rounds=2 or more"),
        (("load=pairs",), "load=pairs: the search has weights for mixed only"),
        (("write=lean",), "write=lean: variants/lean.yaml exists: choose another name"),
    ],
)
def test_what_tune_cannot_search_is_refused(
    root: Path, words: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "check_installed", lambda: None)
    assert message in refusal(root, tune.JOB, *words)


def test_tune_says_what_it_would_do(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "check_installed", lambda: None)
    assert then(root, tune.JOB, "trials=5") == (
        "try values of settings.layout, options.eager, options.batch, capacity.stack, bytes.list, keys_of "
        "for base-release-gcc in 5 trials, by instructions"
    )


def test_a_missing_package_is_named_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(search, "PACKAGE", "no_such_package")
    with pytest.raises(
        RequestError, match=r"which is not installed: .* -m pip install 'layermatrix\[tune\]'"
    ):
        search.check_installed()
    tmp_path.joinpath("sconsw").write_text("", encoding="utf-8")
    with pytest.raises(RequestError, match=r"which is not installed: \./sconsw tune installs it$"):
        search.check_installed()
