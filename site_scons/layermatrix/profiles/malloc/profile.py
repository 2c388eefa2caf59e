"""The profile of allocators: its words, roles, settings and storages, and what it asks of a variant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from layermatrix.core.kinds import Misfit
from layermatrix.model.catalogue import Setting, Unit
from layermatrix.model.layers import NO_STORAGE, Key, Layer, Role, Storage
from layermatrix.profiles.base import Objection, Profile
from layermatrix.profiles.malloc import sizes

PACKED = "packed_list"  # whose lists begin small and widen, where requests meet them first
MARKED = 16  # bytes of the smallest block that has room for a link and a mark
PACKED_MOST = 255  # blocks of a list whose room is a byte
LINK = {"size": 8}  # a free block has room for a link

ROLES = (
    Role("cache", "Keeps blocks of the calling thread; may refuse one.", "required"),
    Role("overflow", "Keeps what the caches have no room for.", "required"),
    Role("refill", "Fetches blocks from the backend.", "none"),
)
SETTINGS = (
    Setting("min_align", "Bytes to which every block is aligned.", (8, 16), 16),
    Setting("checks", "What is checked of a block that is freed.", ("none", "basic", "full"), "basic"),
    Setting(
        "tls",
        "How thread-local state is reached: global_dynamic lets programs load the library late.",
        ("initial_exec", "global_dynamic"),
        "initial_exec",
    ),
)
STORAGES = (
    Storage("array_stack", "Pointers, last in, first out."),
    Storage("ring", "Pointers, first in, first out.", shape="power_of_two"),
    Storage("magazine", "A pair of magazines.", shape="even"),
    Storage("linked_list", "Blocks linked through their first word.", ("capacity", "bytes"), needs=LINK),
    Storage(
        PACKED,
        "The same, counted in the word that holds the list.",
        ("capacity", "bytes"),
        most=PACKED_MOST,
        needs=LINK,
    ),
)


@dataclass(frozen=True)
class Malloc(Profile):
    """Keys are called classes, and have a size in bytes."""

    def misfits(self, keys: Sequence[Key]) -> Iterator[tuple[str, Misfit]]:
        return sizes.misfits(keys)

    def objections(self, keys: Sequence[Key], settings: Mapping[str, str | int]) -> Iterator[Objection]:
        align = int(settings["min_align"])
        if not sizes.aligned(keys, align):
            what = f"no class has a size that is a multiple of 'min_align', {align}"
            yield Objection(("min_align",), what)
        elif align < MARKED and settings["checks"] != "none":
            what = f"checks mark free blocks in their second word, so they need 'min_align', {MARKED}"
            yield Objection(("checks", "min_align"), what, "or set 'checks: none'")

    def extra(
        self, keys: Sequence[Key], settings: Mapping[str, str | int], layers: Sequence[Layer]
    ) -> Mapping[str, Any]:
        first = next((layer for layer in layers if layer.storage != NO_STORAGE), None)
        widens = first if first and settings["fast_path"] == "ultra" and first.storage == PACKED else None
        begin = {layer.name: layer.limits for layer in layers}
        if widens:
            begin[widens.name] = sizes.begin_limits(widens)
        return {
            **sizes.lookup(keys, int(settings["min_align"])),
            "widens": widens.name if widens else "",
            "begin": begin,
        }

    def key_columns(
        self, keys: Sequence[Key], settings: Mapping[str, str | int]
    ) -> Mapping[str, Sequence[str]]:
        served = sizes.requests(keys, int(settings["min_align"]))
        return {"bytes": [str(key["size"]) for key in keys], "serves requests of": list(served.values())}


MALLOC = Malloc(
    name="malloc",
    words={"keys": "classes"},
    key="class",
    stored="blocks",
    supply="takes blocks from",
    path="The path of an allocation; a free goes the same way: the first layer with room takes the block",
    roles={role.name: role for role in ROLES},
    settings={setting.name: setting for setting in SETTINGS},
    storages={storage.name: storage for storage in STORAGES},
    unit=Unit("op", "Mops/s"),
)
