"""The colours of the report, light and dark: text has a contrast of 4.5, and marks have 3."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from layermatrix.report import peer_figures

CSS = (Path(peer_figures.__file__).parent / "style.css").read_text(encoding="utf-8")
SHADES = range(len(peer_figures.SHADES) + 1)
TEXT = ("ink", "soft", "good", "bad", "warn", "blue", "reported")
MARKS = ("base", *(f"series-{index}" for index in range(9)))


def palette(scheme: str) -> dict[str, str]:
    """Name -> colour, as six hexadecimal digits."""
    light, dark = CSS.split("@media (prefers-color-scheme:dark)", 1)
    block = light if scheme == "light" else dark.split("}}", 1)[0]
    found = re.findall(r"--([\w-]+):#([0-9a-f]{3}|[0-9a-f]{6})[;}\s]", f"{block}}}")
    return {
        name: value if len(value) == 6 else "".join(2 * digit for digit in value) for name, value in found
    }


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(scheme: str) -> None:
    colours = palette(scheme)
    pairs = [(name, ground) for name in TEXT for ground in ("page", "card")]
    pairs += [(f"heat-ink-{index}", f"heat-{index}") for index in SHADES]
    for name, ground in pairs:
        assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_marks_stand_out_from_the_page(scheme: str) -> None:
    colours = palette(scheme)
    for name in MARKS:
        assert contrast(colours[name], colours["page"]) >= 3, name
    shades = [colours[f"heat-{index}"] for index in SHADES]
    assert len(set(shades)) == len(shades)
