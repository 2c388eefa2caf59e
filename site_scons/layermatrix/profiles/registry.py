"""The known profiles, by name."""

from __future__ import annotations

from layermatrix.profiles.base import Profile
from layermatrix.profiles.malloc.profile import MALLOC

NEUTRAL = Profile()
PROFILES = {MALLOC.name: MALLOC}


def of(name: str) -> Profile:
    """The profile of this name; the neutral one for an unknown name, which the spec loader reports."""
    return PROFILES.get(name, NEUTRAL)
