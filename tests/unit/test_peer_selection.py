"""The loads and libraries that `loads=`, `libraries=` and `peer=` select, and the words that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from layermatrix.build.request import RequestError
from layermatrix.measure import peer_selection
from layermatrix.measure.peer_selection import PeerSelection
from layermatrix.model.measuring import Floor, Group, Peer, PeerLoad, Peers


def load(name: str, group: str) -> PeerLoad:
    return PeerLoad(name, "A load.", "bench", ("--ops", "10"), group=group)


LOADS = {
    name: load(name, group)
    for name, group in {"swap": "small", "swap_late": "small", "huge": "large", "two": "threads"}.items()
}
PEERS = Peers(
    ("mine",),
    {
        "fast": Peer("fast", "libfast.so.1", "libfast1"),
        "faster": Peer("faster", "libfaster.so.1", "libfaster1"),
        "safe": Peer("safe", "libsafe.so.1", "libsafe1", variants=("careful*",)),
    },
    LOADS,
    Floor("floor.c", "A reference."),
    groups={name: Group(name, "Loads.") for name in ("small", "large", "threads")},
    default=("large", "swap"),
)


def chosen(variant: str = "mine", **given: str) -> PeerSelection:
    return peer_selection.of_request(PEERS, [variant], "system", Path("/nowhere"), **given)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["swap", "huge"]),
        ("two,huge", ["huge", "two"]),
        ("small", ["swap", "swap_late"]),
        ("sw*", ["swap", "swap_late"]),
        (" large , *_late,huge", ["swap_late", "huge"]),
        ("all", ["swap", "swap_late", "huge", "two"]),
    ],
)
def test_loads_are_named_by_names_groups_and_patterns_in_the_order_of_the_spec(
    text: str, names: list[str]
) -> None:
    assert [one.name for one in chosen(loads=text).loads] == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["fast", "faster", "floor"]),
        ("fast", ["fast"]),
        ("fast*,floor", ["fast", "faster", "floor"]),
        ("safe", ["safe"]),
        ("all", ["fast", "faster", "safe", "floor"]),
    ],
)
def test_libraries_are_named_by_names_and_patterns(text: str, names: list[str]) -> None:
    assert chosen(libraries=text).libraries == names


def test_a_library_for_some_variants_is_timed_beside_those_alone() -> None:
    assert "safe" in chosen("careful_2").libraries
    assert "safe" not in chosen("mine").libraries


def test_any_library_is_one_more_peer(tmp_path: Path) -> None:
    paths = [tmp_path / "a,b.so", tmp_path / "c.so"]
    for path in paths:
        path.write_bytes(b"")
    added = f"one:{paths[0]},two:c.so"
    found = peer_selection.of_request(PEERS, ["mine"], "system", tmp_path, added=added)
    assert found.added == {"one": paths[0], "two": paths[1]}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"loads": "swpa"}, "loads=swpa: unknown load 'swpa'; did you mean 'swap'?"),
        ({"loads": "smal"}, "loads=smal: unknown load 'smal'; did you mean 'small'?"),
        ({"loads": "swap,zz*"}, "loads=swap,zz*: unknown load 'zz*'"),
        ({"loads": ","}, "loads=,: expected names, patterns, or all"),
        ({"libraries": "fats"}, "libraries=fats: unknown library 'fats'; did you mean 'fast'?"),
        ({"added": "libmine.so"}, "peer=libmine.so: expected a name and a path, such as mine:/usr/lib/"),
        ({"added": "one:/nowhere/x.so"}, "peer=one:/nowhere/x.so: there is no file /nowhere/x.so"),
        ({"added": "mine:/x.so"}, "peer=mine:/x.so: 'mine' is the name of another that is timed"),
        ({"added": "fast:/x.so"}, "peer=fast:/x.so: 'fast' is the name of another that is timed"),
        ({"added": "system:/x.so"}, "peer=system:/x.so: 'system' is the name of another that is timed"),
    ],
)
def test_what_there_is_not_is_refused_with_a_way_out(given: dict[str, str], message: str) -> None:
    with pytest.raises(RequestError) as refused:
        chosen("mine", **given)
    assert str(refused.value).startswith(message)
