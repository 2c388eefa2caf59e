"""Traces in the format that docs/measuring.md describes, written without the recorder."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

KINDS = ("malloc", "calloc", "aligned", "realloc", "free")
THREAD = 5
TOTALS = ("events", *KINDS, "requested", "peak_blocks", "peak_bytes", "ignored", "threads", "end")
HEADER = struct.Struct("<8sIIII")
STATE = struct.Struct("<QQ5QQQQQII")
HEADER_BYTES = HEADER.size + 2 * STATE.size

Event = tuple[int, str, int, int, int]  # thread, kind, object, size, exponent of the alignment


def varint(number: int) -> bytes:
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


@dataclass
class Toy:
    """A trace that is written event by event. `totals` may be changed before `content` is read."""

    events: bytearray = field(default_factory=bytearray)
    live: dict[int, int] = field(default_factory=dict)
    objects: int = 0
    before: int = 0
    thread: int = 0
    totals: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TOTALS, 0))

    def add(
        self, kind: str, number: int | None = None, size: int = 0, exponent: int = 0, thread: int = 1
    ) -> int:
        """Add an event; returns its object. number: of the object, for a realloc or a free."""
        if thread != self.thread:
            self.events += bytes([THREAD]) + varint(thread)
            self.thread = thread
        self.events.append(KINDS.index(kind) | exponent << 3)
        if number is None:
            number, self.objects = self.objects, self.objects + 1
        else:
            distance = number - self.before
            self.events += varint(distance * 2 if distance >= 0 else -distance * 2 - 1)
        self.before = number
        if kind == "free":
            self.live.pop(number, None)
        else:
            self.events += varint(size)
            self.live[number] = size
        self._count(kind, size)
        return number

    def _count(self, kind: str, size: int) -> None:
        totals = self.totals
        totals["events"] += 1
        totals[kind] += 1
        totals["requested"] += size
        totals["threads"] = max(totals["threads"], self.thread)
        totals["peak_blocks"] = max(totals["peak_blocks"], len(self.live))
        totals["peak_bytes"] = max(totals["peak_bytes"], sum(self.live.values()))

    def content(self, *, version: int = 1, magic: bytes = b"MALTRACE", current: int = 0) -> bytes:
        state = STATE.pack(len(self.events), *self.totals.values())
        states = b"".join(state if current == index else bytes(STATE.size) for index in (0, 1))
        return HEADER.pack(magic, version, HEADER_BYTES, current, 0) + states + bytes(self.events)


def small() -> Toy:
    """One event of each kind, and a block that stays."""
    toy = Toy()
    first, second = toy.add("malloc", size=24), toy.add("calloc", size=5000)
    toy.add("realloc", first, size=70000)
    toy.add("free", second)
    toy.add("aligned", size=3, exponent=8)
    toy.add("malloc", size=0)
    toy.add("realloc", first, size=3)
    toy.add("free", first)
    return toy


def decoded(content: bytes) -> list[Event]:
    """The events of a trace."""
    _, _, _, current, _ = HEADER.unpack_from(content)
    state = STATE.unpack_from(content, HEADER.size + current * STATE.size)
    numbers = _Numbers(content[HEADER_BYTES : HEADER_BYTES + state[0]])
    found: list[Event] = []
    thread = objects = before = 0
    while numbers.rest:
        exponent, kind = divmod(numbers.byte(), 8)
        if kind == THREAD:
            thread = numbers.next()
            continue
        if KINDS[kind] in ("realloc", "free"):
            distance = numbers.next()
            before += distance // 2 if distance % 2 == 0 else -(distance + 1) // 2
        else:
            before, objects = objects, objects + 1
        size = 0 if KINDS[kind] == "free" else numbers.next()
        found.append((thread, KINDS[kind], before, size, exponent))
    return found


class _Numbers:
    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    @property
    def rest(self) -> int:
        return len(self._content) - self._at

    def byte(self) -> int:
        self._at += 1
        return self._content[self._at - 1]

    def next(self) -> int:
        number, shift, byte = 0, 0, 0x80
        while byte >= 0x80:
            byte = self.byte()
            number |= (byte & 0x7F) << shift
            shift += 7
        return number


def without_numbers(events: Sequence[Event]) -> list[tuple[str, int]]:
    """The kind and the size of each event."""
    return [(kind, size) for _, kind, _, size, _ in events]
