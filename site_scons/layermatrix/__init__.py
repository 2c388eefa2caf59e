"""layermatrix: a layered C hot path, described in YAML, printed by templates, built and measured.

This is a plain Python library; only the package `scons` imports SCons. The library does not depend on the
domain of the hot path: names come from the spec files, and `profiles` holds what one domain adds. Data flows
one way: `spec` (YAML -> checked records), `model` (the resolved project), `emit` (a header), then `evidence`,
`measure`, `analysis` and `report`. README.md in this folder describes the packages.
"""

from __future__ import annotations

__version__ = "0.1.0"
