"""layermatrix: a layered C hot path, described in YAML, printed by templates, built and measured.

A plain Python library; only the package `scons` imports SCons. It knows nothing of what the hot path is for:
names come from the spec files, and what one domain adds from `profiles`. Data flows one way: `spec` (YAML ->
checked records), `model` (the resolved project), `emit` (a header), then `evidence`, `measure`, `analysis`
and `report`. README.md beside this file has the packages.
"""

from __future__ import annotations

__version__ = "0.1.0"
