"""Render charts with Vega-Lite: as SVG for the page, and the script that makes the same charts interactive.

Vega takes a second, so both are kept in a folder of the build, by version and spec. A kept file that is
damaged is made again.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterable
from html import escape
from importlib import metadata
from pathlib import Path

from layermatrix.core import records
from layermatrix.report.charts.chart import FONT, Chart

PACKAGE = "vl-convert-python"
SVG = "svg"
BUNDLE = "vega"
END = {SVG: "</svg>", BUNDLE: "\n"}  # what a complete file ends with


def svg(chart: Chart, kept: Path | None = None) -> str:
    """The chart as SVG; Vega escapes its texts. kept: the folder of charts that were rendered before."""
    text = json.dumps(chart.document, ensure_ascii=False, allow_nan=False)
    key = hashlib.sha256(f"{_version()}\n{text}".encode()).hexdigest()
    made = _kept(kept, f"{key[:32]}.{SVG}", SVG) or _keep(kept, f"{key[:32]}.{SVG}", _render(text))
    return _described(_own_ids(_small(made), chart.key), chart)


def bundle(kept: Path | None = None) -> str:
    """The script that defines `vegaEmbed`, without a tag that would end a script element."""
    name = f"{BUNDLE}-{_version()}.js"
    return _kept(kept, name, BUNDLE) or _keep(kept, name, _script())


def forget_others(kept: Path, charts: Iterable[Chart]) -> None:
    """Delete kept files that these charts do not use."""
    texts = (json.dumps(one.document, ensure_ascii=False, allow_nan=False) for one in charts)
    keys = {hashlib.sha256(f"{_version()}\n{text}".encode()).hexdigest()[:32] for text in texts}
    used = {f"{key}.{SVG}" for key in keys} | {f"{BUNDLE}-{_version()}.js"}
    for file in kept.iterdir() if kept.is_dir() else ():
        if file.name not in used:
            file.unlink(missing_ok=True)


def _version() -> str:
    """The version of the package, found without loading it: that takes a while."""
    return metadata.version(PACKAGE)


@functools.lru_cache(maxsize=128)
def _render(text: str) -> str:
    import vl_convert

    made: str = vl_convert.vegalite_to_svg(text)
    return made


@functools.cache
def _script() -> str:
    import vl_convert

    made: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return made.replace("</script", "<\\/script").replace("<!--", "<\\!--") + "\n"


def _kept(folder: Path | None, name: str, kind: str) -> str | None:
    """The kept file, or None if there is none that is complete."""
    file = folder / name if folder else None
    if file is None or not file.is_file():
        return None
    text = file.read_text(encoding="utf-8", errors="replace")
    return text if text.endswith(END[kind]) else None


def _keep(folder: Path | None, name: str, text: str) -> str:
    if folder:
        records.write_text(folder / name, text)
    return text


def _small(text: str) -> str:
    """The SVG without what the page says once: the font, and what is announced of each mark of a picture that
    is announced as a whole. These are a third of a map."""
    return re.sub(
        rf' (?:font-family="{FONT}"|aria-[a-z]+="[^"]*"|role="[^"]*"|pointer-events="none")', "", text
    )


def _own_ids(text: str, key: str) -> str:
    """The SVG with ids that no other chart of the page has. Vega counts them from 0 in each chart."""
    text = re.sub(r'\bid="(?=(?:clip|gradient|pattern)[\w-]*")', f'id="{key}-', text)
    return re.sub(r"url\(#(?=(?:clip|gradient|pattern)[\w-]*\))", f"url(#{key}-", text)


def _described(text: str, chart: Chart) -> str:
    """The SVG as one picture with a description: the page's tables have its figures."""
    words = escape(f"{chart.title}. {chart.about}")
    return text.replace("<svg ", f'<svg role="img" aria-label="{words}" ', 1)
