"""Draw the path through a variant's layers as a self-contained SVG for light and dark pages.

Reads a variant's description by `layer_path`; returns SVG text. Each layer has a row. The squares on the
right are the keys that the layer serves. A square is marked if several layers of the first role serve its
key.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from layermatrix.evidence.columns import state
from layermatrix.report import explain

if TYPE_CHECKING:
    from layermatrix.analysis.layer_path import LayerPath, Stage
    from layermatrix.model.layers import Toggle

WIDTH = 900
LEFT, BOX_WIDTH = 26, 560  # of a layer's box
ROW, GAP = 58, 22  # height of a box, and of the arrow below it
TOP = 64  # height of the headings above the first box
SQUARES_LEFT, SQUARES_WIDTH = 618, 260
SQUARE_MAX = 30

STYLE = """
.lm{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
--ink:#1f2328;--soft:#59636e;--box:#fff;--edge:#b7bec7;--line:#8b949e;--own:#2f6fde;--share:#d9730d;
--off:#eef0f3;--back:#f6f8fa}
@media (prefers-color-scheme:dark){
.lm{--ink:#e6edf3;--soft:#9198a1;--box:#161b22;--edge:#3d444d;--line:#6e7681;--own:#4c8df6;--share:#e8893a;
--off:#22272e;--back:#0d1117}}
.lm text{fill:var(--ink)}
.lm .soft{fill:var(--soft);font-size:11.5px}.lm .title{font-weight:600;font-size:14px}
.lm .mid{text-anchor:middle}.lm .end{text-anchor:end}
.lm .box{fill:var(--box);stroke:var(--edge)}.lm .unset{stroke-dasharray:5 4}
.lm .back{fill:var(--back);stroke:var(--line)}
.lm .arrow{stroke:var(--line);fill:none;stroke-width:1.4}.lm .head{fill:var(--line)}
.lm .own{fill:var(--own)}.lm .share{fill:var(--share)}.lm .later{fill:var(--own);opacity:.38}
.lm .not{fill:var(--off)}
.lm .rail{stroke:var(--own);stroke-width:3;fill:none;stroke-linecap:round}
""".replace("\n", "")


def draw(about: LayerPath, counted: explain.Counted = None) -> str:
    """The picture of a path that `layer_path` has described. counted: the counts of its layers in each load.
    The arrows show the shares in the first load."""
    layers = about.layers
    bottom = TOP + len(layers) * (ROW + GAP)
    height = bottom + ROW + 44
    parts = [*_headings(about)]
    for index, label in enumerate(explain.arrow_labels(about, counted)):
        y = TOP + index * (ROW + GAP)
        parts += [*_layer(about, layers[index], y), *_arrow(y + ROW, label)]
    parts += [*_rails(about), *_backend(about, bottom), *_legend(about, bottom + ROW + 26)]
    title = f"{about.variant}: {about.title}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="lm" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style>{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}"{attribute}>{escape(text)}</text>'


def _headings(about: LayerPath) -> Iterable[str]:
    yield _text(LEFT, 24, about.entry, "title")
    yield from _arrow(32, "", TOP - 32)
    head, values = next(iter(about.columns.items()), ("", ()))
    for place, (x, key) in enumerate(zip(_columns(about), about.keys, strict=True)):
        yield _text(x + _side(about) / 2, TOP - 26, key, "mid soft")
        if values:
            yield _text(x + _side(about) / 2, TOP - 11, values[place], "mid soft")
    yield _text(SQUARES_LEFT, 20, f"{about.key}{', ' if head else ''}{head}", "soft")


def _side(about: LayerPath) -> float:
    return min(SQUARE_MAX, SQUARES_WIDTH / max(len(about.keys), 1) - 2)


def _columns(about: LayerPath) -> list[float]:
    return [SQUARES_LEFT + index * (_side(about) + 2) for index in range(len(about.keys))]


def _layer(about: LayerPath, layer: Stage, y: float) -> Iterable[str]:
    toggle = layer.toggle
    unset = " unset" if toggle and not toggle.default else ""
    yield f'<rect class="box{unset}" x="{LEFT}" y="{y}" width="{BOX_WIDTH}" height="{ROW}" rx="7"/>'
    yield _text(LEFT + 14, y + 24, layer.title, "title")
    yield _text(LEFT + BOX_WIDTH - 14, y + 24, _switch(toggle), "end soft")
    yield _text(
        LEFT + 14, y + 43, f"{layer.role}: {explain.storage_text(about, layer)}", "soft"
    )  # has the line to itself
    yield from _squares(about, layer, y)


def _switch(toggle: Toggle | None) -> str:
    if toggle is None:
        return "always on"
    return f"{toggle.env}, {state(toggle.default)} by default"


def _squares(about: LayerPath, layer: Stage, y: float) -> Iterable[str]:
    if not layer.stores:
        return
    side, meaning = _side(about), _meanings(about)
    shared = {name for group in about.overlaps for name in group.keys}
    for x, key in zip(_columns(about), about.keys, strict=True):
        kind = "not"
        if key in layer.keys:
            alone = "share" if key in shared else "own"
            kind = alone if layer.is_front else "later"
        words = escape(f"{layer.title}, {key}: {meaning[kind]}")
        box = f'x="{x:g}" y="{y + (ROW - side) / 2:g}" width="{side:g}" height="{side:g}"'
        yield f'<rect class="{kind}" {box} rx="4"><title>{words}</title></rect>'


def _meanings(about: LayerPath) -> dict[str, str]:
    """The meaning of each kind of square."""
    return {
        "own": f"the only {about.front} that serves it",
        "share": f"served by more than one {about.front}",
        "later": f"served after the {about.front}",
        "not": "not served",
    }


def _arrow(y: float, label: str, length: float = GAP) -> Iterable[str]:
    x, tip = LEFT + 40, y + length
    yield f'<path class="arrow" d="M{x} {y:g}V{tip - 5:g}"/>'
    yield f'<path class="head" d="M{x - 5} {tip - 7:g}h10l-5 7z"/>'
    if label:
        yield _text(x + 12, y + length / 2 + 4, label, "soft")


def _rails(about: LayerPath) -> Iterable[str]:
    """A rail along the layers that are inlined into the caller."""
    inlined = [index for index, layer in enumerate(about.layers) if layer.inlined]
    if not inlined:
        return
    top, bottom = TOP + inlined[0] * (ROW + GAP), TOP + inlined[-1] * (ROW + GAP) + ROW
    yield f'<path class="rail" d="M{LEFT - 14} {top}V{bottom}"><title>inlined</title></path>'


def _backend(about: LayerPath, y: float) -> Iterable[str]:
    backend = about.backend
    yield f'<rect class="box back" x="{LEFT}" y="{y}" width="{BOX_WIDTH}" height="{ROW}" rx="7"/>'
    yield _text(LEFT + 14, y + 24, f"{backend.name} backend", "title")
    yield _text(LEFT + 14, y + 43, backend.doc, "soft")


def _legend(about: LayerPath, y: float) -> Iterable[str]:
    x = float(LEFT - 14)
    yield f'<path class="rail" d="M{x:g} {y - 9:g}v10"/>'
    yield _text(x + 9, y, "inlined into the caller", "soft")
    x += 162
    kinds = ["own", *(["share"] if about.overlaps else []), "later"]
    for kind in kinds:
        yield f'<rect class="{kind}" x="{x:g}" y="{y - 10:g}" width="12" height="12" rx="2"/>'
        yield _text(x + 18, y, _meanings(about)[kind], "soft")
        x += 30 + 6.2 * len(_meanings(about)[kind])
    if any(layer.toggle and not layer.toggle.default for layer in about.layers):
        yield f'<rect class="box unset" x="{x:g}" y="{y - 10:g}" width="18" height="12" rx="3"/>'
        yield _text(x + 24, y, "off by default", "soft")
