"""Render charts with Vega-Lite: as SVG for the page, and the script that makes the same charts interactive.

Vega takes a second, so all of it is kept in a folder of the build, by version and spec. A kept file that
is not complete is made again.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from importlib import metadata
from pathlib import Path

from layermatrix.core import records
from layermatrix.report.charts.chart import FONT, Chart

PACKAGE = "vl-convert-python"
END = {".svg": "</svg>\n", ".json": "}\n", ".js": ";\n"}  # of a complete file
NOTHING = re.compile(
    rf' (?:font-family="{FONT}"|aria-[a-z]+="[^"]*"|role="[^"]*"|pointer-events="none")'
    r'|<path class="(?:foreground|background)"[^>]*? d="(?:|M0,0h0v0h0Z)"[^>]*/>'
)
EXPORTED = "window.vegaEmbed = vegaEmbed;"


@dataclass(frozen=True)
class Rendered:
    """svg: the chart as a still picture. spec: the same chart as JSON for Vega."""

    svg: str
    spec: str


def render(chart: Chart, kept: Path | None = None) -> Rendered:
    """The chart, its texts escaped by Vega. kept: the folder of charts that were rendered before."""
    text = _text(chart)
    spec = _through(kept, f"{_key(text)}.json", lambda: _compiled(text))
    drawn = _through(kept, f"{_key(text)}.svg", lambda: _drawn(spec))
    return Rendered(_described(_own_ids(_small(drawn), chart.key), chart).rstrip(), spec.rstrip())


def bundle(kept: Path | None = None) -> str:
    """The script that defines `vegaEmbed`, without a tag that would end a script element."""
    return _through(kept, _bundle_name(), _script)


def forget_others(kept: Path, charts: Iterable[Chart]) -> None:
    """Delete kept files that these charts do not use."""
    keys = {_key(_text(chart)) for chart in charts}
    used = {f"{key}{end}" for key in keys for end in (".svg", ".json")} | {_bundle_name()}
    for file in kept.iterdir() if kept.is_dir() else ():
        if file.name not in used:
            file.unlink(missing_ok=True)


def _text(chart: Chart) -> str:
    return json.dumps(chart.document, ensure_ascii=False, allow_nan=False)


def _key(text: str) -> str:
    return hashlib.sha256(f"{_version()}\n{text}".encode()).hexdigest()[:32]


def _bundle_name() -> str:
    return f"vega-{_version()}.js"


@functools.cache  # looking through the installed packages takes a while, too
def _version() -> str:
    """The version of the package, found without loading it: that takes a while."""
    return metadata.version(PACKAGE)


# Vega-Lite is compiled here and not in the reader's browser, where it would be slower and print its warnings.
@functools.lru_cache(maxsize=128)
def _compiled(text: str) -> str:
    import vl_convert

    return json.dumps(vl_convert.vegalite_to_vega(text), ensure_ascii=False, separators=(",", ":")) + "\n"


@functools.lru_cache(maxsize=128)
def _drawn(spec: str) -> str:
    import vl_convert

    made: str = vl_convert.vega_to_svg(spec)
    return f"{made.rstrip()}\n"


@functools.cache
def _script() -> str:
    import vl_convert

    made: str = vl_convert.javascript_bundle(EXPORTED)
    return made.replace("</script", "<\\/script").replace("<!--", "<\\!--").rstrip() + "\n"


def _through(folder: Path | None, name: str, make: Callable[[], str]) -> str:
    """The text of a kept file; if there is none that is complete, it is made and kept."""
    file = folder / name if folder else None
    if file is None:
        return make()
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    if not text.endswith(END[file.suffix]):
        text = make()
        records.write_text(file, text)
    return text


def _small(text: str) -> str:
    """The SVG without what shows nothing: empty shapes, the font, which the page sets, and what is announced
    of each mark of a picture that is announced as a whole. These are a third of a map."""
    return NOTHING.sub("", text)


def _own_ids(text: str, key: str) -> str:
    """The SVG with ids that no other chart of the page has. Vega counts them from 0 in each chart."""
    text = re.sub(r'\bid="(?=(?:clip|gradient|pattern)[\w-]*")', f'id="{key}-', text)
    return re.sub(r"url\(#(?=(?:clip|gradient|pattern)[\w-]*\))", f"url(#{key}-", text)


def _described(text: str, chart: Chart) -> str:
    """The SVG as one picture with a description: the page's tables have its figures."""
    words = escape(f"{chart.title}. {chart.about}")
    return text.replace("<svg ", f'<svg role="img" aria-label="{words}" ', 1)
