"""How a timing is conducted: its random order, when it ends early, and what it demands of the machine."""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from layermatrix.evidence.bench import SMALLEST_EFFECT

T = TypeVar("T")
LARGEST_SEED = 2**31 - 1


def new_seed() -> int:
    """A seed for a run whose command gives none; records show it."""
    return secrets.randbelow(LARGEST_SEED) + 1


@dataclass(frozen=True)
class Method:
    """seed: gives the random order of each round. precision: a load is finished when half of the width of its
    intervals is at most this share; None: never before the last round. budget: seconds after which no other
    round starts. strict: whether a busy machine ends the run. smallest_effect: the share by which a
    difference has to exceed 1 to count."""

    seed: int = field(default_factory=new_seed)
    precision: float | None = None
    budget: float | None = None
    strict: bool = False
    smallest_effect: float = SMALLEST_EFFECT

    def order(self, everyone: Sequence[T], load: str, number: int) -> list[T]:
        """The subjects of one block, which is a load in a round, in their random order."""
        turn = list(everyone)
        random.Random(f"{self.seed} {load} {number}").shuffle(turn)
        return turn
