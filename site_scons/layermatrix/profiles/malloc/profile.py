"""The profile of allocators: its terms, roles, settings and storages, and its rules for variants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from layermatrix.core.kinds import Misfit
from layermatrix.model.catalogue import Setting, Unit
from layermatrix.model.layers import Key, Role, Storage
from layermatrix.model.measuring import Link
from layermatrix.profiles.base import Objection, Profile
from layermatrix.profiles.malloc import sizes

MARKED = 16  # bytes of the smallest block that can hold a link and a mark
PACKED_MOST = 255  # blocks of a packed list: its count is one byte
LINK = {"size": 8}  # a free block has room for a link

ROLES = (
    Role("cache", "Holds free blocks of the calling thread; may refuse a block.", "required"),
    Role("overflow", "Holds the blocks that do not fit into the caches.", "required"),
    Role("refill", "Fetches blocks from the backend.", "none"),
)
SETTINGS = (
    Setting("min_align", "The alignment of every block, in bytes.", (8, 16), 16),
    Setting("checks", "The checks of a freed block.", ("none", "basic", "full"), "basic"),
    Setting(
        "tls",
        "The TLS access model; with global_dynamic, programs can load the library with dlopen.",
        ("initial_exec", "global_dynamic"),
        "initial_exec",
    ),
)
STORAGES = (
    Storage("array_stack", "An array of pointers; last in, first out."),
    Storage("ring", "A ring of pointers; first in, first out.", shape="power_of_two"),
    Storage("magazine", "A pair of magazines.", shape="even"),
    Storage("linked_list", "Blocks linked through their first word.", ("capacity", "bytes"), needs=LINK),
    Storage(
        "packed_list",
        "A linked list whose head word also holds the number of blocks.",
        ("capacity", "bytes"),
        most=PACKED_MOST,
        needs=LINK,
    ),
)


@dataclass(frozen=True)
class Malloc(Profile):
    """Keys are called classes, and have a size in bytes. Benchmarks call malloc and free, which the system
    has as well, so a library is preloaded into them."""

    def misfits(self, keys: Sequence[Key]) -> Iterator[tuple[str, Misfit]]:
        return sizes.misfits(keys)

    def objections(self, keys: Sequence[Key], settings: Mapping[str, str | int]) -> Iterator[Objection]:
        align = int(settings["min_align"])
        if not sizes.aligned(keys, align):
            what = f"no class size is a multiple of 'min_align' ({align} bytes)"
            yield Objection(("min_align",), what)
        elif align < MARKED and settings["checks"] != "none":
            what = f"checks mark free blocks in their second word, so they need 'min_align: {MARKED}'"
            yield Objection(("checks", "min_align"), what, "or set 'checks: none'")

    def extra(self, keys: Sequence[Key], settings: Mapping[str, str | int]) -> Mapping[str, Any]:
        return sizes.lookup(keys, int(settings["min_align"]))

    def key_columns(
        self, keys: Sequence[Key], settings: Mapping[str, str | int]
    ) -> Mapping[str, Sequence[str]]:
        served = sizes.requests(keys, int(settings["min_align"]))
        return {"bytes": [str(key["size"]) for key in keys], "serves requests of": list(served.values())}


MALLOC = Malloc(
    name="malloc",
    words={"keys": "classes", "without_sanitizer": "interpose"},  # sanitizers define malloc, too
    key="class",
    stored="blocks",
    supply="takes blocks from",
    path="The path of an allocation; a free takes the same path: the first layer with room stores the block",
    roles={role.name: role for role in ROLES},
    settings={setting.name: setting for setting in SETTINGS},
    storages={storage.name: storage for storage in STORAGES},
    unit=Unit("op", "Mops/s"),
    link=Link.PRELOADED,
)
