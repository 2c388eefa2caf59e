"""layermatrix: a layered C hot path, described in YAML, printed by templates, built and measured.

A plain Python library. It knows nothing of SCons, whose tool `layered` imports it, and nothing of
allocators, whose names come from the YAML files. Data flows one way: `yamlnodes` and `schema` serve
`spec` (YAML -> checked shapes), `model` makes resolved variants of them, `matrix` makes cells of those,
`emit` prints a variant; `evidence`, `bench` and `report` meet only in result records.
"""

from __future__ import annotations

__version__ = "0.1.0"
