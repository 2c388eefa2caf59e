"""Peers: the libraries that are found, those that are left out and why, and their record and table."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import report_samples
import toy_specs

from layermatrix.core.records import NotMeasured
from layermatrix.evidence.bench import Bench, Timing, Verdict
from layermatrix.evidence.columns import FigureKind
from layermatrix.measure import libraries, peer_results, peers
from layermatrix.measure.libraries import SearchPaths
from layermatrix.measure.peer_results import FloorAbout, PeerResults
from layermatrix.measure.peers import Lineup
from layermatrix.model.catalogue import Better, Unit
from layermatrix.model.measuring import Floor, FoundIn, Peer, PeerLoad, Peers, Scale
from layermatrix.report import html, markdown, peer_tables, terminal
from layermatrix.spec.loader import load_project

UNIT = Unit("op", "Mops/s")
LOAD = PeerLoad("swap", "swaps", "bench_swap", ("--ops", "10"))
FAST = Peer("fast", "libfast.so.1", "libfast1")
GONE = Peer("gone", "libgone.so.2", "libgone2")
TWO = Peers(("mine",), {"fast": FAST, "gone": GONE}, {"swap": LOAD})
FLOOR = Floor("src/bench/floor_pool.c", "reference, none to use")
WITH_FLOOR = Peers(("mine",), {"fast": FAST}, {"swap": LOAD}, FLOOR)


def test_a_peer_is_found_where_the_loader_has_it_and_nowhere_else(tmp_path: Path) -> None:
    library = tmp_path / "libfast.so.1"
    library.write_bytes(b"")
    where = SearchPaths(
        f"2 libs found\n\tlibfast.so.10 (libc6) => /nowhere\n\tlibfast.so.1 (libc6,x86-64) => {library}\n",
        python=(tmp_path,),
        clang=(tmp_path,),
    )
    assert libraries.find(FAST, where) == library
    assert libraries.find(GONE, where) is None
    library.unlink()  # the loader's cache is out of date
    assert libraries.find(FAST, where) is None


@pytest.mark.parametrize(
    ("found_in", "file", "source"),
    [(FoundIn.PYTHON, "prefix/lib/libfast.so.1", "PyPI"), (FoundIn.CLANG, "libfast-x86_64.so", "Debian")],
)
def test_a_peer_is_found_among_the_packages_of_python_and_the_libraries_of_clang(
    tmp_path: Path, found_in: FoundIn, file: str, source: str
) -> None:
    own = tmp_path / found_in.value
    library = own / file
    library.parent.mkdir(parents=True)
    library.write_bytes(b"")
    where = SearchPaths(python=(tmp_path / "none", tmp_path / "python"), clang=(tmp_path / "clang",))
    peer = Peer("fast", file, "fast-1", found_in)
    assert libraries.find(peer, where) == library
    library.unlink()
    assert libraries.find(peer, where) is None
    assert libraries.missing(peer) == f"{file} is not installed ({source}: fast-1)"


def test_this_machine_tells_where_its_libraries_are() -> None:
    where = libraries.search_paths()
    assert any((folder / "pytest").is_dir() for folder in where.python)
    assert "libc.so.6" in where.listing


def series(**speeds: list[float]) -> dict[str, Bench | NotMeasured]:
    return {
        name.replace("_", " "): Bench(loads={"swap": timing(found)}, rounds=len(found))
        for name, found in speeds.items()
    }


def timing(speeds: list[float]) -> Timing:
    ordered = sorted(speeds)
    middle = ordered[len(ordered) // 2]
    return Timing("Mops/s", tuple(speeds), middle, ordered[0], ordered[-1], "95 %", 1000)


def results_of(
    peers_spec: Peers, timed: dict[str, Bench | NotMeasured], unit: Unit = UNIT, **missing: str
) -> PeerResults:
    others = {name: Path(name) for name in timed if name not in ("system malloc", "mine")}
    loads = [*peers_spec.loads.values()]
    lineup = Lineup(loads, "system malloc", others, {"mine": Path("mine")}, missing)
    return peers.results_of(peers_spec, unit, lineup, timed)


def test_each_of_ours_is_set_beside_the_best_of_the_others_of_each_load() -> None:
    timed = series(system_malloc=[10.0] * 6, fast=[20.0] * 6, mine=[25.0] * 6)
    found = results_of(TWO, timed, gone="is not installed")
    swap = found.loads["swap"]
    assert swap.best == "fast"
    assert swap.against_best["mine"].median == pytest.approx(1.25)
    assert swap.command == "bench_swap --ops 10"


def test_the_table_shows_every_library_and_names_the_missing_ones() -> None:
    timed = series(system_malloc=[10.0] * 6, fast=[20.0] * 6, mine=[25.0] * 6)
    found = results_of(TWO, timed, gone="it is not installed")
    shown = peer_tables.loads_table(found)
    assert [heading.head for heading in shown.headings] == [
        "load",
        "system malloc",
        "fast",
        "mine",
        "mine to",
    ]
    assert [[figure.text for figure in row] for row in shown.rows] == [
        ["swap", "10.0", "20.0", "25.0", "1.25x"],
        ["share of the best", "0.50", "1.00", "1.25", ""],
        ["peak, KiB", "1,000", "1,000", "1,000", ""],
    ]
    assert "gone: not measured: it is not installed" in shown.notes


def with_floor(**speeds: list[float]) -> PeerResults:
    """The record of a run that includes the floor."""
    timed = series(system_malloc=[10.0] * 6, fast=[20.0] * 6, **speeds)
    return results_of(WITH_FLOOR, timed)


def test_the_floor_is_never_the_best_and_each_of_ours_is_set_beside_it_too() -> None:
    found = with_floor(floor=[40.0, 50.0, 50.0, 50.0, 50.0, 40.0], mine=[25.0] * 6)
    swap = found.loads["swap"]
    assert swap.best == "fast"
    assert swap.against_best["mine"].median == pytest.approx(1.25)
    ratio = swap.against_floor["mine"]
    assert (ratio.median, ratio.low, ratio.high) == pytest.approx((0.5, 0.5, 0.625))
    assert ratio.verdict is Verdict.SLOWER
    assert (found.rivals, found.floor) == (
        ("fast",),
        FloorAbout("src/bench/floor_pool.c", "reference, none to use"),
    )


def test_where_the_floor_broke_down_there_is_no_ratio_to_it_and_the_others_stay() -> None:
    timed = series(system_malloc=[10.0], fast=[20.0], mine=[25.0])
    timed["floor"] = NotMeasured("it crashed")
    found = results_of(WITH_FLOOR, timed)
    assert found.loads["swap"].against_floor == {}
    shown = peer_tables.loads_table(found)
    assert [figure.text for figure in shown.rows[0][-2:]] == ["1.25x", "-"]
    assert shown.reasons() == ["it crashed"]


def test_the_table_has_the_floor_in_a_column_of_its_own_and_describes_it() -> None:
    shown = peer_tables.loads_table(with_floor(floor=[50.0] * 6, mine=[25.0] * 6))
    heads = [(heading.head, heading.unit) for heading in shown.headings]
    assert heads[2:] == [
        ("fast", "Mops/s"),
        ("floor", "Mops/s, reference"),
        ("mine", "Mops/s"),
        ("mine to", "the best other"),
        ("mine to", "the floor"),
    ]
    assert [figure.text for figure in shown.rows[0][3:]] == ["50.0", "25.0", "1.25x", "0.50x"]
    assert [figure.note for figure in shown.rows[0][5:]] == ["1.25-1.25", "0.50-0.50"]
    assert shown.rows[0][3].kind is FigureKind.ASIDE
    assert shown.notes[0] == "floor: reference, none to use (src/bench/floor_pool.c)"


def test_every_report_shows_the_floor_and_what_it_is() -> None:
    found = with_floor(floor=[50.0] * 6, mine=[25.0] * 6)
    results = replace(report_samples.phases(), peers=found)
    console = terminal.make_console(plain := io.StringIO())
    terminal.peers(found, console, peer_results.FILE)
    for text in (plain.getvalue(), html.render(results), markdown.render(results)):
        assert "the floor" in text
        assert "reference, none to use" in text


def test_where_less_is_better_the_best_is_the_one_with_the_least() -> None:
    timed = series(system_malloc=[10.0] * 6, fast=[20.0] * 6, mine=[5.0] * 6)
    less = Unit("op", "ns/op", Better.LOWER)
    found = results_of(TWO, timed, less)
    swap = found.loads["swap"]
    assert swap.best == "system malloc"
    ratio = swap.against_best["mine"]
    assert (ratio.median, ratio.low, ratio.high) == pytest.approx((2, 2, 2))
    assert ratio.verdict is Verdict.FASTER


def test_a_load_that_no_library_could_run_has_no_best() -> None:
    crashed = NotMeasured("it crashed")
    timed: dict[str, Bench | NotMeasured] = {"system malloc": crashed, "mine": crashed}
    found = results_of(TWO, timed)
    assert found.loads["swap"].best is None
    assert peer_tables.loads_table(found).reasons() == ["it crashed"]


def test_where_nothing_was_timed_the_reason_names_the_command(tmp_path: Path) -> None:
    found = peers.load(tmp_path)
    assert isinstance(found, NotMeasured)
    assert "./sconsw peers" in found.reason


def test_what_was_found_is_read_again(tmp_path: Path) -> None:
    found = with_floor(floor=[50.0] * 6, mine=[25.0] * 6)
    peer_results.FORMAT.write(tmp_path / peer_results.FILE, found)
    assert peers.load(tmp_path) == found


PEERS = """
peers:
  variants: [base]
  libraries: {{fast: {{file: {file}, package: libfast1}}}}
  loads: {{swap: {{doc: Swaps., program: bench, args: [--ops, 10]}}}}
"""


def test_the_spec_names_the_peers(project: Any) -> None:
    root = project(matrix=toy_specs.MATRIX + PEERS.format(file="libfast.so.1"))
    found = load_project(root).matrix.peers
    assert found == Peers(
        ("base",), {"fast": FAST}, {"swap": PeerLoad("swap", "Swaps.", "bench", ("--ops", "10"))}
    )


def test_a_file_that_is_no_shared_library_is_a_mistake(mistakes: Any) -> None:
    (message,) = mistakes(matrix=toy_specs.MATRIX + PEERS.format(file="/lib/libfast.a"))
    assert "'file' must be the name of a shared library, such as libm.so.6, not '/lib/libfast.a'" in message


def test_a_variant_that_there_is_not_is_a_mistake(mistakes: Any) -> None:
    text = toy_specs.MATRIX + PEERS.format(file="libfast.so.1").replace("[base]", "[bsae]")
    (message,) = mistakes(matrix=text)
    assert message.endswith("error: unknown variant 'bsae'; did you mean 'base'?")


FLOOR_LINE = "  floor: {source: src/floor_pool.c, doc: A reference.}\n"


def peers_text(more: str = "", library: str = "fast") -> str:
    """A matrix with peers, followed by these lines."""
    text = PEERS.format(file="libfast.so.1").replace("fast:", f"{library}:")
    return toy_specs.MATRIX + text + more


def test_the_spec_names_the_floor(project: Any) -> None:
    found = load_project(project(matrix=peers_text(FLOOR_LINE))).matrix.peers
    assert found is not None
    assert found.floor == Floor("src/floor_pool.c", "A reference.")
    assert peers.floor_library(found.floor) == Path("build/baseline/bin/floor_pool.so")


@pytest.mark.parametrize(
    ("floor", "output"),
    [
        ("{source: floor.so, doc: A.}", "22:19: error: 'source' must be the path of a C file, such as"),
        ("{source: ../floor.c, doc: A.}", "22:19: error: 'source' must be the path of a C file, such as"),
        ("{source: floor.c}", "22:3: error: 'floor' has no 'doc'"),
        ("{source: floor.c, dok: A.}", "22:28: error: unknown key 'dok' in 'floor'; did you mean 'doc'?"),
        ("floor.c", "22:10: error: 'floor' must be a mapping, not 'floor.c'"),
    ],
)
def test_a_mistake_about_the_floor_is_reported_with_its_place(mistakes: Any, floor: str, output: str) -> None:
    (message,) = mistakes(matrix=peers_text(f"  floor: {floor}\n"))
    assert message.startswith(f"variants/matrix.yaml:{output}")


def test_two_who_are_timed_cannot_have_one_name(mistakes: Any) -> None:
    (message,) = mistakes(matrix=peers_text(library="floor"))
    assert message.endswith(
        "error: the name of a library cannot be 'floor': that is a key beside 'libraries'"
    )
    (message,) = mistakes(matrix=peers_text(library="base"))
    assert message.endswith("error: 'base' is the name of a variant, too")
    (message,) = mistakes(matrix=peers_text(FLOOR_LINE), floor=toy_specs.BASE)
    assert message.endswith("error: 'floor' is the name of a variant, too")


GROUPS = """
peers:
  variants: [base]
  libraries: {fast: {file: libfast.so.1, package: libfast1}}
  groups: {small: {doc: Little ones.}, several: {doc: Of threads., parallel: on}}
  default: [small]
  quiet: [--after-ms, 1000]
  quiet_seconds: 1
  loads:
    swap: {doc: Swaps., program: bench, args: [--ops, 10], group: small, seconds: 0.5}
    two: {doc: Swaps twice., program: bench, args: [--ops, 10], group: several, seconds: 2}
"""


def grouped(old: str = "", new: str = "") -> str:
    """A matrix with groups of loads, with one text replaced."""
    assert old in GROUPS
    return toy_specs.MATRIX + GROUPS.replace(old, new, 1)


def test_the_spec_has_groups_of_loads_and_a_default(project: Any) -> None:
    found = load_project(project(matrix=grouped())).matrix.peers
    assert found is not None
    assert [load.name for load in found.by_default] == ["swap"]
    assert [found.is_parallel(load) for load in found.loads.values()] == [False, True]
    assert (found.quiet, found.loads["two"].seconds) == (("--after-ms", "1000"), 2.0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("group: small", "group: smal", "unknown group 'smal'; did you mean 'small'?"),
        (", group: several", "", "load 'two' has no 'group'; known: small, several"),
        ("[small]", "[smal]", "unknown load 'smal'; did you mean 'small'?"),
        ("group: several", "group: small", "no load is of the group 'several'"),
        ("swap: {", "small: {", "'small' is the name of a load, too"),
        ("swap: {", "all: {", "the name of a load cannot be 'all': that is the word for all of them"),
        ("package:", "found_in: attic, package:", "'found_in' must be one of loader, python, clang"),
        ("file: lib", "file: lib/lib", "'file' has a folder, which only 'found_in: python' takes"),
        ("package:", "variants: [bsae], package:", "unknown variant 'bsae'; did you mean 'base'?"),
        ("0.5", "soon", "'seconds' must be a number from 0 to 3600"),
        ("0.5", "0.5, link: inlined", "'link' must be preloaded: one program runs with every library"),
    ],
)
def test_a_mistake_about_groups_and_libraries_is_reported(
    mistakes: Any, old: str, new: str, message: str
) -> None:
    (line,) = mistakes(matrix=grouped(old, new))
    assert message in line


def test_loads_of_a_family_have_their_places_in_it(project: Any, mistakes: Any) -> None:
    text = grouped("seconds: 0.5", "scale: {family: live blocks, at: 100}")
    found = load_project(project(matrix=text)).matrix.peers
    assert found is not None
    assert found.loads["swap"].scale == Scale("live blocks", 100)
    assert found.loads["two"].scale is None
    both = text.replace("seconds: 2", "scale: {family: live blocks, at: 100}")
    (line,) = mistakes(matrix=both)
    assert "load 'swap' is at 100 of 'live blocks', too" in line
    (line,) = mistakes(matrix=text.replace("at: 100", "at: none"))
    assert "'at' must be a whole number" in line


def test_how_long_it_takes_is_known_from_the_seconds_of_the_loads(project: Any) -> None:
    found = load_project(project(matrix=grouped())).matrix.peers
    assert found is not None
    lineup = Lineup([*found.loads.values()], "system", {"fast": Path("x")}, {"base": Path("y")}, {})
    assert peers.expected_seconds(found, lineup, 3) == 3 * (4 * 2.5 + 2 * 1)  # names, runs, quiet ones
    unknown = replace(found.loads["swap"], seconds=0.0)
    assert peers.expected_seconds(found, replace(lineup, loads=[unknown]), 3) is None


def test_the_floor_is_timed_with_its_own_loads_alone() -> None:
    other = PeerLoad("other", "others", "bench_swap", ("--ops", "10"))
    floor = replace(FLOOR, loads=("swap",))
    both = replace(WITH_FLOOR, loads={"swap": LOAD, "other": other}, floor=floor)
    lineup = Lineup([LOAD, other], "system malloc", {"floor": Path("f")}, {"mine": Path("m")}, {})
    assert [load.name for load in lineup.loads_of("floor", both)] == ["swap"]
    assert [load.name for load in lineup.loads_of("mine", both)] == ["swap", "other"]
    timed = series(system_malloc=[10.0], floor=[20.0], mine=[25.0])
    found = peers.results_of(both, UNIT, lineup, timed)
    assert "floor" not in found.loads["other"].figures
    assert peer_tables.loads_table(found).rows[3][2].text == "-"
