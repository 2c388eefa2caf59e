"""The results as results.json, for programs."""

from __future__ import annotations

import json

from layermatrix.analysis.results import Results, document
from layermatrix.report import exporter


def render(results: Results) -> str:
    """Everything, readable and with a stable order of keys."""
    return json.dumps(document(results), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


EXPORTER = exporter.single("results.json", render)
