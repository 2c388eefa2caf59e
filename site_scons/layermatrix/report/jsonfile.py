"""The result record as results.json, for programs."""

from __future__ import annotations

import json
from typing import Any

from layermatrix.model.project import plain
from layermatrix.report import exporter


def render(results: dict[str, Any]) -> str:
    """The record itself, readable and with a stable order of keys."""
    return json.dumps(plain(results), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


EXPORTER = exporter.single("results.json", render)
