"""A resolved project: the content of all its spec files as frozen records, with every default filled in.

Templates print these records; the build and the reports read them. `spec.loader` creates them from YAML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from layermatrix.model.catalogue import Catalogue
from layermatrix.model.matrix import Matrix
from layermatrix.model.measuring import Experiment
from layermatrix.model.quarantine import Quarantine
from layermatrix.model.variants import Variant


@dataclass(frozen=True)
class Project:
    """A resolved project; variants are in the order of their names."""

    catalogue: Catalogue
    variants: Mapping[str, Variant]
    matrix: Matrix
    experiments: Mapping[str, Experiment] = field(default_factory=dict, hash=False)
    quarantine: Quarantine = field(default_factory=Quarantine)
